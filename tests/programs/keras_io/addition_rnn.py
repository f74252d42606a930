# SPDX-License-Identifier: Apache-2.0
"""Sums from digits with `keras.ops` free data and model.add: after keras-io's examples/nlp/addition_rnn.py."""

import keras
import numpy as np
from keras import layers

DIGITS, REVERSE = 2, True
MAXLEN = DIGITS + 1 + DIGITS
chars = "0123456789+ "
num_layers = 1


def encode(text, num_rows):
    x = np.zeros((num_rows, len(chars)))
    for i, c in enumerate(text):
        x[i, chars.index(c)] = 1
    return x


def main(begin):
    rng = np.random.default_rng(2)
    sums = rng.integers(0, 99, (80, 2))
    x = np.array([encode(f"{a}+{b}".ljust(MAXLEN)[::-1], MAXLEN) for a, b in sums], dtype=bool)
    y = np.array([encode(str(a + b).ljust(DIGITS + 1), DIGITS + 1) for a, b in sums], dtype=bool)
    split_at = len(x) - len(x) // 10
    (x_train, x_val), (y_train, y_val) = (x[:split_at], x[split_at:]), (y[:split_at], y[split_at:])

    model = keras.Sequential()
    model.add(layers.Input((MAXLEN, len(chars))))
    model.add(layers.LSTM(16))
    model.add(layers.RepeatVector(DIGITS + 1))
    for _ in range(num_layers):
        model.add(layers.LSTM(16, return_sequences=True))
    model.add(layers.Dense(len(chars), activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    begin(model)
    losses = []
    for _ in range(1, 3):
        history = model.fit(x_train, y_train, batch_size=32, epochs=1, validation_data=(x_val, y_val), shuffle=False,
                            verbose=0)
        losses.append(history.history)
        for i in range(3):
            rowx, rowy = x_val[np.array([i])], y_val[np.array([i])]
            preds = np.argmax(model.predict(rowx, verbose=0), axis=-1)
            assert preds.shape == rowy.shape[:2]
    return {"losses": losses, "predictions": model.predict(x_val)}
