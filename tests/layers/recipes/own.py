# SPDX-License-Identifier: Apache-2.0
"""Recipes of layers whose code is a user's own."""

from __future__ import annotations

from fastrnn import ops, utils
from fastrnn.layers import ActivityRegularization, Lambda
from tests.layers.recipes.recipe import Recipe, wrapped


@utils.register_keras_serializable("tests")
def squares(x):
    return ops.exp(x * x * 0.1) + x


@utils.register_keras_serializable("tests")
def softened(x):
    return x / (1 + ops.sum(x * x, axis=-1, keepdims=True))


RECIPES = {
    "ActivityRegularization": {"": Recipe(wrapped(ActivityRegularization, 0.1, 0.2))},
    "Lambda": {"": Recipe(wrapped(Lambda, squares), masks=False),
               "rows": Recipe(wrapped(Lambda, softened), masks=False)},
}
