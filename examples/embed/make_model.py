# SPDX-License-Identifier: Apache-2.0
"""Trains a model that is given the height of the tide each hour, and says what it is an hour later."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fastrnn
from fastrnn.layers import GRU, Dense

MODEL = Path(__file__).with_name("forecaster") / "model.safetensors"
#: Hours from one high tide to the next: that of the moon, and that of the sun, half as high.
PERIODS, HEIGHTS = np.array([12.42, 12.0]), np.array([1.0, 0.5])


def tides(places: int, hours: int, rng: np.random.Generator) -> np.ndarray:
    """Heights of the tide in metres, (places, hours), float32, each place at its own hour of the moon and the sun."""
    angles = rng.uniform(0, 2 * np.pi, (places, 1, 2)) + 2 * np.pi * np.arange(hours)[:, None] / PERIODS
    return (np.cos(angles) @ HEIGHTS).astype("float32")


def make_model(epochs: int = 30, seed: int = 0) -> tuple[fastrnn.Sequential, float]:
    """The trained model, and its mean error an hour ahead in metres, at places that it was not trained on."""
    fastrnn.utils.set_random_seed(seed)
    heights = tides(512, 97, np.random.default_rng(seed))
    x, y = heights[:, :-1, None], heights[:, 1:, None]
    model = fastrnn.Sequential([fastrnn.Input((None, 1)), GRU(32, return_sequences=True), Dense(1)])
    model.compile(fastrnn.optimizers.Adam(0.01), "mse")
    model.fit(x[:448], y[:448], epochs=epochs, batch_size=64, verbose=0)
    error = np.abs(model.predict(x[448:], verbose=0) - y[448:])[:, 24:].mean()
    return model, float(error)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=MODEL)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    model, error = make_model(arguments.epochs)
    model.save(arguments.out)
    print(f"an hour ahead: off by {100 * error:.1f} cm at new places; saved as {arguments.out}")
