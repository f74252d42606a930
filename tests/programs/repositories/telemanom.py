# SPDX-License-Identifier: Apache-2.0
"""Telemetry of a spacecraft, ten values ahead, its model in .h5: after khundman/telemanom's modeling.py."""

import os

import numpy as np
from keras.callbacks import EarlyStopping, History
from keras.layers import LSTM, Activation, Dense, Dropout
from keras.models import Sequential, load_model

config = {"layers": [10, 10], "dropout": 0.0, "n_predictions": 5, "l_s": 20, "loss_metric": "mean_squared_error",
          "optimizer": "adam",
          "patience": 2, "min_delta": 0.0003, "epochs": 3, "lstm_batch_size": 16, "validation_split": 0.2}


def shape_data(arr, l_s, n_predictions):
    data = np.array([arr[i : i + l_s + n_predictions] for i in range(len(arr) - l_s - n_predictions)])
    return data[:, :-n_predictions, :], data[:, -n_predictions:, 0]


def main(begin):
    t = np.arange(120)
    telemetry = np.stack([np.sin(t / 4), (t % 10 < 2).astype(float), np.cos(t / 9)], axis=1)
    X_train, y_train = shape_data(telemetry, config["l_s"], config["n_predictions"])
    cbs = [History(), EarlyStopping(monitor="val_loss", patience=config["patience"], min_delta=config["min_delta"],
                                    verbose=0)]
    model = Sequential()
    model.add(LSTM(config["layers"][0], input_shape=(None, X_train.shape[2]), return_sequences=True))
    model.add(Dropout(config["dropout"]))
    model.add(LSTM(config["layers"][1], return_sequences=False))
    model.add(Dropout(config["dropout"]))
    model.add(Dense(config["n_predictions"]))
    model.add(Activation("linear"))
    model.compile(loss=config["loss_metric"], optimizer=config["optimizer"])
    begin(model)
    model.fit(X_train, y_train, batch_size=config["lstm_batch_size"], epochs=config["epochs"], shuffle=False,
              validation_split=config["validation_split"], callbacks=cbs, verbose=0)
    model.save(os.path.join(".", "channel.h5"))
    model = load_model(os.path.join(".", "channel.h5"))
    y_hat = np.array([])
    for i in range(0, len(X_train), 30):
        y_hat_batch = model.predict(X_train[i : i + 30])
        y_hat = np.append(y_hat, y_hat_batch[:, 0])
    errors = np.abs(y_hat - y_train[:, 0])
    return {"history": cbs[0].history, "errors": errors, "predictions": model.predict_on_batch(X_train[:4])}
