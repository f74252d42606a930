# SPDX-License-Identifier: Apache-2.0
"""Files in folders to batches, vectors and a score: after TensorFlow's tutorial "Basic text classification"."""

import os

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers, losses

TEXTS = {"neg": ["a dull and boring film", "boring, boring", "the worst of films"],
         "pos": ["a great film", "great, great cast",
         "the best of all films"]}
max_features, sequence_length, batch_size = 20, 6, 3


def main(begin):
    for kind, texts in TEXTS.items():
        os.makedirs(f"aclImdb/train/{kind}")
        for i, text in enumerate(texts):
            with open(f"aclImdb/train/{kind}/{i}.txt", "w", encoding="utf-8") as f:
                f.write(text)
    raw_train_ds = keras.utils.text_dataset_from_directory("aclImdb/train", batch_size=batch_size, shuffle=False)
    texts = np.concatenate([np.asarray(text) for text, _ in raw_train_ds])
    labels = np.concatenate([np.asarray(label) for _, label in raw_train_ds])
    texts = np.array([text.decode() if isinstance(text, bytes) else text for text in texts])
    vectorize_layer = layers.TextVectorization(max_tokens=max_features, output_mode="int",
                                               output_sequence_length=sequence_length)
    vectorize_layer.adapt(texts)
    x = np.asarray(vectorize_layer(texts))
    model = keras.Sequential([layers.Embedding(max_features, 8), layers.Dropout(0.0), layers.GlobalAveragePooling1D(),
                              layers.Dropout(0.0), layers.Dense(1, activation="sigmoid")])
    model.build(x.shape)
    model.compile(loss=losses.BinaryCrossentropy(), optimizer="rmsprop",
                  metrics=[keras.metrics.BinaryAccuracy(threshold=0.5)])
    begin(model)
    train_ds = tf.data.Dataset.from_tensor_slices((x, labels)).batch(batch_size).cache().prefetch(tf.data.AUTOTUNE)
    history = model.fit(train_ds, validation_data=train_ds, epochs=3, verbose=0)
    loss, accuracy = model.evaluate(train_ds, verbose=0)
    return {"names": list(raw_train_ds.class_names), "labels": labels, "x": x, "history": history.history, "loss": loss,
            "accuracy": accuracy, "predictions": model.predict(x)}
