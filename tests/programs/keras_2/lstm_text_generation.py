# SPDX-License-Identifier: Apache-2.0
"""Characters of a text, one after the other: after Keras 2's examples/lstm_text_generation.py."""

import numpy as np
from keras.callbacks import LambdaCallback
from keras.layers import LSTM, Dense
from keras.models import Sequential
from keras.optimizers import RMSprop
from keras.utils import get_file

VERSES = """the owl looked down with his great round eyes at the lowering clouds and the darkening skies
a good night for scouting, says he, with never a sound i'll go prowling around"""
maxlen, step = 20, 3


def sample(preds, temperature=1.0):
    # The likeliest after the temperature, where the original draws: a draw would follow the last digit.
    preds = np.asarray(preds).astype("float64")
    preds = np.log(preds) / temperature
    exp_preds = np.exp(preds)
    preds = exp_preds / np.sum(exp_preds)
    return np.argmax(preds)


def main(begin):
    with open("verses.txt", "w", encoding="utf-8") as f:
        f.write(VERSES.upper())
    with open("verses.txt", "rb") as f:
        origin = "file://" + __import__("os").path.realpath(f.name)
    path = get_file("verses.txt", origin=origin, cache_dir=".")
    with open(path, encoding="utf-8") as f:
        text = f.read().lower()
    chars = sorted(set(text))
    char_indices = {c: i for i, c in enumerate(chars)}
    indices_char = dict(enumerate(chars))

    sentences, next_chars = [], []
    for i in range(0, len(text) - maxlen, step):
        sentences.append(text[i : i + maxlen])
        next_chars.append(text[i + maxlen])
    x = np.zeros((len(sentences), maxlen, len(chars)), dtype=bool)
    y = np.zeros((len(sentences), len(chars)), dtype=bool)
    for i, sentence in enumerate(sentences):
        for t, char in enumerate(sentence):
            x[i, t, char_indices[char]] = 1
        y[i, char_indices[next_chars[i]]] = 1

    model = Sequential()
    model.add(LSTM(32, input_shape=(maxlen, len(chars))))
    model.add(Dense(len(chars), activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=RMSprop(learning_rate=0.01))
    begin(model)

    written = []

    def on_epoch_end(epoch, _):
        for diversity in [0.5, 1.2]:
            sentence = text[:maxlen]
            for _ in range(10):
                x_pred = np.zeros((1, maxlen, len(chars)))
                for t, char in enumerate(sentence):
                    x_pred[0, t, char_indices[char]] = 1.0
                preds = model.predict(x_pred, verbose=0)[0]
                sentence = sentence[1:] + indices_char[sample(preds, diversity)]
            written.append(sentence)

    history = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0,
                        callbacks=[LambdaCallback(on_epoch_end=on_epoch_end)])
    return {"loss": history.history["loss"], "written": written, "predictions": model.predict(x, verbose=0)}
