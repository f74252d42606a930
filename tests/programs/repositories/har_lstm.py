# SPDX-License-Identifier: Apache-2.0
"""What a person does, from nine signals of a phone: stacked LSTMs, with l2 and a confusion matrix: after
guillaume-chevalier/LSTM-Human-Activity-Recognition and its many Keras versions."""

import numpy as np
from keras import regularizers
from keras.layers import LSTM, BatchNormalization, Dense, Dropout
from keras.models import Sequential
from keras.optimizers import Adam
from keras.utils import to_categorical

LABELS = ["WALKING", "SITTING", "STANDING", "LAYING"]
n_steps, n_input, n_hidden, lambda_loss_amount = 16, 9, 8, 0.0015


def main(begin):
    rng = np.random.RandomState(31)
    kinds = rng.randint(0, len(LABELS), 64)
    t = np.arange(n_steps)[:, None]
    waves = np.stack([np.sin(t * (k + 1) / 5 + np.arange(n_input)) for k in kinds])
    signals = waves + 0.2 * rng.randn(64, n_steps, n_input)
    y = to_categorical(kinds)
    model = Sequential()
    model.add(LSTM(n_hidden, return_sequences=True, input_shape=(n_steps, n_input), unit_forget_bias=True,
                   kernel_regularizer=regularizers.l2(lambda_loss_amount)))
    model.add(BatchNormalization())
    model.add(LSTM(n_hidden, kernel_regularizer=regularizers.l2(lambda_loss_amount)))
    model.add(Dropout(0.0))
    model.add(Dense(len(LABELS), activation="softmax", kernel_regularizer=regularizers.l2(lambda_loss_amount)))
    model.compile(optimizer=Adam(learning_rate=0.0025), loss="categorical_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit(signals[:48], y[:48], batch_size=16, epochs=3, validation_data=(signals[48:], y[48:]),
                        shuffle=False, verbose=0)
    predictions = model.predict(signals[48:])
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (kinds[48:], predictions.argmax(1)), 1)
    return {"history": history.history, "confusion": confusion, "predictions": predictions}
