# SPDX-License-Identifier: Apache-2.0
"""Strings to a score, through TextVectorization and strided convolutions; the strings' model is put together at the
end: after keras-io's examples/nlp/text_classification_from_scratch.py."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers

max_features, embedding_dim, sequence_length = 50, 8, 20
REVIEWS = ["this film is a great one and the actors were fine", "one of the worst films that the studio has made",
           "fine acting and a great plot", "the plot is the worst of the year, a bore", "great great great", "a bore!"]


def main(begin):
    text = np.array([[review] for review in REVIEWS * 6])
    label = np.array([1, 0, 1, 0, 1, 0] * 6)
    vectorize_layer = keras.layers.TextVectorization(max_tokens=max_features, output_mode="int",
                                                     output_sequence_length=sequence_length)
    vectorize_layer.adapt(text[:, 0])
    x_train = np.asarray(vectorize_layer(text[:, 0]))

    inputs = keras.Input(shape=(None,), dtype="int64")
    x = layers.Embedding(max_features, embedding_dim)(inputs)
    x = layers.Dropout(0.0)(x)
    x = layers.Conv1D(12, 7, padding="valid", activation="relu", strides=3)(x)
    x = layers.Conv1D(12, 3, padding="valid", activation="relu", strides=1)(x)
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(12, activation="relu")(x)
    x = layers.Dropout(0.0)(x)
    predictions = layers.Dense(1, activation="sigmoid", name="predictions")(x)
    model = keras.Model(inputs, predictions)
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    begin(model)
    history = model.fit(x_train, label, batch_size=12, epochs=2, shuffle=False, verbose=0)

    inputs = keras.Input(shape=(1,), dtype="string")
    indices = vectorize_layer(inputs)
    outputs = model(indices)
    end_to_end_model = keras.Model(inputs, outputs)
    end_to_end_model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    loss, accuracy = end_to_end_model.evaluate(tf.data.Dataset.from_tensor_slices((text, label)).batch(12), verbose=0)
    scores = end_to_end_model.predict(tf.constant(text[:6]))
    return {"history": history.history, "indices": x_train, "loss": loss, "accuracy": accuracy, "scores": scores}
