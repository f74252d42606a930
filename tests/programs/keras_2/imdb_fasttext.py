# SPDX-License-Identifier: Apache-2.0
"""Bigrams as further words, averaged: after Keras 2's examples/imdb_fasttext.py."""

import numpy as np
from keras.layers import Dense, Embedding, GlobalAveragePooling1D
from keras.models import Sequential
from keras.preprocessing import sequence

max_features, maxlen, ngram_range = 40, 24, 2


def create_ngram_set(input_list, ngram_value=2):
    return set(zip(*[input_list[i:] for i in range(ngram_value)]))


def add_ngram(sequences, token_indice, ngram_range=2):
    new_sequences = []
    for input_list in sequences:
        new_list = input_list[:]
        for ngram_value in range(2, ngram_range + 1):
            for i in range(len(new_list) - ngram_value + 1):
                ngram = tuple(new_list[i : i + ngram_value])
                if ngram in token_indice:
                    new_list.append(token_indice[ngram])
        new_sequences.append(new_list)
    return new_sequences


def main(begin):
    rng = np.random.RandomState(9)
    x_train = [rng.randint(1, max_features, rng.randint(4, 14)).tolist() for _ in range(60)]
    y_train = np.array([max(words) > 35 for words in x_train])
    ngram_set = sorted(set().union(*(create_ngram_set(words) for words in x_train)))
    token_indice = {v: k + max_features for k, v in enumerate(ngram_set)}
    x_train = sequence.pad_sequences(add_ngram(x_train, token_indice, ngram_range), maxlen=maxlen)

    model = Sequential()
    model.add(Embedding(max_features + len(ngram_set), 10, input_length=maxlen))
    model.add(GlobalAveragePooling1D())
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.build((None, maxlen))
    begin(model)
    history = model.fit(x_train, y_train, batch_size=12, epochs=3, validation_data=(x_train, y_train), shuffle=False,
                        verbose=0)
    return {"history": history.history, "predictions": model.predict(x_train)}
