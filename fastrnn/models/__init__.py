# SPDX-License-Identifier: Apache-2.0
"""Models: layers put together, trained and used as one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastrnn.models.cloning import clone_model, model_from_json
from fastrnn.models.model import Model
from fastrnn.models.sequential import Sequential
from fastrnn.registry import absent_from

if TYPE_CHECKING:
    from fastrnn.saving import load_model, save_model

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

_older = absent_from(__name__, __all__)


def __getattr__(name: str) -> Any:
    if name in __all__:     # Keras's other names of what is in `saving`
        return getattr(importlib.import_module("fastrnn.saving"), name)
    return _older(name)
