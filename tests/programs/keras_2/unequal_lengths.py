# SPDX-License-Identifier: Apache-2.0
"""Sequences of unequal lengths behind Masking, weights for time steps, and batches trained one by one with a progress
bar: after Keras 2's documentation of Masking and answers about it."""

import numpy as np
from keras.layers import GRU, LSTM, Bidirectional, Dense, Masking, TimeDistributed
from keras.models import Sequential, model_from_json
from keras.optimizers import Adagrad
from keras.preprocessing.sequence import pad_sequences
from keras.utils import Progbar

special_value = -10.0
max_seq_len, dimension = 9, 3


def main(begin):
    rng = np.random.RandomState(46)
    sequences = [rng.rand(length, dimension) for length in rng.randint(3, max_seq_len + 1, 32)]
    Xpad = pad_sequences(sequences, maxlen=max_seq_len, dtype="float32", padding="post", value=special_value)
    y = np.cumsum(np.where(Xpad[..., :1] == special_value, 0, Xpad[..., :1]), axis=1)
    model = Sequential()
    model.add(Masking(mask_value=special_value, input_shape=(max_seq_len, dimension)))
    model.add(Bidirectional(LSTM(6, return_sequences=True), merge_mode="ave"))
    model.add(GRU(6, return_sequences=True))
    model.add(TimeDistributed(Dense(1)))
    model.compile(loss="mse", optimizer=Adagrad(learning_rate=0.05), metrics=["mae"])
    begin(model)
    losses, progbar = [], Progbar(2 * 4, verbose=0)
    for _ in range(2):
        for i in range(0, 32, 8):
            loss, mae = model.train_on_batch(Xpad[i : i + 8], y[i : i + 8])
            progbar.add(1, values=[("loss", loss)])
            losses.append([loss, mae])
    weighted = model.fit(Xpad, y, sample_weight=np.outer(np.linspace(0.2, 1.8, 32), np.ones(max_seq_len)),
                         batch_size=8, shuffle=False, verbose=0)
    test = model.test_on_batch(Xpad, y)
    copy = model_from_json(model.to_json())
    copy.set_weights(model.get_weights())
    return {"losses": losses, "weighted": weighted.history["loss"], "test": test, "copy": copy.predict_on_batch(Xpad),
            "predictions": model.predict(Xpad)}
