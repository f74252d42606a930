# SPDX-License-Identifier: Apache-2.0
"""Pictures of clothes in 10 classes, in the form of MNIST (Xiao et al. 2017)."""

from __future__ import annotations

import gzip
import os

import numpy as np

from fastrnn.datasets.files import Pair, fetch

__all__ = ["load_data"]


def load_data() -> tuple[Pair, Pair]:
    """The pictures and their classes.

    These are T-shirt, trousers, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    Returns:
        `(x_train, y_train), (x_test, y_test)`; x uint8 `(pictures, 28, 28)`, y uint8 `(pictures,)`.

    Raises:
        OSError: a file cannot be had, or is damaged.
    """
    return _part("train"), _part("t10k")


def _part(name: str) -> Pair:
    labels = np.frombuffer(_content(f"{name}-labels-idx1-ubyte.gz"), np.uint8, offset=8)
    pixels = np.frombuffer(_content(f"{name}-images-idx3-ubyte.gz"), np.uint8, offset=16)
    return pixels.reshape(len(labels), 28, 28), labels


def _content(name: str) -> bytes:
    with gzip.open(fetch(name, cache_subdir=os.path.join("datasets", "fashion-mnist"))) as file:
        return file.read()
