# SPDX-License-Identifier: Apache-2.0
"""Gestures from worn sensors: four convolutions under two LSTMs, by TimeDistributed and by Conv2D: after
sussexwearlab/DeepConvLSTM and jbrownlee's CNN-LSTM."""

import numpy as np
from keras.layers import LSTM, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling1D, Permute, Reshape, TimeDistributed
from keras.layers.convolutional import Conv1D
from keras.models import Model, Sequential

length, channels, classes = 20, 6, 5


def main(begin):
    rng = np.random.RandomState(32)
    x = rng.randn(40, length, channels).astype("float32")
    y = (x[:, :, 0].sum(1) * 2).astype(int) % classes
    inputs = Input((length, channels))
    h = Reshape((length, channels, 1))(inputs)
    for _ in range(2):
        h = Conv2D(4, (5, 1), activation="relu")(h)
    h = Permute((1, 3, 2))(h)
    h = Reshape((length - 8, 4 * channels))(h)
    h = LSTM(8, return_sequences=True)(h)
    h = LSTM(8)(h)
    deep = Model(inputs, Dense(classes, activation="softmax")(h))

    n_steps, n_length = 4, 5
    cnn_lstm = Sequential()
    cnn_lstm.add(TimeDistributed(Conv1D(filters=6, kernel_size=3, activation="relu"),
                                 input_shape=(None, n_length, channels)))
    cnn_lstm.add(TimeDistributed(Dropout(0.0)))
    cnn_lstm.add(TimeDistributed(MaxPooling1D(pool_size=2)))
    cnn_lstm.add(TimeDistributed(Flatten()))
    cnn_lstm.add(LSTM(8))
    cnn_lstm.add(Dense(classes, activation="softmax"))
    found = {}
    for name, model, data in ("deep", deep, x), ("parts", cnn_lstm, x.reshape(40, n_steps, n_length, channels)):
        model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
        begin(model)
        history = model.fit(data, y, epochs=2, batch_size=10, shuffle=False, verbose=0)
        found[name] = [history.history, model.predict(data)]
    return found
