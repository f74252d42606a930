# SPDX-License-Identifier: Apache-2.0
"""Early stopping at the minimum, a schedule of rates, and what is called when: after the guide "Writing your own
callbacks"."""

import keras
import numpy as np


class CustomCallback(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.called = []

    def on_train_begin(self, logs=None):
        self.called.append(f"train begins {sorted(logs or {})}")

    def on_epoch_end(self, epoch, logs=None):
        self.called.append(f"epoch {epoch} ends {sorted(logs)}")

    def on_test_batch_end(self, batch, logs=None):
        self.called.append(f"test batch {batch} ends {sorted(logs)}")

    def on_train_batch_begin(self, batch, logs=None):
        self.called.append(f"batch {batch} begins")

    def on_predict_end(self, logs=None):
        self.called.append("predict ends")


class EarlyStoppingAtMinLoss(keras.callbacks.Callback):
    def __init__(self, patience=0):
        super().__init__()
        self.patience = patience
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = np.inf

    def on_epoch_end(self, epoch, logs=None):
        current = logs.get("loss")
        if np.less(current, self.best):
            self.best = current
            self.wait = 0
            self.best_weights = self.model.get_weights()
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.stopped_epoch = epoch
                self.model.stop_training = True
                self.model.set_weights(self.best_weights)


class CustomLearningRateScheduler(keras.callbacks.Callback):
    def __init__(self, schedule):
        super().__init__()
        self.schedule = schedule

    def on_epoch_begin(self, epoch, logs=None):
        lr = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.model.optimizer.learning_rate = self.schedule(epoch, lr)


def lr_schedule(epoch, lr):
    return lr * 0.5 if epoch else lr


def main(begin):
    rng = np.random.default_rng(21)
    x, y = rng.normal(size=(24, 5, 3)).astype("float32"), rng.normal(size=(24, 1)).astype("float32")
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(6), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.1), loss="mean_squared_error",
                  metrics=["mean_absolute_error"])
    begin(model)
    custom, early = CustomCallback(), EarlyStoppingAtMinLoss(patience=1)
    history = model.fit(x, y, batch_size=8, epochs=6, validation_split=0.25, shuffle=False, verbose=0,
                        callbacks=[custom, early, CustomLearningRateScheduler(lr_schedule)])
    model.evaluate(x, y, batch_size=12, callbacks=[custom], verbose=0)
    predictions = model.predict(x, callbacks=[custom])
    return {"history": history.history, "called": custom.called, "stopped": early.stopped_epoch,
            "predictions": predictions}
