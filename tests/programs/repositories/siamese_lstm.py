# SPDX-License-Identifier: Apache-2.0
"""Likeness of sentences by one LSTM and a Manhattan distance in a Lambda, Adadelta with a clipped norm: after
likejazz/Siamese-LSTM and eliorc's MaLSTM."""

import numpy as np
from keras import backend as K
from keras.layers import LSTM, Embedding, Input, Lambda
from keras.models import Model
from keras.optimizers import Adadelta
from keras.preprocessing.sequence import pad_sequences

n_hidden, gradient_clipping_norm, batch_size, n_epoch, max_seq_length, embedding_dim = 10, 1.25, 8, 3, 8, 6


def exponent_neg_manhattan_distance(left, right):
    return K.exp(-K.sum(K.abs(left - right), axis=1, keepdims=True))


def main(begin):
    rng = np.random.RandomState(30)
    questions = [[rng.randint(1, 30, rng.randint(3, 10)).tolist() for _ in range(40)] for _ in range(2)]
    X = {side: pad_sequences(q, maxlen=max_seq_length) for side, q in zip(["left", "right"], questions)}
    Y = rng.randint(0, 2, 40)
    embeddings = 1 * rng.randn(31, embedding_dim)
    embeddings[0] = 0

    left_input = Input(shape=(max_seq_length,), dtype="int32")
    right_input = Input(shape=(max_seq_length,), dtype="int32")
    embedding_layer = Embedding(len(embeddings), embedding_dim, weights=[embeddings], input_length=max_seq_length,
                                trainable=False)
    encoded_left = embedding_layer(left_input)
    encoded_right = embedding_layer(right_input)
    shared_lstm = LSTM(n_hidden)
    left_output = shared_lstm(encoded_left)
    right_output = shared_lstm(encoded_right)
    malstm_distance = Lambda(function=lambda x: exponent_neg_manhattan_distance(x[0], x[1]),
                             output_shape=lambda x: (x[0][0], 1))([left_output, right_output])
    malstm = Model([left_input, right_input], [malstm_distance])
    optimizer = Adadelta(clipnorm=gradient_clipping_norm, learning_rate=1.0)
    malstm.compile(loss="mean_squared_error", optimizer=optimizer, metrics=["accuracy"])
    begin(malstm)
    malstm_trained = malstm.fit([X["left"], X["right"]], Y, batch_size=batch_size, epochs=n_epoch,
                                validation_data=([X["left"][:8], X["right"][:8]], Y[:8]), shuffle=False, verbose=0)
    return {"history": malstm_trained.history, "predictions": malstm.predict([X["left"], X["right"]])}
