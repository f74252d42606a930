# SPDX-License-Identifier: Apache-2.0
"""Layers frozen, a head put on, and all of it thawed: after the guide "Transfer learning and fine-tuning"."""

import keras
import numpy as np
from keras import layers


def main(begin):
    rng = np.random.default_rng(14)
    x = rng.normal(size=(40, 8, 4)).astype("float32")
    y = (x[:, -1, 0] > 0).astype("float32")
    base_model = keras.Sequential([keras.Input((8, 4)), layers.GRU(10, return_sequences=True, name="gru"),
                                   layers.LSTM(8, name="lstm"), layers.Dense(5, activation="softmax", name="top")])
    begin(base_model)
    base_model.compile("adam", "sparse_categorical_crossentropy")
    before = base_model.fit(x, np.arange(40) % 5, epochs=1, batch_size=8, shuffle=False, verbose=0)
    base_model = keras.Model(base_model.inputs, base_model.get_layer("lstm").output)
    base_model.trainable = False
    counts = [len(base_model.trainable_weights), len(base_model.non_trainable_weights)]

    inputs = keras.Input(shape=(8, 4))
    features = base_model(inputs, training=False)
    features = layers.Dropout(0.0)(features)
    outputs = layers.Dense(1)(features)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(), loss=keras.losses.BinaryCrossentropy(from_logits=True),
                  metrics=[keras.metrics.BinaryAccuracy()])
    begin(model)
    frozen = model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    base_model.trainable = True
    for layer in base_model.layers[:-1]:
        layer.trainable = False
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=keras.losses.BinaryCrossentropy(from_logits=True),
                  metrics=[keras.metrics.BinaryAccuracy()])
    counts += [len(model.trainable_weights), len(model.non_trainable_weights)]
    thawed = model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    return {"before": before.history["loss"], "counts": counts, "frozen": frozen.history, "thawed": thawed.history,
            "predictions": model.predict(x)}
