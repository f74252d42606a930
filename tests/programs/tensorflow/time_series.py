# SPDX-License-Identifier: Apache-2.0
"""Weather: a window generator, a residual wrapper, and an autoregressive LSTM cell: after TensorFlow's tutorial "Time
series forecasting"."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

num_features, OUT_STEPS, CONV_WIDTH = 3, 4, 3


class WindowGenerator:
    def __init__(self, input_width, label_width, shift, train):
        self.input_width, self.label_width = input_width, label_width
        self.total_window_size = input_width + shift
        self.train_data = np.array(train, dtype=np.float32)

    def split_window(self, features):
        return features[:, : self.input_width], features[:, self.total_window_size - self.label_width :]

    def make_dataset(self, data):
        ds = keras.utils.timeseries_dataset_from_array(data=data, targets=None, sequence_length=self.total_window_size,
                                                       sequence_stride=1, shuffle=False, batch_size=16)
        return ds.map(self.split_window) if isinstance(ds, tf.data.Dataset) else map(self.split_window, ds)

    @property
    def train(self):
        windows = list(self.make_dataset(self.train_data))
        return [np.concatenate([np.asarray(w[i]) for w in windows]) for i in (0, 1)]


class ResidualWrapper(keras.Model):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, inputs, *args, **kwargs):
        delta = self.model(inputs, *args, **kwargs)
        return inputs + delta


class FeedBack(keras.Model):
    def __init__(self, units, out_steps):
        super().__init__()
        self.out_steps = out_steps
        self.units = units
        self.lstm_cell = keras.layers.LSTMCell(units)
        self.lstm_rnn = keras.layers.RNN(self.lstm_cell, return_state=True)
        self.dense = keras.layers.Dense(num_features)

    def warmup(self, inputs):
        x, *state = self.lstm_rnn(inputs)
        return self.dense(x), state

    def call(self, inputs, training=None):
        predictions = []
        prediction, state = self.warmup(inputs)
        predictions.append(prediction)
        for _ in range(1, self.out_steps):
            x = prediction
            x, state = self.lstm_cell(x, states=state, training=training)
            prediction = self.dense(x)
            predictions.append(prediction)
        predictions = keras.ops.stack(predictions)
        return keras.ops.transpose(predictions, [1, 0, 2])


def compile_and_fit(model, window, begin):
    x, y = window.train
    model.compile(loss=keras.losses.MeanSquaredError(), optimizer=keras.optimizers.Adam(),
                  metrics=[keras.metrics.MeanAbsoluteError()])
    model(x[:1])
    begin(model)
    early_stopping = keras.callbacks.EarlyStopping(monitor="loss", patience=2, mode="min")
    history = model.fit(x, y, epochs=2, batch_size=16, shuffle=False, callbacks=[early_stopping], verbose=0)
    return history.history, model.predict(x)


def main(begin):
    t = np.arange(80)[:, None]
    train = np.sin(t / np.array([[5.0, 8.0, 13.0]])) + 0.1 * np.cos(t)
    conv_model = keras.Sequential([keras.layers.Conv1D(filters=8, kernel_size=(CONV_WIDTH,), activation="relu"),
                                   keras.layers.Dense(units=8, activation="relu"), keras.layers.Dense(num_features)])
    conv = compile_and_fit(conv_model, WindowGenerator(10 + CONV_WIDTH - 1, 10, 1, train), begin)
    residual_lstm = ResidualWrapper(keras.Sequential([
        keras.layers.LSTM(8, return_sequences=True),
        keras.layers.Dense(num_features, kernel_initializer=keras.initializers.Zeros()),
    ]))
    residual = compile_and_fit(residual_lstm, WindowGenerator(10, 10, 1, train), begin)
    multi_dense = keras.Sequential([keras.layers.Lambda(lambda x: x[:, -1:, :]),
                                    keras.layers.Dense(16, activation="relu"),
                                    keras.layers.Dense(OUT_STEPS * num_features),
                                    keras.layers.Reshape([OUT_STEPS, num_features])])
    multi = compile_and_fit(multi_dense, WindowGenerator(8, OUT_STEPS, OUT_STEPS, train), begin)
    feedback = compile_and_fit(FeedBack(units=8, out_steps=OUT_STEPS), WindowGenerator(8, OUT_STEPS, OUT_STEPS, train),
                               begin)
    return {"conv": conv, "residual": residual, "multi": multi, "feedback": feedback}
