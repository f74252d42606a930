# SPDX-License-Identifier: Apache-2.0
"""A bidirectional LSTM on film reviews: after Keras 2's examples/imdb_bidirectional_lstm.py, its spellings kept."""

import numpy as np
from keras.layers import LSTM, Bidirectional, Dense, Dropout, Embedding
from keras.models import Sequential
from keras.preprocessing import sequence

max_features = 120
maxlen = 25


def main(begin):
    rng = np.random.RandomState(3)
    x = [rng.randint(1, max_features, rng.randint(3, 40)).tolist() for _ in range(72)]
    y = np.array([sum(review) % 2 for review in x])
    x = sequence.pad_sequences(x, maxlen=maxlen, padding="post", truncating="post")

    model = Sequential()
    model.add(Embedding(max_features, 12, input_length=maxlen))
    model.add(Bidirectional(LSTM(8)))
    model.add(Dropout(0.0))
    model.add(Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.build((None, maxlen))
    begin(model)
    history = model.fit(x[:56], y[:56], batch_size=8, epochs=3, validation_data=[x[56:], y[56:]], shuffle=False,
                        verbose=0)
    return {"history": history.history, "predictions": model.predict(x[56:])}
