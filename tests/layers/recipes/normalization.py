# SPDX-License-Identifier: Apache-2.0
"""The recipes of the layers that normalize."""

from __future__ import annotations

from fastrnn.layers import BatchNormalization, RMSNormalization, TimeDistributed, UnitNormalization
from tests.layers.recipes.recipe import D, N, Recipe, T, around, wrapped

RECIPES: dict[str, dict[str, Recipe]] = {
    "BatchNormalization": {"": Recipe(wrapped(BatchNormalization)),
                           "axis": Recipe(wrapped(BatchNormalization, 1, momentum=0.5)),
                           "plain": Recipe(wrapped(BatchNormalization, center=False, scale=False)),
                           "frozen": Recipe(wrapped(BatchNormalization, trainable=False)),
                           "rows": Recipe(wrapped(BatchNormalization), (N, D), masks=False),
                           "pictures": Recipe(wrapped(BatchNormalization), (N, T, 2, D))},
    "TimeDistributed": {"statistics": Recipe(around(TimeDistributed, wrapped(BatchNormalization)))},
    "RMSNormalization": {"": Recipe(wrapped(RMSNormalization)), "axes": Recipe(wrapped(RMSNormalization, [1, 2], 0.5))},
    "UnitNormalization": {"": Recipe(wrapped(UnitNormalization)), "axes": Recipe(wrapped(UnitNormalization, [1, 2]))},
}  # fmt: skip
