# SPDX-License-Identifier: Apache-2.0
"""By class, the forms of each layer of the table that go different ways; a file for each family of layers."""

from __future__ import annotations

import importlib
import pkgutil

from tests.layers.recipes.recipe import D, N, Recipe, T, V

__all__ = ["RECIPES", "D", "N", "Recipe", "T", "V"]

RECIPES: dict[str, dict[str, Recipe]] = {}
for _found in pkgutil.iter_modules(__path__):
    for _name, _forms in getattr(importlib.import_module(f"{__name__}.{_found.name}"), "RECIPES", {}).items():
        RECIPES.setdefault(_name, {}).update(_forms)
