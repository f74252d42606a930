# SPDX-License-Identifier: Apache-2.0
"""What `make valgrind` runs: each cell forward and back on odd sizes, with masks, dropout and states; other layers, a
short training, a stream."""

from __future__ import annotations

import numpy as np

import fastrnn
from fastrnn import layers

fastrnn.set_num_threads(2)
rng = np.random.default_rng(0)
for N, T, D, H in [(1, 1, 1, 1), (3, 4, 7, 5), (9, 2, 3, 17)]:
    x = rng.standard_normal((N, T, D), "float32")
    mask = rng.random((N, T)) < 0.7
    for make, states in [(layers.SimpleRNN, 1), (layers.LSTM, 2), (layers.GRU, 1), (layers.MinGRU, 1)]:
        recurrent = {"recurrent_dropout": 0.3} if make.has_recurrent_kernel else {}
        layer = make(H, return_sequences=True, dropout=0.3, **recurrent)
        for given in (None, [rng.standard_normal((N, H), "float32") for _ in range(states)]):
            for masked in (None, mask):
                layer(x, mask=masked, initial_state=given)
                layer.backward(layer(x, training=True, mask=masked, initial_state=given))
    for other in (layers.Bidirectional(layers.GRU(H)), layers.Dense(H, "softmax"), layers.Conv1D(H, 1)):
        other.backward(other(x, training=True))
model = fastrnn.Sequential([layers.Embedding(9, 3, mask_zero=True), layers.LSTM(5), layers.Dense(3, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(rng.integers(0, 9, (7, 4)), rng.integers(0, 3, 7), epochs=2, batch_size=3, verbose=0)
stream = model.freeze().stream(3)
stream.feed(rng.integers(0, 9, (3, 4)), lengths=[4, 0, 2])
stream.step(rng.integers(0, 9, 2), slots=[2, 0])
