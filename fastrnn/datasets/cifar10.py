# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10: small pictures in 10 classes, 50,000 for training and 10,000 for the test (Krizhevsky 2009)."""

from __future__ import annotations

import os

from fastrnn.datasets import cifar
from fastrnn.datasets.files import Pair, fetch

__all__ = ["load_data"]


def load_data() -> tuple[Pair, Pair]:
    """The pictures and their classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Returns:
        `(x_train, y_train), (x_test, y_test)`; x uint8 `(pictures, 32, 32, 3)`, y uint8 `(pictures, 1)`.

    Raises:
        ValueError: the file has another hash.
        OSError: it cannot be had.
    """
    folder = os.path.join(fetch("cifar-10-python.tar.gz", "cifar-10-batches-py-target", extract=True),
                          "cifar-10-batches-py")
    train = [os.path.join(folder, f"data_batch_{number}") for number in range(1, 6)]
    return cifar.read(train, "labels"), cifar.read([os.path.join(folder, "test_batch")], "labels")
