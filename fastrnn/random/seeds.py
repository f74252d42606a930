# SPDX-License-Identifier: Apache-2.0
"""Where random numbers come from."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import runtime


class SeedGenerator:
    """Random numbers of its own, which go on from call to call: for the `seed` of what draws.

    Args:
        seed: a whole number of 0 or more; None draws one from the generator that `fastrnn.utils.set_random_seed` seeds.
        name: of it.

    Raises:
        ValueError: `seed` is no such number.

    Example:

    >>> from fastrnn import random
    >>> one, other = random.SeedGenerator(3), random.SeedGenerator(3)
    >>> bool((random.normal((2,), seed=one) == random.normal((2,), seed=other)).all())
    True
    >>> bool((random.normal((2,), seed=one) == random.normal((2,), seed=one)).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.name = name or "seed_generator"
        self.seed = int(runtime.rng().integers(2**31)) if seed is None else checked(seed)
        self.rng = np.random.Generator(np.random.SFC64(self.seed))

    def next(self) -> int:
        """A seed that was not there before."""
        return int(self.rng.integers(2**31))

    def get_config(self) -> dict[str, Any]:
        """The arguments that build it again."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """Build it from what `get_config` gave."""
        return cls(**config)


def checked(seed: Any) -> int:
    """A seed that is a whole number of 0 or more.

    Raises:
        ValueError: it is none.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed: expected a whole number of 0 or more, a SeedGenerator or None, got {seed!r}")
    return int(seed)


def generator(seed: Any) -> np.random.Generator:
    """The generator that a `seed` stands for: a number begins anew at each call, a `SeedGenerator` goes on, and None is
    the library's.

    Raises:
        ValueError: `seed` is none of these.
    """
    if seed is None:
        return runtime.rng()
    if isinstance(seed, SeedGenerator):
        return seed.rng
    return np.random.Generator(np.random.SFC64(checked(seed)))
