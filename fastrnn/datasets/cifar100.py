# SPDX-License-Identifier: Apache-2.0
"""CIFAR-100: small pictures in 100 classes, or 20 coarse ones (Krizhevsky 2009)."""

from __future__ import annotations

import os

from fastrnn.datasets import cifar
from fastrnn.datasets.files import Pair, fetch

__all__ = ["load_data"]


def load_data(label_mode: str = "fine") -> tuple[Pair, Pair]:
    """The pictures and their classes.

    Args:
        label_mode: "fine" for the 100 classes, "coarse" for the 20.

    Returns:
        `(x_train, y_train), (x_test, y_test)`; x uint8 `(pictures, 32, 32, 3)`, y uint8 `(pictures, 1)`.

    Raises:
        ValueError: `label_mode` is another, or the file has another hash.
        OSError: it cannot be had.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data("coarse")  # doctest: +SKIP
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f"cifar100.load_data: expected label_mode 'fine' or 'coarse', got {label_mode!r}")
    folder = os.path.join(fetch("cifar-100-python.tar.gz", "cifar-100-python-target", extract=True), "cifar-100-python")
    train, test = (cifar.read([os.path.join(folder, name)], f"{label_mode}_labels") for name in ("train", "test"))
    return train, test
