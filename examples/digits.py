# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits row by row: an LSTM reads a picture as a sequence of eight rows and names the digit.

The 1,797 digits of 8 × 8 pixels are those that scikit-learn ships; a fifth of them, drawn at random, is held out.

    python examples/digits.py
"""

from __future__ import annotations

import numpy as np
from command_line import need, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Dense
from fastrnn.models import Model
from fastrnn.utils import set_random_seed

EPOCHS = 60
HELD_OUT = 0.2


def load(small=False):
    """Pictures (digits, rows, pixels) and what they show (digits,): to train on, and held out."""
    data = need("sklearn.datasets", "scikit-learn").load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))[: 200 if small else None]
    x, y = (data.images[order] / 16).astype("float32"), data.target[order].astype("int32")
    count = round(len(x) * HELD_OUT)
    return (x[count:], y[count:]), (x[:count], y[:count])


def make_model(units=64):
    rows = Input((8, 8))
    model = Model(rows, Dense(10, activation="softmax")(LSTM(units)(rows)))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out,
                     verbose=verbose)


def results(model, held_out):
    """The share of held-out digits that are named rightly."""
    x, y = held_out
    return {"accuracy": float(np.mean(model.predict(x, verbose=0).argmax(axis=-1) == y))}


def draw(figure, model, held_out):
    """The digits that are named wrongly, or the first where none is."""
    x, y = held_out
    named = model.predict(x, verbose=0).argmax(axis=-1)
    wrong = np.flatnonzero(named != y)
    for i, axes in zip(wrong if len(wrong) else range(len(y)), figure.subplots(2, 6).flat):
        axes.imshow(x[i], cmap="gray_r")
        axes.set_title(f"{y[i]} read as {named[i]}")
    for axes in figure.axes:
        axes.axis("off")


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "digits", args.out)


if __name__ == "__main__":
    main()
