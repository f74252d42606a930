# SPDX-License-Identifier: Apache-2.0
"""Own losses and metrics, weights of classes and samples, schedules, dictionaries: after the guide "Training &
evaluation with the built-in methods"."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from keras import layers, ops


def custom_mean_squared_error(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class CustomMSE(keras.losses.Loss):
    def __init__(self, regularization_factor=0.1, name="custom_mse"):
        super().__init__(name=name)
        self.regularization_factor = regularization_factor

    def call(self, y_true, y_pred):
        mse = ops.mean(ops.square(y_true - y_pred), axis=-1)
        reg = ops.mean(ops.square(0.5 - y_pred), axis=-1)
        return mse + reg * self.regularization_factor


class CategoricalTruePositives(keras.metrics.Metric):
    def __init__(self, name="categorical_true_positives", **kwargs):
        super().__init__(name=name, **kwargs)
        self.true_positives = self.add_variable(shape=(), name="ctp", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.reshape(ops.argmax(y_pred, axis=1), (-1, 1))
        values = ops.cast(y_true, "int32") == ops.cast(y_pred, "int32")
        values = ops.cast(values, "float32")
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, "float32")
            values = ops.multiply(values, sample_weight)
        self.true_positives.assign_add(ops.sum(values))

    def result(self):
        return self.true_positives.value

    def reset_state(self):
        self.true_positives.assign(0.0)


class LogisticEndpoint(keras.layers.Layer):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

    def call(self, targets, logits, sample_weights=None):
        loss = self.loss_fn(targets, logits, sample_weights)
        self.add_loss(loss)
        return ops.softmax(logits)


def get_model():
    inputs = keras.Input(shape=(6, 4), name="digits")
    x = layers.GRU(8, name="gru_1")(inputs)
    x = layers.Dense(8, activation="relu", name="dense_1")(x)
    outputs = layers.Dense(5, activation="softmax", name="predictions")(x)
    return keras.Model(inputs=inputs, outputs=outputs)


def main(begin):
    rng = np.random.default_rng(15)
    x_train, y_train = rng.normal(size=(48, 6, 4)).astype("float32"), rng.integers(0, 5, (48, 1)).astype("float32")
    y_one_hot = keras.utils.to_categorical(y_train, num_classes=5)
    found = {}
    model = get_model()
    lr_schedule = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=4, decay_rate=0.9, staircase=True)
    model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=lr_schedule),
                  loss=keras.losses.SparseCategoricalCrossentropy(), metrics=[CategoricalTruePositives()])
    begin(model)
    sample_weight = np.where(y_train[:, 0] == 3, 2.0, 1.0)
    found["weighted"] = model.fit(x_train, y_train, sample_weight=sample_weight, batch_size=16, epochs=2,
                                  validation_data=(x_train[:16], y_train[:16]), shuffle=False, verbose=0).history
    model = get_model()
    begin(model)
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
    found["classes"] = model.fit(x_train, y_train, class_weight={0: 1.0, 1: 1.0, 2: 0.5, 3: 2.0, 4: 1.0}, batch_size=16,
                                 epochs=1, shuffle=False, verbose=0).history
    for name, loss in ("function", custom_mean_squared_error), ("class", CustomMSE()):
        model = get_model()
        model.compile(optimizer=keras.optimizers.Adam(), loss=loss)
        begin(model)
        found[name] = model.fit(x_train, y_one_hot, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]

    inputs, targets = keras.Input(shape=(3,), name="inputs"), keras.Input(shape=(4,), name="targets")
    logits = keras.layers.Dense(4)(inputs)
    predictions = LogisticEndpoint(name="predictions")(targets, logits)
    endpoint = keras.Model(inputs=[inputs, targets], outputs=predictions)
    endpoint.compile(optimizer="adam")
    begin(endpoint)
    data = {"inputs": rng.random((8, 3)), "targets": rng.random((8, 4))}
    found["endpoint"] = endpoint.fit(data, verbose=0).history["loss"]
    found["results"] = model.evaluate(x_train, y_one_hot, batch_size=16, return_dict=True, verbose=0)
    return {**found, "predictions": model.predict(x_train)}
