# SPDX-License-Identifier: Apache-2.0
"""House prices in Boston's suburbs in the 1970s (Harrison & Rubinfeld 1978).

One of the 13 numbers takes for granted that people of one color want to live apart; prefer `california_housing`.
"""

from __future__ import annotations

from fastrnn.datasets.files import Pair, fetch, read_npz, shuffled, split

__all__ = ["load_data"]


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[Pair, Pair]:
    """Thirteen numbers of each place, and the median price of its houses in thousands of dollars.

    Args:
        path: what to call the file in the cache.
        test_split: fraction of the places for the test.
        seed: of their order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`; x `(places, 13)`, y `(places,)`.

    Raises:
        ValueError: `test_split` is no fraction, or the file has another hash.
        OSError: it cannot be had.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    """
    file = read_npz(fetch("boston_housing.npz", path))
    x, y = shuffled(seed, file["x"], file["y"])
    return split(x, y, test_split)
