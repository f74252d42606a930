# SPDX-License-Identifier: Apache-2.0
"""Parts of speech with padding left out of the accuracy by a function: after nlpforhackers' "Build a POS tagger with
an LSTM using Keras"."""

import numpy as np
from keras import backend as K
from keras.layers import LSTM, Activation, Bidirectional, Dense, Embedding, InputLayer, TimeDistributed
from keras.models import Sequential
from keras.optimizers import Adam
from keras.preprocessing.sequence import pad_sequences

TAGGED = ["the/DT dog/NN barks/VB", "a/DT cat/NN sees/VB the/DT dog/NN", "dogs/NN bark/VB",
          "the/DT small/JJ cat/NN sleeps/VB",
          "small/JJ dogs/NN see/VB a/DT cat/NN", "cats/NN sleep/VB"] * 4
MAX_LENGTH = 7


def ignore_class_accuracy(to_ignore=0):
    def ignore_accuracy(y_true, y_pred):
        y_true_class = K.argmax(y_true, axis=-1)
        y_pred_class = K.argmax(y_pred, axis=-1)
        ignore_mask = K.cast(K.not_equal(y_pred_class, to_ignore), "int32")
        matches = K.cast(K.equal(y_true_class, y_pred_class), "int32") * ignore_mask
        return K.sum(matches) / K.maximum(K.sum(ignore_mask), 1)

    return ignore_accuracy


def to_categorical(sequences, categories):
    return np.eye(categories)[np.asarray(sequences)]


def main(begin):
    sentences = [[pair.split("/")[0] for pair in line.split()] for line in TAGGED]
    sentence_tags = [[pair.split("/")[1] for pair in line.split()] for line in TAGGED]
    word2index = {w: i + 2 for i, w in enumerate(sorted({w for s in sentences for w in s}))}
    word2index["-PAD-"], word2index["-OOV-"] = 0, 1
    tag2index = {t: i + 1 for i, t in enumerate(sorted({t for s in sentence_tags for t in s}))}
    tag2index["-PAD-"] = 0
    X = pad_sequences([[word2index[w] for w in s] for s in sentences], maxlen=MAX_LENGTH, padding="post")
    y = pad_sequences([[tag2index[t] for t in s] for s in sentence_tags], maxlen=MAX_LENGTH, padding="post")

    model = Sequential()
    model.add(InputLayer(shape=(MAX_LENGTH,)))
    model.add(Embedding(len(word2index), 12))
    model.add(Bidirectional(LSTM(10, return_sequences=True)))
    model.add(TimeDistributed(Dense(len(tag2index))))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=Adam(0.001),
                  metrics=["accuracy", ignore_class_accuracy(0)])
    begin(model)
    history = model.fit(X, to_categorical(y, len(tag2index)), batch_size=8, epochs=3, validation_split=0.25,
                        shuffle=False,
                        verbose=0)
    scores = model.evaluate(X, to_categorical(y, len(tag2index)), verbose=0)
    return {"history": history.history, "scores": scores, "predictions": model.predict(X)}
