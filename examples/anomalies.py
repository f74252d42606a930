# SPDX-License-Identifier: Apache-2.0
"""Anomaly detection: an autoencoder that has learned to write zeros fails at other digits, and so finds them.

An LSTM reads a handwritten digit row by row into 16 numbers; another writes the rows again. It is trained on zeros
alone, four in five of those that scikit-learn ships. A digit that it writes badly is an anomaly.

    python examples/anomalies.py
"""

from __future__ import annotations

import numpy as np
from command_line import need, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Dense, RepeatVector
from fastrnn.models import Model
from fastrnn.utils import set_random_seed

EPOCHS = 200


def load(small=False):
    """Zeros (digits, rows, pixels) to train on; other zeros and other digits, and which are none."""
    data = need("sklearn.datasets", "scikit-learn").load_digits()
    x, other = (data.images / 16).astype("float32"), data.target != 0
    zeros = x[~other]
    count = len(zeros) // 5
    count_other = 50 if small else None
    held_out = np.concatenate([zeros[:count], x[other][:count_other]])
    return zeros[count:], (held_out, np.arange(len(held_out)) >= count)


def make_model(units=16):
    rows = Input((8, 8))
    written = LSTM(32, return_sequences=True)(RepeatVector(8)(LSTM(units)(rows)))
    model = Model(rows, Dense(8)(written))
    model.compile(loss="mse", optimizer="adam")
    return model


def train(model, zeros, held_out, epochs, shuffle=True, verbose=1):
    x, other = held_out
    return model.fit(zeros, zeros, epochs=epochs, batch_size=16, shuffle=shuffle,
                     validation_data=(x[~other], x[~other]), verbose=verbose)


def errors(model, x):
    """How badly each digit is written again: the mean squared error of its pixels."""
    return np.mean((model.predict(x, verbose=0) - x) ** 2, axis=(1, 2))


def results(model, held_out):
    """How often another digit is written worse than a zero (1 is always, 0.5 is chance)."""
    x, other = held_out
    error = errors(model, x)
    return {"another digit is written worse": float(np.mean(error[other][:, None] > error[~other]))}


def draw(figure, model, held_out):
    """How badly zeros and other digits are written again."""
    x, other = held_out
    error, axes = errors(model, x), figure.subplots()
    bins = np.linspace(0, error.max(), 50)
    axes.hist([error[~other], error[other]], bins, density=True, label=["zeros, not trained on", "other digits"])
    axes.set(xlabel="mean squared error", ylabel="density")
    axes.legend()


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    zeros, held_out = load(args.small)
    model = make_model()
    history = train(model, zeros, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "anomalies", args.out)


if __name__ == "__main__":
    main()
