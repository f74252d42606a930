# SPDX-License-Identifier: Apache-2.0
"""Sequences reconstructed and foretold by two decoders, and anomalies by their error: after Machine Learning Mastery's
"LSTM autoencoders" and curiousily's anomaly detection."""

import numpy as np
from keras.layers import LSTM, Dense, Dropout, Input, RepeatVector, TimeDistributed
from keras.models import Model, Sequential

n_in, features = 9, 2


def main(begin):
    rng = np.random.RandomState(36)
    t = np.arange(80)
    series = np.stack([np.sin(t / 3), np.cos(t / 5)], axis=1) + 0.05 * rng.randn(80, 2)
    seq_in = np.stack([series[i : i + n_in] for i in range(70)])
    seq_out = seq_in[:, 1:, :]
    visible = Input(shape=(n_in, features))
    encoder = LSTM(10, activation="relu")(visible)
    decoder1 = RepeatVector(n_in)(encoder)
    decoder1 = LSTM(10, activation="relu", return_sequences=True)(decoder1)
    decoder1 = TimeDistributed(Dense(features))(decoder1)
    decoder2 = RepeatVector(n_in - 1)(encoder)
    decoder2 = LSTM(10, activation="relu", return_sequences=True)(decoder2)
    decoder2 = TimeDistributed(Dense(features))(decoder2)
    composite = Model(inputs=visible, outputs=[decoder1, decoder2])
    composite.compile(optimizer="adam", loss="mse")
    begin(composite)
    first = composite.fit(seq_in, [seq_in, seq_out], epochs=2, batch_size=14, shuffle=False, verbose=0)

    model = Sequential()
    model.add(LSTM(units=8, input_shape=(seq_in.shape[1], seq_in.shape[2])))
    model.add(Dropout(rate=0.0))
    model.add(RepeatVector(n=seq_in.shape[1]))
    model.add(LSTM(units=8, return_sequences=True))
    model.add(Dropout(rate=0.0))
    model.add(TimeDistributed(Dense(units=seq_in.shape[2])))
    model.compile(loss="mae", optimizer="adam")
    begin(model)
    second = model.fit(seq_in, seq_in, epochs=2, batch_size=14, validation_split=0.1, shuffle=False, verbose=0)
    encoder = Model(inputs=model.inputs, outputs=model.layers[0].output)
    mae_loss = np.mean(np.abs(model.predict(seq_in) - seq_in), axis=1)
    return {"first": first.history["loss"], "second": second.history, "error": mae_loss,
            "vectors": encoder.predict(seq_in),
            "predictions": composite.predict(seq_in)}
