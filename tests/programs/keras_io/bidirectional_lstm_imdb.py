# SPDX-License-Identifier: Apache-2.0
"""Two bidirectional LSTMs on reviews of any length: after keras-io's examples/nlp/bidirectional_lstm_imdb.py."""

import keras
import numpy as np
from keras import layers

max_features = 100
maxlen = 30


def main(begin):
    rng = np.random.default_rng(1)
    x_train = [rng.integers(1, max_features, rng.integers(4, 50)).tolist() for _ in range(48)]
    y_train = np.array([int(review[0] > 50) for review in x_train])

    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(max_features, 12)(inputs)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(8))(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    model = keras.Model(inputs, outputs)
    model.summary(print_fn=lambda line, **_: None)
    x_train = keras.utils.pad_sequences(x_train, maxlen=maxlen)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit(x_train, y_train, batch_size=16, epochs=2, validation_data=(x_train[:16], y_train[:16]),
                        shuffle=False, verbose=0)
    return {"history": history.history, "parameters": model.count_params(), "predictions": model.predict(x_train)}
