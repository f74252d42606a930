# SPDX-License-Identifier: Apache-2.0
"""Random numbers, as `keras.random` has them: in a user's own `call` they can be part of what is traced.

`shape` is of whole numbers; `dtype` is a name, `fastrnn.config.floatx()` by default; `seed` is None for the generator
that `fastrnn.utils.set_random_seed` seeds, a whole number for the same values at each call, or a `SeedGenerator`. On
symbols the functions are layers that draw at each call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastrnn.random.choosing import categorical, dropout, shuffle
from fastrnn.random.drawing import beta, binomial, gamma, normal, randint, truncated_normal, uniform
from fastrnn.random.seeds import SeedGenerator
from fastrnn.registry import absent_from

__all__ = ["SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle",
           "truncated_normal", "uniform"]

if not TYPE_CHECKING:
    __getattr__ = absent_from(__name__, __all__)
