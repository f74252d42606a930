# SPDX-License-Identifier: Apache-2.0
"""Masked reviews, first by mask_zero and then by hand with `keras.ops`: after chapter 16 of Géron's "Hands-On Machine
Learning"."""

from collections import Counter

import numpy as np
from tensorflow import keras

REVIEWS = ["this film was just brilliant casting location scenery story direction", "big hair big boobs bad music",
           "this has to be one of the worst films of the year", "the scots excel at storytelling"] * 8
vocab_size, num_oov_buckets, embed_size = 20, 4, 8


def main(begin):
    vocabulary = Counter(word for review in REVIEWS for word in review.split())
    by_count = sorted(vocabulary.items(), key=lambda w: (-w[1], w[0]))
    truncated_vocabulary = [word for word, count in by_count][:vocab_size]
    word_to_id = {word: index for index, word in enumerate(["<pad>", *truncated_vocabulary])}
    encoded = [[word_to_id.get(word) or vocab_size + 1 + len(word) % num_oov_buckets for word in review.split()]
               for review in REVIEWS]
    X = keras.preprocessing.sequence.pad_sequences(encoded, padding="post")
    y = np.array([1, 0, 0, 1] * 8)
    model = keras.models.Sequential([
        keras.layers.Embedding(vocab_size + num_oov_buckets + 1, embed_size, mask_zero=True, input_shape=[None]),
        keras.layers.GRU(8, return_sequences=True),
        keras.layers.GRU(8),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    begin(model)
    history = model.fit(X, y, epochs=2, batch_size=8, shuffle=False, verbose=0)

    inputs = keras.layers.Input(shape=[None])
    mask = keras.layers.Lambda(lambda inputs: keras.ops.not_equal(inputs, 0))(inputs)
    z = keras.layers.Embedding(vocab_size + num_oov_buckets + 1, embed_size)(inputs)
    z = keras.layers.GRU(8, return_sequences=True)(z, mask=mask)
    z = keras.layers.GRU(8)(z, mask=mask)
    outputs = keras.layers.Dense(1, activation="sigmoid")(z)
    by_hand = keras.models.Model(inputs=[inputs], outputs=[outputs])
    by_hand.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    begin(by_hand)
    again = by_hand.fit(X, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    return {"history": history.history, "by hand": again.history, "predictions": [model.predict(X), by_hand.predict(X)]}
