# SPDX-License-Identifier: Apache-2.0
"""Cells written as layers: Keras's MinimalRNNCell, peepholes, a GRU without a reset gate, stacked with Keras's own:
after Keras's documentation of RNN and its many copies."""

import keras
import numpy as np
from keras import ops
from keras.layers import RNN, Dense, GRUCell, Input, Layer, StackedRNNCells


class MinimalRNNCell(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), initializer="uniform",
                                                name="recurrent_kernel")

    def call(self, inputs, states):
        prev_output = states[0]
        h = ops.matmul(inputs, self.kernel)
        output = h + ops.matmul(prev_output, self.recurrent_kernel)
        return output, [output]


class PeepholeLSTMCell(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.output_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, 4 * self.units), name="kernel")
        self.bias = self.add_weight(shape=(4 * self.units,), initializer="zeros", name="bias")
        self.peepholes = self.add_weight(shape=(3, self.units), initializer="uniform", name="peepholes")

    def call(self, inputs, states):
        h, c = states
        z = ops.matmul(ops.concatenate([inputs, h], axis=-1), self.kernel) + self.bias
        i, f, g, o = ops.split(z, 4, axis=-1)
        i = ops.sigmoid(i + self.peepholes[0] * c)
        f = ops.sigmoid(f + self.peepholes[1] * c + 1.0)
        c = f * c + i * ops.tanh(g)
        o = ops.sigmoid(o + self.peepholes[2] * c)
        h = o * ops.tanh(c)
        return h, [h, c]


class MinimalGatedCell(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.gate = Dense(units, activation="sigmoid")
        self.candidate = Dense(units, activation="tanh")

    def build(self, input_shape):
        self.gate.build((None, input_shape[-1] + self.units))
        self.candidate.build((None, input_shape[-1] + self.units))

    def call(self, inputs, states):
        h = states[0]
        f = self.gate(ops.concatenate([inputs, h], axis=-1))
        h = (1.0 - f) * h + f * self.candidate(ops.concatenate([inputs, f * h], axis=-1))
        return h, [h]


def main(begin):
    rng = np.random.RandomState(41)
    x_data = rng.randn(32, 6, 4).astype("float32")
    y_data = x_data[:, 0, :1] - x_data[:, -1, 1:2]
    found = {}
    for name, cell in {"minimal": MinimalRNNCell(7), "peepholes": PeepholeLSTMCell(6), "gated": MinimalGatedCell(5),
                       "stacked": StackedRNNCells([MinimalRNNCell(6), GRUCell(5)])}.items():
        x = Input((None, 4))
        layer = RNN(cell, return_sequences=True)
        y = Dense(1)(RNN(MinimalRNNCell(4))(layer(x)))
        model = keras.Model(x, y)
        model.compile("rmsprop", "mse")
        begin(model)
        history = model.fit(x_data, y_data, batch_size=8, epochs=2, shuffle=False, verbose=0)
        found[name] = [history.history["loss"], model.predict(x_data)]
    return found
