# SPDX-License-Identifier: Apache-2.0
"""Film reviews through Embedding and LSTM: after Keras 2's examples/imdb_lstm.py."""

import numpy as np
from keras.layers import LSTM, Dense, Embedding
from keras.models import Sequential
from keras.preprocessing import sequence

max_features = 200
maxlen = 30
batch_size = 16


def load_data(num_words):
    rng = np.random.RandomState(0)
    y = rng.randint(0, 2, 80)
    x = [[1, *rng.randint(4, num_words - 50 * (1 - label), rng.randint(5, 60))] for label in y]
    return (x[:64], y[:64]), (x[64:], y[64:])


def main(begin):
    (x_train, y_train), (x_test, y_test) = load_data(num_words=max_features)
    x_train = sequence.pad_sequences(x_train, maxlen=maxlen)
    x_test = sequence.pad_sequences(x_test, maxlen=maxlen)

    model = Sequential()
    model.add(Embedding(max_features, 16))
    model.add(LSTM(16, dropout=0.0, recurrent_dropout=0.0))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.build((None, maxlen))
    begin(model)
    history = model.fit(x_train, y_train, batch_size=batch_size, epochs=3, shuffle=False,
                        validation_data=(x_test, y_test), verbose=0)
    score, acc = model.evaluate(x_test, y_test, batch_size=batch_size, verbose=0)
    return {"history": history.history, "score": score, "acc": acc, "predictions": model.predict(x_test, verbose=0)}
