# SPDX-License-Identifier: Apache-2.0
"""Vectors of words from a file, frozen, under convolutions: after Keras 2's examples/pretrained_word_embeddings.py."""

import os

import numpy as np
from keras.initializers import Constant
from keras.layers import Conv1D, Dense, Embedding, GlobalMaxPooling1D, Input, MaxPooling1D
from keras.models import Model
from keras.preprocessing.sequence import pad_sequences
from keras.preprocessing.text import Tokenizer
from keras.utils import to_categorical

TEXTS = ["From: graphics. Rendering of polygons is slow on this card!", "The goalie saved every shot in the game.",
         "Which driver renders textures on that card?", "A game is won by the team with more goals.",
         "Polygons, textures and shots of a rendered scene.", "The team lost; its goalie was slow."] * 8
MAX_SEQUENCE_LENGTH, MAX_NUM_WORDS, EMBEDDING_DIM, VALIDATION_SPLIT = 16, 30, 8, 0.25


def main(begin):
    rng = np.random.RandomState(6)
    words = sorted(set(" ".join(TEXTS).lower().replace(".", "").split()))[2:]
    with open("glove.txt", "w", encoding="utf-8") as f:
        f.writelines(f"{word} {' '.join(f'{v:.4f}' for v in rng.randn(EMBEDDING_DIM))}\n" for word in words)
    embeddings_index = {}
    with open(os.path.join(".", "glove.txt"), encoding="utf-8") as f:
        for line in f:
            word, coefs = line.split(maxsplit=1)
            embeddings_index[word] = np.fromstring(coefs, "f", sep=" ")

    tokenizer = Tokenizer(num_words=MAX_NUM_WORDS)
    tokenizer.fit_on_texts(TEXTS)
    sequences = tokenizer.texts_to_sequences(TEXTS)
    word_index = tokenizer.word_index
    data = pad_sequences(sequences, maxlen=MAX_SEQUENCE_LENGTH)
    labels = to_categorical(np.asarray([0, 1] * 24))

    num_words = min(MAX_NUM_WORDS, len(word_index) + 1)
    embedding_matrix = np.zeros((num_words, EMBEDDING_DIM))
    for word, i in word_index.items():
        vector = embeddings_index.get(word)
        if i < MAX_NUM_WORDS and vector is not None:
            embedding_matrix[i] = vector
    embedding_layer = Embedding(num_words, EMBEDDING_DIM, embeddings_initializer=Constant(embedding_matrix),
                                input_length=MAX_SEQUENCE_LENGTH, trainable=False)
    sequence_input = Input(shape=(MAX_SEQUENCE_LENGTH,), dtype="int32")
    embedded_sequences = embedding_layer(sequence_input)
    before = embedding_layer.get_weights()[0]
    x = Conv1D(12, 3, activation="relu")(embedded_sequences)
    x = MaxPooling1D(2)(x)
    x = Conv1D(12, 3, activation="relu")(x)
    x = GlobalMaxPooling1D()(x)
    x = Dense(8, activation="relu")(x)
    preds = Dense(2, activation="softmax")(x)
    model = Model(sequence_input, preds)
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["acc"])
    begin(model)
    history = model.fit(data, labels, batch_size=12, epochs=2, validation_split=VALIDATION_SPLIT, shuffle=False,
                        verbose=0)
    return {"history": history.history, "vectors": before, "sequences": sequences[:6],
            "predictions": model.predict(data)}
