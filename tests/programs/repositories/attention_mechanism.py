# SPDX-License-Identifier: Apache-2.0
"""Attention over time by Permute, Dense and multiply, and its activations read out: after
philipperemy/keras-attention-mechanism."""

import numpy as np
from keras.layers import LSTM, Dense, Flatten, Input, Permute, multiply
from keras.models import Model

INPUT_DIM, TIME_STEPS, SINGLE_ATTENTION_VECTOR = 2, 8, False


def get_data_recurrent(n, attention_column=4):
    rng = np.random.RandomState(34)
    x = rng.standard_normal(size=(n, TIME_STEPS, INPUT_DIM))
    y = rng.randint(low=0, high=2, size=(n, 1))
    x[:, attention_column, :] = np.tile(y[:], (1, INPUT_DIM))
    return x, y


def attention_3d_block(inputs):
    a = Permute((2, 1))(inputs)
    a = Dense(TIME_STEPS, activation="softmax")(a)
    a_probs = Permute((2, 1), name="attention_vec")(a)
    return multiply([inputs, a_probs], name="attention_mul")


def model_attention_applied_after_lstm():
    inputs = Input(shape=(TIME_STEPS, INPUT_DIM))
    lstm_out = LSTM(6, return_sequences=True)(inputs)
    attention_mul = Flatten()(attention_3d_block(lstm_out))
    output = Dense(1, activation="sigmoid")(attention_mul)
    return Model(inputs=[inputs], outputs=output)


def model_attention_applied_before_lstm():
    inputs = Input(shape=(TIME_STEPS, INPUT_DIM))
    attention_mul = attention_3d_block(inputs)
    output = Dense(1, activation="sigmoid")(LSTM(6, return_sequences=False)(attention_mul))
    return Model(inputs=[inputs], outputs=output)


def main(begin):
    inputs_1, outputs = get_data_recurrent(48)
    found = {}
    for build in model_attention_applied_before_lstm, model_attention_applied_after_lstm:
        m = build()
        m.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
        begin(m)
        history = m.fit([inputs_1], outputs, epochs=2, batch_size=16, validation_split=0.1, shuffle=False, verbose=0)
        vectors = Model(m.inputs, m.get_layer("attention_vec").output).predict(inputs_1)
        found[build.__name__] = [history.history, vectors.mean(axis=2), m.predict(inputs_1)]
    return found
