# SPDX-License-Identifier: Apache-2.0
"""TextVectorization and a fixed matrix of vectors: after keras-io's examples/nlp/pretrained_word_embeddings.py."""

import keras
import numpy as np
from keras import layers

SAMPLES = ["the goalie saves the shot", "polygons render on the card", "a shot on goal",
           "the card renders textures"] * 8
embedding_dim = 6


def main(begin):
    labels = np.array([0, 1, 0, 1] * 8)
    vectorizer = layers.TextVectorization(max_tokens=30, output_sequence_length=10)
    vectorizer.adapt(np.array(SAMPLES))
    voc = vectorizer.get_vocabulary()
    word_index = dict(zip(voc, range(len(voc))))
    rng = np.random.default_rng(20)
    embeddings_index = {word: rng.normal(size=embedding_dim) for word in ["the", "card", "goalie", "shot"]}
    num_tokens = len(voc) + 2
    embedding_matrix = np.zeros((num_tokens, embedding_dim))
    for word, i in word_index.items():
        embedding_vector = embeddings_index.get(word)
        if embedding_vector is not None:
            embedding_matrix[i] = embedding_vector

    embedding_layer = layers.Embedding(num_tokens, embedding_dim, trainable=False)
    embedding_layer.build((1,))
    embedding_layer.set_weights([embedding_matrix])
    int_sequences_input = keras.Input(shape=(None,), dtype="int32")
    embedded_sequences = embedding_layer(int_sequences_input)
    x = layers.Conv1D(8, 3, activation="relu")(embedded_sequences)
    x = layers.MaxPooling1D(2)(x)
    x = layers.Conv1D(8, 3, activation="relu")(x)
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(8, activation="relu")(x)
    x = layers.Dropout(0.0)(x)
    preds = layers.Dense(2, activation="softmax")(x)
    model = keras.Model(int_sequences_input, preds)
    x_train = keras.ops.convert_to_numpy(vectorizer(np.array([[s] for s in SAMPLES])))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="rmsprop", metrics=["acc"])
    begin(model)
    history = model.fit(x_train, labels, batch_size=8, epochs=2, validation_data=(x_train, labels), shuffle=False,
                        verbose=0)
    return {"vocabulary": list(map(str, voc)), "x": x_train, "history": history.history,
            "vectors": embedding_layer.get_weights()[0], "predictions": model.predict(x_train)}
