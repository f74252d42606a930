# SPDX-License-Identifier: Apache-2.0
"""Stacked SimpleRNNs, and reviews read backwards both ways: after chapter 6 of Chollet's "Deep Learning with
Python"."""

import numpy as np
from keras.layers import LSTM, Bidirectional, Dense, Embedding, SimpleRNN
from keras.models import Sequential
from keras.preprocessing import sequence

max_features, maxlen = 60, 20


def main(begin):
    rng = np.random.RandomState(23)
    x_train = [rng.randint(1, max_features, rng.randint(5, 30)).tolist() for _ in range(50)]
    y_train = np.array([int(review[-1] > 30) for review in x_train])
    input_train = sequence.pad_sequences(x_train, maxlen=maxlen)
    reversed_train = sequence.pad_sequences([x[::-1] for x in x_train], maxlen=maxlen)

    model = Sequential()
    model.add(Embedding(max_features, 8))
    for _ in range(3):
        model.add(SimpleRNN(8, return_sequences=True))
    model.add(SimpleRNN(8))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    model.build((None, maxlen))
    begin(model)
    history = model.fit(input_train, y_train, epochs=2, batch_size=10, validation_split=0.2, shuffle=False, verbose=0)
    acc, val_acc = history.history["acc"], history.history["val_acc"]

    both = Sequential()
    both.add(Embedding(max_features, 8))
    both.add(Bidirectional(LSTM(8)))
    both.add(Dense(1, activation="sigmoid"))
    both.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    both.build((None, maxlen))
    begin(both)
    loss = both.fit(reversed_train, y_train, epochs=2, batch_size=10, shuffle=False, verbose=0).history["loss"]
    return {"acc": acc, "val_acc": val_acc, "loss": loss,
            "predictions": [model.predict(input_train), both.predict(reversed_train)]}
