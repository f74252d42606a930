# SPDX-License-Identifier: Apache-2.0
"""One recurrent model under callbacks, schedules, own generators of dictionaries and PyDataset: after the training
scripts of many repositories."""

import csv

import keras
import numpy as np
from keras import layers
from keras.callbacks import CSVLogger, LambdaCallback, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y, batch_size, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.batch_size = x, y, batch_size

    def __len__(self):
        return -(-len(self.y) // self.batch_size)

    def __getitem__(self, index):
        at = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return {"signal": self.x[at]}, {"level": self.y[at], "sign": (self.y[at] > 0).astype("float32")}


def dictionaries(x, y, batch_size=8):
    while True:
        for i in range(0, len(x), batch_size):
            at = slice(i, i + batch_size)
            yield {"signal": x[at]}, {"level": y[at], "sign": (y[at] > 0).astype("float32")}


def root_mean_squared_error(y_true, y_pred):
    return keras.ops.sqrt(keras.ops.mean(keras.ops.square(y_pred - y_true)))


def main(begin):
    rng = np.random.RandomState(48)
    x = rng.randn(36, 6, 3).astype("float32")
    y = x[:, -1, :1] - x[:, 0, :1]
    inputs = layers.Input((6, 3), name="signal")
    h = layers.GRU(8, return_sequences=True, kernel_regularizer="l2", recurrent_constraint="max_norm")(inputs)
    h = layers.LSTM(6, bias_initializer="ones", kernel_regularizer=keras.regularizers.L1(1e-3))(h)
    model = keras.Model(inputs, {"level": layers.Dense(1, name="level")(h),
                                 "sign": layers.Dense(1, activation="sigmoid", name="sign")(h)})
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([4, 8], [0.05, 0.02, 0.01])
    model.compile(optimizer=keras.optimizers.SGD(schedule, momentum=0.9),
                  loss={"level": "huber", "sign": "binary_crossentropy"})
    begin(model)
    found, batches = {}, Batches(x, y, 8)
    found["batches"] = model.fit(batches, epochs=2, shuffle=False, verbose=0).history
    model.compile(optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.01),
                  loss={"level": "mse", "sign": "binary_crossentropy"},
                  loss_weights={"level": 1.0, "sign": 0.5})
    rates = []
    callbacks = [CSVLogger("log.csv"), LearningRateScheduler(lambda epoch, lr: lr * 0.9), TerminateOnNaN(),
                 LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(logs["learning_rate"]))]
    found["generator"] = model.fit(dictionaries(x, y), steps_per_epoch=3, epochs=2, callbacks=callbacks, verbose=0,
                                   validation_data=({"signal": x[:16]}, {"level": y[:16], "sign": y[:16] > 0})).history
    with open("log.csv", newline="") as f:
        found["log"] = list(csv.DictReader(f))[-1]["epoch"]
    model.compile(optimizer="rmsprop", loss={"level": "mae", "sign": "mse"},
                  weighted_metrics=None)
    held_out = ({"signal": x[:8]}, {"level": y[:8], "sign": y[:8] > 0})
    found["arrays"] = model.fit({"signal": x}, {"level": y, "sign": y > 0}, epochs=3, batch_size=12, shuffle=False,
                                verbose=0, validation_freq=2, validation_data=held_out,
                                callbacks=[ReduceLROnPlateau(monitor="loss", factor=0.1, patience=0)]).history
    return {**found, "rates": rates, "evaluated": model.evaluate(batches, return_dict=True, verbose=0),
            "predictions": model.predict(batches)}
