# SPDX-License-Identifier: Apache-2.0
"""Reviews as sets, counts and weights of words, and as sequences: after chapter 11 of the second edition of Chollet's
"Deep Learning with Python"."""

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.layers import TextVectorization

REVIEWS = np.array(["I write, erase, rewrite", "Erase again, and then", "A poppy blooms.",
                    "the cat sat on the mat"] * 6)
max_tokens = 24


def get_model(max_tokens, hidden_dim=8):
    inputs = keras.Input(shape=(max_tokens,))
    x = layers.Dense(hidden_dim, activation="relu")(inputs)
    x = layers.Dropout(0.0)(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main(begin):
    labels = np.array([0, 0, 1, 1] * 6)
    found = {}
    for name, options in {"binary": {"output_mode": "multi_hot"}, "bigrams": {"ngrams": 2, "output_mode": "multi_hot"},
                          "counts": {"ngrams": 2, "output_mode": "count"},
                          "weights": {"output_mode": "tf_idf"}}.items():
        text_vectorization = TextVectorization(max_tokens=max_tokens, pad_to_max_tokens=True, **options)
        text_vectorization.adapt(REVIEWS)
        x = keras.ops.convert_to_numpy(text_vectorization(REVIEWS))
        model = get_model(max_tokens)
        begin(model)
        history = model.fit(x, labels, epochs=2, batch_size=6, shuffle=False, verbose=0)
        found[name] = [x[:4], history.history, model.predict(x)]

    text_vectorization = TextVectorization(max_tokens=max_tokens, output_mode="int", output_sequence_length=8)
    text_vectorization.adapt(REVIEWS)
    x = keras.ops.convert_to_numpy(text_vectorization(REVIEWS))
    inputs = keras.Input(shape=(None,), dtype="int64")
    embedded = layers.Embedding(input_dim=max_tokens, output_dim=8, mask_zero=True)(inputs)
    h = layers.Bidirectional(layers.LSTM(6))(embedded)
    h = layers.Dropout(0.0)(h)
    outputs = layers.Dense(1, activation="sigmoid")(h)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit(x, labels, epochs=2, batch_size=6, shuffle=False, verbose=0)
    return {**found, "sequences": x, "history": history.history, "predictions": model.predict(x)}
