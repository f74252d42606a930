# SPDX-License-Identifier: Apache-2.0
"""TextVectorization of cleaned reviews, and vectors read back: after TensorFlow's tutorial "Word embeddings"."""

import re
import string

import numpy as np
from tensorflow import keras
from tensorflow.keras import Sequential
from tensorflow.keras.layers import Dense, Embedding, GlobalAveragePooling1D, TextVectorization

REVIEWS = ["A great film<br />with a great cast!", "Terrible. Just terrible...", "The cast is great, the plot is not",
           "Not worth the time<br />", "worth every minute; great plot", "a terrible plot"]
vocab_size, sequence_length, embedding_dim = 20, 8, 6


def custom_standardization(review):
    return re.sub(f"[{re.escape(string.punctuation)}]", "", review.lower().replace("<br />", " "))


def main(begin):
    text = np.array([custom_standardization(review) for review in REVIEWS])
    labels = np.array([1, 0, 1, 0, 1, 0])
    vectorize_layer = TextVectorization(standardize=None, max_tokens=vocab_size, output_mode="int",
                                        output_sequence_length=sequence_length)
    vectorize_layer.adapt(text)
    model = Sequential([
        Embedding(vocab_size, embedding_dim, name="embedding"),
        GlobalAveragePooling1D(),
        Dense(16, activation="relu"),
        Dense(1),
    ])
    x = np.asarray(vectorize_layer(text))
    model.build(x.shape)
    model.compile(optimizer="adam", loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    begin(model)
    history = model.fit(x, labels, epochs=3, batch_size=3, shuffle=False, verbose=0)
    weights = model.get_layer("embedding").get_weights()[0]
    return {"history": history.history, "vocabulary": list(map(str, vectorize_layer.get_vocabulary())), "x": x,
            "weights": weights, "predictions": model.predict(x)}
