# SPDX-License-Identifier: Apache-2.0
"""Sequence to sequence without teacher: repeated vector, and a decoder whose output is its next input, in a cell of
one's own: after farizrahman4u/seq2seq's SimpleSeq2Seq and Seq2Seq."""

import keras
import numpy as np
from keras.layers import LSTM, RNN, Dense, Input, RepeatVector, TimeDistributed
from keras.models import Model, Sequential

input_length, input_dim, output_length, output_dim, hidden_dim = 5, 3, 4, 2, 8


class FeedbackCell(keras.layers.Layer):
    def __init__(self, units, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [output_dim, units, units]
        self.output_size = output_dim
        self.cell = keras.layers.LSTMCell(units)
        self.readout = Dense(output_dim, activation="tanh")

    def build(self, input_shape):
        self.cell.build((None, self.state_size[0] + input_shape[-1]))
        self.readout.build((None, self.state_size[1]))
        self.built = True

    def call(self, inputs, states):
        y, h, c = states
        x, states = self.cell(keras.ops.concatenate([y, inputs], axis=-1), [h, c])
        y = self.readout(x)
        return y, [y, *states]


def main(begin):
    rng = np.random.RandomState(29)
    x = rng.normal(size=(40, input_length, input_dim)).astype("float32")
    y = np.tanh(np.cumsum(x, axis=1)[:, -output_length:, :output_dim])
    simple = Sequential()
    simple.add(LSTM(hidden_dim, input_shape=(input_length, input_dim)))
    simple.add(Dense(hidden_dim, activation="relu"))
    simple.add(RepeatVector(output_length))
    for _ in range(2):
        simple.add(LSTM(hidden_dim, return_sequences=True))
    simple.add(TimeDistributed(Dense(output_dim)))
    simple.compile(loss="mse", optimizer="rmsprop")
    begin(simple)
    first = simple.fit(x, y, batch_size=10, epochs=2, shuffle=False, verbose=0)

    inputs = Input(shape=(input_length, input_dim))
    encoded = LSTM(hidden_dim)(inputs)
    decoded = RNN(FeedbackCell(hidden_dim, output_dim), return_sequences=True)(RepeatVector(output_length)(encoded))
    fed = Model(inputs, decoded)
    fed.compile(loss="mse", optimizer="rmsprop")
    begin(fed)
    second = fed.fit(x, y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    return {"loss": [first.history["loss"], second.history["loss"]], "predictions": [simple.predict(x), fed.predict(x)]}
