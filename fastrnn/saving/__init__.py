# SPDX-License-Identifier: Apache-2.0
"""Models from and to files: fastrnn's own, Keras's, PyTorch's and ONNX's.

What this module offers is imported when it is first asked for: models need the part that writes, the part that reads
needs models.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastrnn.registry import absent

if TYPE_CHECKING:
    from fastrnn.registered import (
        CustomObjectScope,
        custom_object_scope,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
    )
    from fastrnn.saving.conversion import convert
    from fastrnn.saving.errors import ModelFileError
    from fastrnn.saving.inspection import inspect
    from fastrnn.saving.objects import deserialize_keras_object, serialize_keras_object
    from fastrnn.saving.onnx.export import export_onnx
    from fastrnn.saving.onnx.model import load_onnx
    from fastrnn.saving.reading import load_model
    from fastrnn.saving.torch.reading import from_torch
    from fastrnn.saving.torch.writing import to_torch
    from fastrnn.saving.writing import load_weights, save_model, save_weights

_homes = {
    "CustomObjectScope": "registered", "ModelFileError": "saving.errors", "convert": "saving.conversion",
    "custom_object_scope": "registered", "deserialize_keras_object": "saving.objects",
    "export_onnx": "saving.onnx.export", "from_torch": "saving.torch.reading", "get_custom_objects": "registered",
    "get_registered_name": "registered", "get_registered_object": "registered", "inspect": "saving.inspection",
    "load_model": "saving.reading", "load_onnx": "saving.onnx.model", "load_weights": "saving.writing",
    "register_keras_serializable": "registered", "save_model": "saving.writing", "save_weights": "saving.writing",
    "serialize_keras_object": "saving.objects", "to_torch": "saving.torch.writing",
}  # fmt: skip

__all__ = [
    "CustomObjectScope", "ModelFileError", "convert", "custom_object_scope", "deserialize_keras_object", "export_onnx",
    "from_torch", "get_custom_objects", "get_registered_name", "get_registered_object", "inspect", "load_model",
    "load_onnx", "load_weights", "register_keras_serializable", "save_model", "save_weights", "serialize_keras_object",
    "to_torch",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _homes:
        raise absent(__name__, name, __all__)
    value = globals()[name] = getattr(importlib.import_module(f"fastrnn.{_homes[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
