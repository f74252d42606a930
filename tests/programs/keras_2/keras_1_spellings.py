# SPDX-License-Identifier: Apache-2.0
"""A model as Keras 1 wrote it: module paths, `merge(mode=)`, `nb_epoch`, `output_dim`, `input=` and `output=`,
`predict_classes`: after many programs of 2015 to 2017."""

import numpy as np
from keras.layers import Input, merge
from keras.layers.core import Activation, Dense, Dropout
from keras.layers.embeddings import Embedding
from keras.layers.recurrent import GRU, LSTM
from keras.layers.wrappers import Bidirectional, TimeDistributed
from keras.models import Model, Sequential
from keras.optimizers import RMSprop
from keras.utils.np_utils import to_categorical

vocabulary, hidden = 20, 8


def main(begin):
    rng = np.random.RandomState(42)
    X = rng.randint(1, vocabulary, (40, 6))
    y = to_categorical(X[:, -1] % 4, 4)
    model = Sequential()
    model.add(Embedding(vocabulary, hidden, input_length=6))
    model.add(LSTM(hidden, return_sequences=True))
    model.add(TimeDistributed(Dense(hidden)))
    model.add(Dropout(0.0))
    model.add(GRU(output_dim=hidden, activation="tanh"))
    model.add(Dense(4))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.01), metrics=["accuracy"])
    model.build((None, 6))
    begin(model)
    history = model.fit(X, y, batch_size=10, nb_epoch=2, verbose=0, shuffle=False)
    classes = model.predict_classes(X)
    proba = model.predict_proba(X)

    sequence = Input(shape=(6,), dtype="int32")
    embedded = Embedding(vocabulary, hidden, input_length=6)(sequence)
    forwards = LSTM(hidden)(embedded)
    backwards = LSTM(hidden, go_backwards=True)(embedded)
    merged = merge([forwards, backwards], mode="concat", concat_axis=-1)
    total = merge([forwards, backwards], mode="sum")
    product = merge([forwards, backwards], mode="mul")
    both = Bidirectional(LSTM(hidden))(embedded)
    output = Dense(4, activation="softmax")(merge([merged, total, product, both], mode="concat"))
    graph = Model(input=sequence, output=output)
    graph.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    begin(graph)
    second = graph.fit(X, y, batch_size=10, nb_epoch=2, verbose=0, shuffle=False)
    return {"history": history.history, "classes": classes, "proba": proba, "second": second.history,
            "predictions": graph.predict(X)}
