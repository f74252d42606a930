# SPDX-License-Identifier: Apache-2.0
"""Digits read pixel by pixel by a plain RNN that begins as the identity: after Keras 2's examples/mnist_irnn.py."""

import keras
from keras import initializers
from keras.layers import Activation, Dense, SimpleRNN
from keras.models import Sequential
from keras.optimizers import RMSprop
from sklearn.datasets import load_digits

batch_size = 16
num_classes = 10
hidden_units = 20
learning_rate = 1e-3


def main(begin):
    digits = load_digits()
    x_train = digits.data[:64].reshape(-1, 64, 1).astype("float32") / 16
    y_train = keras.utils.to_categorical(digits.target[:64], num_classes)

    model = Sequential()
    model.add(SimpleRNN(hidden_units,
                        kernel_initializer=initializers.RandomNormal(stddev=0.001),
                        recurrent_initializer=initializers.Identity(gain=1.0),
                        activation="relu",
                        input_shape=x_train.shape[1:]))
    model.add(Dense(num_classes))
    model.add(Activation("softmax"))
    rmsprop = RMSprop(learning_rate=learning_rate)
    model.compile(loss="categorical_crossentropy", optimizer=rmsprop, metrics=["accuracy"])
    begin(model)
    history = model.fit(x_train, y_train, batch_size=batch_size, epochs=2, verbose=0, shuffle=False)
    recurrent = model.layers[0].get_weights()[1]
    return {"history": history.history, "recurrent": recurrent, "predictions": model.predict(x_train)}
