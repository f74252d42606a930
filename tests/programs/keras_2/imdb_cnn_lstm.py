# SPDX-License-Identifier: Apache-2.0
"""A convolution over words, pooled, under an LSTM: after Keras 2's examples/imdb_cnn_lstm.py."""

import numpy as np
from keras.layers import LSTM, Activation, Conv1D, Dense, Dropout, Embedding, MaxPooling1D
from keras.models import Sequential

max_features = 150
maxlen = 40
embedding_size = 16
kernel_size, filters, pool_size = 5, 12, 4
lstm_output_size = 10


def main(begin):
    rng = np.random.RandomState(5)
    x_train = rng.randint(1, max_features, (64, maxlen))
    y_train = (x_train[:, 10:20].sum(axis=1) > 750).astype("int32")

    model = Sequential()
    model.add(Embedding(max_features, embedding_size))
    model.add(Dropout(0.0))
    model.add(Conv1D(filters, kernel_size, padding="valid", activation="relu", strides=1))
    model.add(MaxPooling1D(pool_size=pool_size))
    model.add(LSTM(lstm_output_size))
    model.add(Dense(1))
    model.add(Activation("sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.build((None, maxlen))
    begin(model)
    history = model.fit(x_train, y_train, batch_size=16, epochs=2, validation_split=0.25, shuffle=False, verbose=0)
    return {"history": history.history, "predictions": model.predict(x_train)}
