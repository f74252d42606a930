# SPDX-License-Identifier: Apache-2.0
"""One step ahead, ten steps ahead at every step, and layer normalization in a cell of one's own: after chapter 15 of
Géron's "Hands-On Machine Learning"."""

import numpy as np
from tensorflow import keras

n_steps = 16


def generate_time_series(batch_size, n_steps):
    rng = np.random.default_rng(25)
    freq1, freq2, offsets1, offsets2 = rng.random((4, batch_size, 1))
    time = np.linspace(0, 1, n_steps)
    series = 0.5 * np.sin((time - offsets1) * (freq1 * 10 + 10))
    series += 0.2 * np.sin((time - offsets2) * (freq2 * 20 + 20))
    series += 0.1 * (rng.random((batch_size, n_steps)) - 0.5)
    return series[..., np.newaxis].astype(np.float32)


def last_time_step_mse(Y_true, Y_pred):
    return keras.ops.mean(keras.losses.mean_squared_error(Y_true[:, -1], Y_pred[:, -1]))


class LNSimpleRNNCell(keras.layers.Layer):
    def __init__(self, units, activation="tanh", **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.output_size = units
        self.simple_rnn_cell = keras.layers.SimpleRNNCell(units, activation=None)
        self.layer_norm = keras.layers.LayerNormalization()
        self.activation = keras.activations.get(activation)

    def call(self, inputs, states):
        outputs, _ = self.simple_rnn_cell(inputs, states)
        norm_outputs = self.activation(self.layer_norm(outputs))
        return norm_outputs, [norm_outputs]


def main(begin):
    series = generate_time_series(48, n_steps + 5)
    X = series[:, :n_steps]
    Y = np.empty((48, n_steps, 5))
    for step_ahead in range(1, 6):
        Y[..., step_ahead - 1] = series[..., step_ahead : step_ahead + n_steps, 0]

    flat = keras.models.Sequential([keras.layers.Flatten(input_shape=[n_steps, 1]), keras.layers.Dense(1)])
    deep = keras.models.Sequential([
        keras.layers.SimpleRNN(8, return_sequences=True, input_shape=[None, 1]),
        keras.layers.SimpleRNN(8, return_sequences=True),
        keras.layers.TimeDistributed(keras.layers.Dense(5)),
    ])
    normed = keras.models.Sequential([
        keras.layers.RNN(LNSimpleRNNCell(6), return_sequences=True, input_shape=[None, 1]),
        keras.layers.RNN(LNSimpleRNNCell(6), return_sequences=True),
        keras.layers.TimeDistributed(keras.layers.Dense(5)),
    ])
    wavenet = keras.models.Sequential()
    wavenet.add(keras.Input(shape=[None, 1]))
    for rate in (1, 2, 4) * 2:
        wavenet.add(keras.layers.Conv1D(filters=6, kernel_size=2, padding="causal", activation="relu",
                                        dilation_rate=rate))
    wavenet.add(keras.layers.Conv1D(filters=5, kernel_size=1))
    strided = keras.models.Sequential([
        keras.layers.Conv1D(filters=6, kernel_size=4, strides=2, padding="valid", input_shape=[None, 1]),
        keras.layers.GRU(6, return_sequences=True),
        keras.layers.TimeDistributed(keras.layers.Dense(5)),
    ])
    found = {}
    flat.compile(loss="mse", optimizer="adam")
    begin(flat)
    found["flat"] = flat.fit(X, Y[:, -1, :1], epochs=2, batch_size=16, shuffle=False, verbose=0).history
    models = [("deep", deep, Y), ("normed", normed, Y), ("wavenet", wavenet, Y), ("strided", strided, Y[:, 3::2])]
    for name, model, targets in models:
        model.compile(loss="mse", optimizer=keras.optimizers.Adam(learning_rate=0.002), metrics=[last_time_step_mse])
        model.predict(X[:1], verbose=0)
        begin(model)
        history = model.fit(X, targets, epochs=2, batch_size=16, validation_data=(X[:8], targets[:8]), shuffle=False,
                            verbose=0)
        found[name] = [history.history, model.predict(X[:8])]
    return found
