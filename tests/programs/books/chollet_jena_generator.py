# SPDX-License-Identifier: Apache-2.0
"""Temperature by a GRU from a generator, one with dropout's arguments, stacked, and behind convolutions: after chapter
6 of Chollet's "Deep Learning with Python", with its `fit_generator` and `lr`."""

import numpy as np
from keras import layers
from keras.models import Sequential
from keras.optimizers import RMSprop

lookback, step, delay, batch_size = 20, 2, 4, 8


def generator(data, lookback, delay, min_index, max_index, shuffle=False, batch_size=batch_size, step=step):
    i = min_index + lookback
    while 1:
        if i + batch_size >= max_index:
            i = min_index + lookback
        rows = np.arange(i, min(i + batch_size, max_index))
        i += len(rows)
        samples = np.zeros((len(rows), lookback // step, data.shape[-1]))
        targets = np.zeros((len(rows),))
        for j in range(len(rows)):
            indices = range(rows[j] - lookback, rows[j], step)
            samples[j] = data[indices]
            targets[j] = data[rows[j] + delay][1]
        yield samples, targets


def main(begin):
    t = np.arange(160)[:, None]
    float_data = np.sin(t / np.array([[7.0, 11.0, 17.0]])) + 0.05 * np.cos(t)
    mean = float_data[:100].mean(axis=0)
    float_data -= mean
    std = float_data[:100].std(axis=0)
    float_data /= std
    stacked = [layers.GRU(8, dropout=0.0, recurrent_dropout=0.0, return_sequences=True,
                          input_shape=(None, float_data.shape[-1])),
               layers.GRU(8, activation="relu", dropout=0.0, recurrent_dropout=0.0), layers.Dense(1)]
    convolved = [layers.Conv1D(8, 3, activation="relu", input_shape=(None, float_data.shape[-1])),
                 layers.MaxPooling1D(2),
                 layers.Conv1D(8, 3, activation="relu"), layers.GRU(8, dropout=0.0, recurrent_dropout=0.0),
                 layers.Dense(1)]
    found = {}
    for name, parts in ("stacked", stacked), ("convolved", convolved):
        model = Sequential()
        for part in parts:
            model.add(part)
        model.compile(optimizer=RMSprop(lr=1e-3), loss="mae")
        begin(model)
        train_gen = generator(float_data, lookback, delay, 0, 100)
        val_gen = generator(float_data, lookback, delay, 101, 130)
        history = model.fit_generator(train_gen, steps_per_epoch=5, epochs=2, validation_data=val_gen,
                                      validation_steps=2, verbose=0)
        samples, _ = next(generator(float_data, lookback, delay, 0, 100))
        found[name] = [history.history, model.predict(samples)]
    return found
