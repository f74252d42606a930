# SPDX-License-Identifier: Apache-2.0
"""Paragraphs through one stateful LSTM, its state reset and handed on: after the guide "Working with RNNs"."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
from keras import layers


def main(begin):
    rng = np.random.default_rng(11)
    paragraph1 = rng.random((4, 6, 5)).astype(np.float32)
    paragraph2 = rng.random((4, 6, 5)).astype(np.float32)
    inputs = keras.Input(batch_shape=(4, 6, 5))
    lstm_layer = layers.LSTM(7, stateful=True)
    model = keras.Model(inputs, layers.Dense(2)(lstm_layer(inputs)))
    begin(model)
    first = model.predict(paragraph1)
    second = model.predict(paragraph2)
    existing_state = [keras.ops.convert_to_numpy(state) for state in lstm_layer.states]
    lstm_layer.reset_states()
    again = model.predict(paragraph1)
    new_lstm_layer = layers.LSTM(7)
    new_lstm_layer.build((None, 6, 5))
    new_lstm_layer.set_weights(lstm_layer.get_weights())
    new_output = new_lstm_layer(paragraph1, initial_state=existing_state)
    return {"first": first, "second": second, "again": again, "states": existing_state, "new": new_output}
