# SPDX-License-Identifier: Apache-2.0
"""A memory network with two Sequentials that read the story: after Keras 2's examples/babi_memnn.py."""

import numpy as np
from keras.layers import LSTM, Activation, Dense, Dropout, Input, Permute, add, concatenate, dot
from keras.layers.embeddings import Embedding
from keras.models import Model, Sequential

vocab_size, story_maxlen, query_maxlen = 22, 15, 4


def main(begin):
    rng = np.random.RandomState(4)
    inputs_train = rng.randint(1, vocab_size, (64, story_maxlen))
    queries_train = rng.randint(1, vocab_size, (64, query_maxlen))
    answers_train = (inputs_train[:, 2] + queries_train[:, 0]) % vocab_size

    input_sequence = Input((story_maxlen,))
    question = Input((query_maxlen,))
    input_encoder_m = Sequential()
    input_encoder_m.add(Embedding(input_dim=vocab_size, output_dim=16))
    input_encoder_m.add(Dropout(0.0))
    input_encoder_c = Sequential()
    input_encoder_c.add(Embedding(input_dim=vocab_size, output_dim=query_maxlen))
    input_encoder_c.add(Dropout(0.0))
    question_encoder = Sequential()
    question_encoder.add(Embedding(input_dim=vocab_size, output_dim=16, input_length=query_maxlen))
    question_encoder.add(Dropout(0.0))

    input_encoded_m = input_encoder_m(input_sequence)
    input_encoded_c = input_encoder_c(input_sequence)
    question_encoded = question_encoder(question)
    match = dot([input_encoded_m, question_encoded], axes=(2, 2))
    match = Activation("softmax")(match)
    response = add([match, input_encoded_c])
    response = Permute((2, 1))(response)
    answer = concatenate([response, question_encoded])
    answer = LSTM(16)(answer)
    answer = Dropout(0.0)(answer)
    answer = Dense(vocab_size)(answer)
    answer = Activation("softmax")(answer)

    model = Model([input_sequence, question], answer)
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit([inputs_train, queries_train], answers_train, batch_size=16, epochs=3, shuffle=False, verbose=0,
                        validation_data=([inputs_train[:8], queries_train[:8]], answers_train[:8]))
    return {"history": history.history, "predictions": model.predict([inputs_train, queries_train])}
