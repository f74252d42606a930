# SPDX-License-Identifier: Apache-2.0
"""States in and out, backwards, bidirectional, stateful, and cells: after the guide "Working with RNNs"."""

import keras
import numpy as np
from keras import layers


class NestedCell(keras.Layer):
    def __init__(self, unit_1, unit_2, **kwargs):
        self.unit_1 = unit_1
        self.unit_2 = unit_2
        self.state_size = [unit_1, unit_2]
        self.output_size = unit_1
        super().__init__(**kwargs)

    def build(self, input_shapes):
        self.kernel_1 = self.add_weight(shape=(input_shapes[-1], self.unit_1), initializer="uniform", name="kernel_1")
        self.kernel_2 = self.add_weight(shape=(self.unit_1, self.unit_2), initializer="uniform", name="kernel_2")

    def call(self, inputs, states):
        s1, s2 = states
        output_1 = keras.ops.tanh(keras.ops.matmul(inputs, self.kernel_1) + s1)
        output_2 = keras.ops.tanh(keras.ops.matmul(output_1, self.kernel_2) + s2)
        return output_1, [output_1, output_2]

    def get_config(self):
        return {"unit_1": self.unit_1, "unit_2": self.unit_2}


def encoder_decoder(begin, source, target):
    encoder_input = layers.Input(shape=(None,))
    encoder_embedded = layers.Embedding(input_dim=20, output_dim=8)(encoder_input)
    _, state_h, state_c = layers.LSTM(8, return_state=True, name="encoder")(encoder_embedded)
    encoder_state = [state_h, state_c]
    decoder_input = layers.Input(shape=(None,))
    decoder_embedded = layers.Embedding(input_dim=18, output_dim=8)(decoder_input)
    decoder_output = layers.LSTM(8, name="decoder")(decoder_embedded, initial_state=encoder_state)
    output = layers.Dense(4)(decoder_output)
    model = keras.Model([encoder_input, decoder_input], output)
    model.compile(optimizer="sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    begin(model)
    history = model.fit([source, target], target[:, 0] % 4, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return history.history["loss"], model.predict([source, target])


def cells(begin, paragraphs):
    cell = keras.layers.LSTMCell(6)
    rnn = keras.layers.RNN([cell, keras.layers.GRUCell(5)], return_sequences=True)
    nested = keras.layers.RNN(NestedCell(6, 4))
    inputs = keras.Input((None, 5))
    outputs = layers.Dense(1)(nested(rnn(inputs)))
    model = keras.models.Model(inputs, outputs)
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    begin(model)
    history = model.fit(paragraphs, paragraphs[:, 0, :1], batch_size=10, epochs=2, shuffle=False, verbose=0)
    return history.history, model.predict(paragraphs)


def bidirectional(begin, paragraphs):
    model = keras.Sequential()
    model.add(keras.Input(shape=(6, 5)))
    model.add(layers.Bidirectional(layers.LSTM(6, return_sequences=True)))
    model.add(layers.Bidirectional(layers.LSTM(4, go_backwards=False)))
    model.add(layers.Dense(3))
    begin(model)
    return model.predict(paragraphs)


def main(begin):
    rng = np.random.default_rng(10)
    paragraphs = rng.random((20, 6, 5)).astype(np.float32)
    source, target = rng.integers(0, 20, (24, 7)), rng.integers(0, 18, (24, 4))
    return {"states": encoder_decoder(begin, source, target), "cells": cells(begin, paragraphs),
            "bidirectional": bidirectional(begin, paragraphs)}
