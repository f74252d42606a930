# SPDX-License-Identifier: Apache-2.0
"""How a layer of the table is made for the tests of what all layers do alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

N, T, D, V = 2, 3, 4, 7


class Recipe(NamedTuple):
    """How a layer is made, and what it takes."""

    make: Callable[..., Any]            # with keywords for every layer
    shape: Any = (N, T, D)              # a list of those of several inputs
    masks: bool = True
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray] | None = None    # of what is not numbers


def wrapped(layer: type, *arguments: Any, **options: Any) -> Callable[..., Any]:
    return lambda **keywords: layer(*arguments, **options, **keywords)


def around(wrapper: type, inner: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return lambda **keywords: wrapper(inner(**keywords), **options, **keywords)
