# SPDX-License-Identifier: Apache-2.0
"""Time series: an LSTM reads a tenth of a second of four electrodes on a head and forecasts the next values.

The electroencephalogram of 800 steps is the one that matplotlib ships for its own examples. `TimeseriesGenerator`,
which Keras 2 had, makes batches of windows and what follows them. The last quarter of the recording is held out. The
LSTM is measured by the forecast that nothing changes, and by the best linear one from the same window, which on so
short a recording is hard to beat.

    python examples/time_series.py
"""

from __future__ import annotations

import numpy as np
from command_line import need, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Dense
from fastrnn.models import Model
from fastrnn.preprocessing.sequence import TimeseriesGenerator
from fastrnn.utils import set_random_seed

EPOCHS = 60
CHANNELS = 4
WINDOW = 20  # steps
HELD_OUT = 200  # steps


def load(small=False):
    """The recording (steps, electrodes): the steps to train on, and those held out."""
    with need("matplotlib.cbook", "matplotlib").get_sample_data("eeg.dat") as file:
        series = np.frombuffer(file.read(), dtype="float64").reshape(-1, CHANNELS).astype("float32")
    return series[: 100 if small else -HELD_OUT], series[-HELD_OUT:]


def windows(series, **options):
    """Batches of windows (batch, 20, 4) and of the steps that follow them (batch, 4)."""
    return TimeseriesGenerator(series, series, length=WINDOW, batch_size=32, **options)


def make_model(units=16):
    x = Input((WINDOW, CHANNELS))
    model = Model(x, Dense(CHANNELS)(LSTM(units)(x)))
    model.compile(loss="mse", optimizer="adam")
    return model


def train(model, series, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(windows(series, shuffle=shuffle), epochs=epochs, shuffle=False, validation_data=windows(held_out),
                     verbose=verbose)


def forecast(model, series):
    """The forecasts for all steps but the first 20."""
    return model.predict(windows(series), verbose=0)


def results(model, held_out):
    """The mean squared errors on the held-out steps; the series has a variance of 1."""
    right = held_out[WINDOW:]
    return {"error": float(np.mean((forecast(model, held_out) - right) ** 2)),
            "error if nothing changed": float(np.mean((held_out[WINDOW - 1 : -1] - right) ** 2)),
            "error of the best linear forecast": float(np.mean((linear(held_out) - right) ** 2))}


def linear(held_out):
    """The forecasts for the held-out steps by least squares from the windows to train on."""
    (x, y), z = (stack(windows(series)) for series in (load()[0], held_out))
    return add_one(z[0]) @ np.linalg.lstsq(add_one(x), y, rcond=None)[0]


def stack(batches):
    """All windows and all that follows them."""
    return [np.concatenate(parts) for parts in zip(*(batches[i] for i in range(len(batches))))]


def add_one(x):
    """Windows as rows, with a constant."""
    return np.c_[x.reshape(len(x), -1), np.ones(len(x))]


def draw(figure, model, held_out):
    """What the electrodes recorded, and the forecasts of one step."""
    for i, axes in enumerate(figure.subplots(CHANNELS, 1, sharex=True)):
        axes.plot(held_out[WINDOW:, i], label="recorded")
        axes.plot(forecast(model, held_out)[:, i], label="forecast")
        axes.set_ylabel(f"electrode {i + 1}")
    axes.set_xlabel("step")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    np.random.seed(args.seed)  # by which TimeseriesGenerator shuffles
    series, held_out = load(args.small)
    model = make_model()
    history = train(model, series, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "time_series", args.out)


if __name__ == "__main__":
    main()
