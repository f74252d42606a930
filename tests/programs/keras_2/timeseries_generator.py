# SPDX-License-Identifier: Apache-2.0
"""Windows from TimeseriesGenerator, fast layers by their CuDNN names: after Machine Learning Mastery's "How to use the
TimeseriesGenerator" and sentdex's tutorials."""

import numpy as np
from keras.layers import BatchNormalization, CuDNNGRU, CuDNNLSTM, Dense, Dropout
from keras.models import Sequential
from keras.preprocessing.sequence import TimeseriesGenerator

n_input, n_features = 5, 2


def main(begin):
    series = np.stack([np.arange(60) / 10 % 1, np.sin(np.arange(60) / 4)], axis=1)
    generator = TimeseriesGenerator(series, series, length=n_input, batch_size=8)
    x0, y0 = generator[0]
    model = Sequential()
    model.add(CuDNNLSTM(10, input_shape=(n_input, n_features), return_sequences=True))
    model.add(Dropout(0.0))
    model.add(BatchNormalization())
    model.add(CuDNNGRU(8))
    model.add(Dense(n_features))
    model.compile(optimizer="adam", loss="mse")
    begin(model)
    losses = []
    for _ in range(2):
        for i in range(len(generator)):
            x, y = generator[i]
            losses.append(model.train_on_batch(x, y))
    return {"count": len(generator), "x": x0, "y": y0, "loss": losses, "predictions": model.predict(x0)}
