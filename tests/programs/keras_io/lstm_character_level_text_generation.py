# SPDX-License-Identifier: Apache-2.0
"""A character at a time with a Sequential from a list: after keras-io's lstm_character_level_text_generation.py."""

import os

import keras
import numpy as np
from keras import layers

TEXT = "supposing that truth is a woman what then is there not ground for suspecting\nthat all philosophers have"


def main(begin):
    os.makedirs("server")
    with open("server/nietzsche.txt", "w", encoding="utf-8") as f:
        f.write(TEXT * 2)
    path = keras.utils.get_file("nietzsche.txt", origin="file://" + os.path.abspath("server/nietzsche.txt"),
                                cache_dir=os.getcwd())
    with open(path, encoding="utf-8") as f:
        text = f.read().lower()
    text = text.replace("\n", " ")
    chars = sorted(set(text))
    char_indices = {c: i for i, c in enumerate(chars)}
    maxlen, step = 12, 3
    starts = range(0, len(text) - maxlen, step)
    x = np.zeros((len(starts), maxlen, len(chars)), dtype="bool")
    y = np.zeros((len(starts), len(chars)), dtype="bool")
    for i, start in enumerate(starts):
        for t, char in enumerate(text[start : start + maxlen]):
            x[i, t, char_indices[char]] = 1
        y[i, char_indices[text[start + maxlen]]] = 1

    model = keras.Sequential(
        [
            keras.Input(shape=(maxlen, len(chars))),
            layers.LSTM(24),
            layers.Dense(len(chars), activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.RMSprop(learning_rate=0.01)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    begin(model)
    history = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    generated = text[:maxlen]
    for _ in range(8):
        x_pred = np.zeros((1, maxlen, len(chars)))
        for t, char in enumerate(generated[-maxlen:]):
            x_pred[0, t, char_indices[char]] = 1.0
        generated += chars[np.argmax(model.predict(x_pred, verbose=0)[0])]
    return {"loss": history.history["loss"], "generated": generated, "predictions": model.predict(x)}
