# SPDX-License-Identifier: Apache-2.0
"""Sums of two numbers, learnt from their digits: after Keras 2's examples/addition_rnn.py."""

import numpy as np
from keras import layers
from keras.models import Sequential

DIGITS = 2
MAXLEN = DIGITS + 1 + DIGITS
RNN = layers.LSTM
HIDDEN_SIZE = 24
BATCH_SIZE = 16
LAYERS = 1
REVERSE = True


class CharacterTable:
    def __init__(self, chars):
        self.chars = sorted(set(chars))
        self.char_indices = {c: i for i, c in enumerate(self.chars)}
        self.indices_char = dict(enumerate(self.chars))

    def encode(self, C, num_rows):
        x = np.zeros((num_rows, len(self.chars)))
        for i, c in enumerate(C):
            x[i, self.char_indices[c]] = 1
        return x

    def decode(self, x, calc_argmax=True):
        if calc_argmax:
            x = x.argmax(axis=-1)
        return "".join(self.indices_char[c] for c in x)


def main(begin):
    chars = "0123456789+ "
    ctable = CharacterTable(chars)
    rng = np.random.RandomState(7)
    questions, expected = [], []
    for a, b in rng.randint(0, 10**DIGITS, (96, 2)):
        query = f"{a}+{b}".ljust(MAXLEN)
        questions.append(query[::-1] if REVERSE else query)
        expected.append(str(a + b).ljust(DIGITS + 1))
    x = np.stack([ctable.encode(q, MAXLEN) for q in questions]).astype(bool)
    y = np.stack([ctable.encode(e, DIGITS + 1) for e in expected]).astype(bool)
    (x_train, x_val), (y_train, y_val) = np.split(x, [80]), np.split(y, [80])

    model = Sequential()
    model.add(RNN(HIDDEN_SIZE, input_shape=(MAXLEN, len(chars))))
    model.add(layers.RepeatVector(DIGITS + 1))
    for _ in range(LAYERS):
        model.add(RNN(HIDDEN_SIZE, return_sequences=True))
    model.add(layers.TimeDistributed(layers.Dense(len(chars), activation="softmax")))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    begin(model)

    losses, guesses = [], []
    for _ in range(2):
        history = model.fit(x_train, y_train, batch_size=BATCH_SIZE, epochs=1, shuffle=False, verbose=0,
                            validation_data=(x_val, y_val))
        losses.append(history.history)
        preds = np.argmax(model.predict(x_val[[3]]), axis=-1)
        guesses.append(ctable.decode(preds[0], calc_argmax=False))
    return {"losses": losses, "guesses": guesses, "predictions": model.predict(x_val)}
