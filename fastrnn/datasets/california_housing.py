# SPDX-License-Identifier: Apache-2.0
"""House prices in California, 20,640 districts of the census of 1990 (Pace & Barry 1997)."""

from __future__ import annotations

from fastrnn.datasets.files import Pair, fetch, read_npz, shuffled, split

__all__ = ["load_data"]


def load_data(version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
              ) -> tuple[Pair, Pair]:
    """Eight numbers of each district, and the median price of its houses in dollars.

    The numbers are: income, age of the houses, rooms, bedrooms, people, people a household, latitude, longitude.

    Args:
        version: "large", or "small" for the first 600 districts.
        path: what to call the file in the cache.
        test_split: fraction of the districts for the test.
        seed: of their order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`; x `(districts, 8)`, y `(districts,)`.

    Raises:
        ValueError: `version` or `test_split` is another, or the file has another hash.
        OSError: it cannot be had.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data("small")  # doctest: +SKIP
    """
    if version not in ("large", "small"):
        raise ValueError(f"california_housing.load_data: expected version 'large' or 'small', got {version!r}")
    file = read_npz(fetch("california_housing.npz", path))
    count = 600 if version == "small" else None
    x, y = shuffled(seed, file["x"][:count], file["y"][:count])
    return split(x, y, test_split)
