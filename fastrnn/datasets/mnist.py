# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits: 60,000 pictures for training, 10,000 for the test (LeCun et al. 1998)."""

from __future__ import annotations

from fastrnn.datasets.files import Pair, fetch, read_npz

__all__ = ["load_data"]


def load_data(path: str = "mnist.npz") -> tuple[Pair, Pair]:
    """The pictures and the digits on them.

    Args:
        path: what to call the file in the cache.

    Returns:
        `(x_train, y_train), (x_test, y_test)`; x uint8 `(pictures, 28, 28)`, y uint8 `(pictures,)`.

    Raises:
        ValueError: the file has another hash.
        OSError: it cannot be had.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    """
    file = read_npz(fetch("mnist.npz", path))
    return (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])
