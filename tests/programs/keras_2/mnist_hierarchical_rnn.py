# SPDX-License-Identifier: Apache-2.0
"""Digits, read as rows of pixels and then as a column of rows: after Keras 2's examples/mnist_hierarchical_rnn.py."""

from keras.layers import LSTM, Dense, Input, TimeDistributed
from keras.models import Model
from keras.utils import to_categorical
from sklearn.datasets import load_digits

num_classes = 10
row_hidden = 12
col_hidden = 12


def main(begin):
    digits = load_digits()
    x = digits.images[:128].reshape(-1, 8, 8, 1).astype("float32") / 16
    y = to_categorical(digits.target[:128], num_classes)
    x_train, y_train, x_test, y_test = x[:96], y[:96], x[96:], y[96:]
    row, col, pixel = x_train.shape[1:]

    x = Input(shape=(row, col, pixel))
    encoded_rows = TimeDistributed(LSTM(row_hidden))(x)
    encoded_columns = LSTM(col_hidden)(encoded_rows)
    prediction = Dense(num_classes, activation="softmax")(encoded_columns)
    model = Model(x, prediction)
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    begin(model)
    history = model.fit(x_train, y_train, batch_size=32, epochs=3, verbose=0, shuffle=False,
                        validation_data=(x_test, y_test))
    scores = model.evaluate(x_test, y_test, verbose=0)
    return {"history": history.history, "loss": scores[0], "accuracy": scores[1], "predictions": model.predict(x_test)}
