# SPDX-License-Identifier: Apache-2.0
"""A convolutional autoencoder whose error shows anomalies: after keras-io's timeseries_anomaly_detection.py."""

import keras
import numpy as np
from keras import layers

TIME_STEPS = 24


def create_sequences(values, time_steps=TIME_STEPS):
    return np.stack([values[i : i + time_steps] for i in range(len(values) - time_steps + 1)])


def main(begin):
    values = np.sin(np.arange(100) / 4)[:, None]
    x_train = create_sequences((values - values.mean()) / values.std())
    model = keras.Sequential(
        [
            layers.Input(shape=(x_train.shape[1], x_train.shape[2])),
            layers.Conv1D(filters=8, kernel_size=7, padding="same", strides=2, activation="relu"),
            layers.Dropout(rate=0.0),
            layers.Conv1D(filters=4, kernel_size=7, padding="same", strides=2, activation="relu"),
            layers.Conv1DTranspose(filters=4, kernel_size=7, padding="same", strides=2, activation="relu"),
            layers.Dropout(rate=0.0),
            layers.Conv1DTranspose(filters=8, kernel_size=7, padding="same", strides=2, activation="relu"),
            layers.Conv1DTranspose(filters=1, kernel_size=7, padding="same"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001), loss="mse")
    begin(model)
    history = model.fit(x_train, x_train, epochs=2, batch_size=16, validation_split=0.1, shuffle=False, verbose=0,
                        callbacks=[keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, mode="min")])
    x_train_pred = model.predict(x_train)
    train_mae_loss = np.mean(np.abs(x_train_pred - x_train), axis=1)
    threshold = np.max(train_mae_loss)
    spoilt = x_train.copy()
    spoilt[40:50, 10:14] += 6
    errors = np.mean(np.abs(model.predict(spoilt) - spoilt), axis=1).reshape(-1)
    return {"history": history.history, "threshold": threshold, "errors": errors, "predictions": x_train_pred}
