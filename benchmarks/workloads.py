# SPDX-License-Identifier: Apache-2.0
"""The data of the benchmarks, and what every engine defines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cases import Case


def sequences(*shape: int) -> np.ndarray:
    """Normal numbers."""
    return np.random.default_rng(0).standard_normal(shape, dtype="float32")


def charcopy_data(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """One-hot strings of five of 52 letters, and the same rotated by one."""
    letters = np.random.default_rng(0).integers(0, 52, (samples, 5))
    x = np.eye(52, dtype="float32")[letters]
    return x, np.roll(x, -1, axis=1)


def sentiment_data(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Random words in the shape of the film reviews, 100 of 10,000, and random labels."""
    random = np.random.default_rng(0)
    words = random.integers(1, 10000, (samples, 100)).astype("int32")
    return words, random.integers(0, 2, (samples, 1)).astype("float32")


class Unsupported(Exception):
    """The engine has no such thing."""


class Engine:
    """One library. Each method but `program` prepares a case and returns the call to be timed."""

    def __init__(self, threads: int) -> None:
        raise NotImplementedError

    def versions(self) -> str:
        """Names and versions."""
        raise NotImplementedError

    def forward(self, case: Case) -> Callable[[], Any]:
        """The outputs of all steps of one layer."""
        raise Unsupported("inference only of whole models" if case.model else "no such layer")

    def train(self, case: Case) -> Callable[[], Any]:
        """Forward, and the gradients of the input and of all weights."""
        raise Unsupported("inference only")

    def fit(self, case: Case) -> Callable[[], Any]:
        """One update with a batch, the loss included."""
        raise Unsupported("inference only")

    def predict(self, case: Case) -> Callable[[], Any]:
        """A model's output for a batch."""
        raise Unsupported("measured on single layers only")

    def program(self, case: Case, epochs: int) -> list[float]:
        """Seconds of each of so many epochs of training."""
        raise Unsupported("inference only")
