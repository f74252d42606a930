# SPDX-License-Identifier: Apache-2.0
"""A moving average, with states kept between batches and without: after Keras 2's examples/lstm_stateful.py."""

import numpy as np
from keras.layers import LSTM, Dense, Input
from keras.models import Sequential

input_len = 120
tsteps = 2
lahead = 1
batch_size = 1
epochs = 2


def create_model(stateful):
    model = Sequential()
    model.add(Input(batch_shape=(batch_size, lahead, 1)))
    model.add(LSTM(8, stateful=stateful))
    model.add(Dense(1))
    model.compile(loss="mse", optimizer="adam")
    return model


def main(begin):
    rng = np.random.RandomState(1)
    data_input = rng.uniform(-0.1, 0.1, input_len)
    expected_output = np.convolve(data_input, np.ones(tsteps) / tsteps)[tsteps - 1 : -tsteps + 1]
    x = data_input[tsteps - 1 :].reshape(-1, 1, 1)
    y = expected_output.reshape(-1, 1)
    x_train, y_train, x_test = x[:80], y[:80], x[80:]

    model_stateful = create_model(stateful=True)
    model_stateless = create_model(stateful=False)
    begin(model_stateful, model_stateless)
    losses = []
    for _ in range(epochs):
        history = model_stateful.fit(x_train, y_train, batch_size=batch_size, epochs=1, verbose=0, shuffle=False)
        losses += history.history["loss"]
        for layer in model_stateful.layers:
            if hasattr(layer, "reset_states"):
                layer.reset_states()
    predicted_stateful = model_stateful.predict(x_test, batch_size=batch_size)
    history = model_stateless.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, verbose=0, shuffle=False)
    predicted_stateless = model_stateless.predict(x_test, batch_size=batch_size)
    return {"stateful": losses, "stateless": history.history["loss"],
            "predictions": [predicted_stateful, predicted_stateless]}
