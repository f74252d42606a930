# SPDX-License-Identifier: Apache-2.0
"""Share prices: an LSTM reads a month of the S&P 500 and forecasts tomorrow's return, and how much prices will move.

The index's 5,030 days from 1999 to 2018 are those that arch ships; the last 1,000 are held out. A forecast is measured
by the share of the variance that it explains: 1 is all, 0 is what the mean of the days before would give. Returns are
as good as unpredictable, for the LSTM as for anyone. How far prices move in a day, the logarithm of highest by lowest
price, can be forecast, and a linear forecast from the last day, week and month (Corsi 2009) is as hard to beat.

    python examples/shares.py
"""

from __future__ import annotations

import numpy as np
from command_line import folder, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Dense
from fastrnn.models import Model
from fastrnn.utils import set_random_seed

EPOCHS = 20
WINDOW = 22  # days, a month of trading
HELD_OUT = 1000  # days


def series():
    """Dates, and of each day (days, 2) the return and the logarithm of the range, both as logarithms of prices."""
    path = folder("arch", "arch") / "data" / "sp500" / "sp500.csv.gz"
    dates = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0, dtype=str)
    _, high, low, close = np.log(np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2, 3, 4))).T
    return dates[1:], np.stack([np.diff(close), np.log(np.maximum(high - low, 1e-4))[1:]], axis=-1)


def load(small=False):
    """Windows (days, 22, 2) and what follows (days, 2), by mean 0 and deviation 1: to train on, and held out."""
    _, days = series()
    known = days[:-HELD_OUT]
    days = ((days - known.mean(axis=0)) / known.std(axis=0)).astype("float32")
    x = np.lib.stride_tricks.sliding_window_view(days[:-1], WINDOW, axis=0).swapaxes(1, 2).copy()
    y = days[WINDOW:]
    first = -HELD_OUT - 200 if small else None
    return (x[first:-HELD_OUT], y[first:-HELD_OUT]), (x[-HELD_OUT:], y[-HELD_OUT:])


def make_model(units=32):
    days = Input((WINDOW, 2))
    model = Model(days, Dense(2)(LSTM(units)(days)))
    model.compile(loss="mse", optimizer="adam")
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out,
                     verbose=verbose)


def explained(forecast, right):
    """The shares of the variance of return and range that a forecast explains; the earlier days' mean explains 0."""
    return 1 - np.mean((forecast - right) ** 2, axis=0) / np.mean(right**2, axis=0)


def linear(x):
    """The forecasts for windows (days, 22, 2) by least squares from the last day, week and month to train on."""
    (known, y), _ = load()
    return terms(x) @ np.linalg.lstsq(terms(known), y, rcond=None)[0]


def terms(x):
    """The last day, the means of the last week and of the month, and a constant (days, 7)."""
    return np.concatenate([x[:, -1], x[:, -5:].mean(axis=1), x.mean(axis=1), np.ones((len(x), 1))], axis=1)


def results(model, held_out):
    """The shares of the variance that forecasts explain."""
    x, y = held_out
    forecasts = {"LSTM": model.predict(x, verbose=0), "linear forecast": linear(x), "last day": x[:, -1]}
    return {f"explained of the {name} by the {kind}": float(explained(forecast, y)[i])
            for i, name in enumerate(("return", "range")) for kind, forecast in forecasts.items()}


def draw(figure, model, held_out):
    """The returns and ranges of the held-out days, and the forecasts."""
    x, y = held_out
    (dates, days), forecast = series(), model.predict(x, verbose=0)
    known = days[:-HELD_OUT]
    percent = [lambda z: 100 * (z * known.std(axis=0) + known.mean(axis=0))[:, 0],
               lambda z: 100 * np.exp((z * known.std(axis=0) + known.mean(axis=0))[:, 1])]
    for unit, name, axes in zip(percent, ("return", "range"), figure.subplots(2, 1, sharex=True)):
        axes.plot(unit(y), label="was", linewidth=0.7)
        axes.plot(unit(forecast), label="forecast the day before", linewidth=1.2)
        axes.set_ylabel(f"{name} of a day, %")
    axes.set_xticks(range(0, HELD_OUT, 125), dates[-HELD_OUT::125])
    axes.legend()


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "shares", args.out)


if __name__ == "__main__":
    main()
