# SPDX-License-Identifier: Apache-2.0
"""Engine noise through convolutions with batch normalization and callbacks: after keras-io's
examples/timeseries/timeseries_classification_from_scratch.py."""

import keras
import numpy as np

num_classes = 2


def make_model(input_shape):
    input_layer = keras.layers.Input(input_shape)
    conv1 = keras.layers.Conv1D(filters=8, kernel_size=3, padding="same")(input_layer)
    conv1 = keras.layers.BatchNormalization()(conv1)
    conv1 = keras.layers.ReLU()(conv1)
    conv2 = keras.layers.Conv1D(filters=8, kernel_size=3, padding="same")(conv1)
    conv2 = keras.layers.BatchNormalization()(conv2)
    conv2 = keras.layers.ReLU()(conv2)
    gap = keras.layers.GlobalAveragePooling1D()(conv2)
    output_layer = keras.layers.Dense(num_classes, activation="softmax")(gap)
    return keras.models.Model(inputs=input_layer, outputs=output_layer)


def main(begin):
    rng = np.random.default_rng(9)
    y_train = rng.integers(0, 2, 60) * 2 - 1
    x_train = np.sin(np.arange(40) / 4 * (1 + 0.3 * (y_train[:, None] + 1))) + 0.1 * rng.normal(size=(60, 40))
    x_train = x_train.reshape((x_train.shape[0], x_train.shape[1], 1))
    y_train[y_train == -1] = 0
    model = make_model(input_shape=x_train.shape[1:])
    callbacks = [
        keras.callbacks.ModelCheckpoint("best_model.keras", save_best_only=True, monitor="val_loss"),
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1, min_lr=0.0001),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=50, verbose=0),
    ]
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
    begin(model)
    history = model.fit(x_train, y_train, batch_size=16, epochs=4, callbacks=callbacks, validation_split=0.2,
                        shuffle=False, verbose=0)
    model = keras.models.load_model("best_model.keras")
    test_loss, test_acc = model.evaluate(x_train, y_train, verbose=0)
    return {"history": history.history, "test": [test_loss, test_acc], "predictions": model.predict(x_train)}
