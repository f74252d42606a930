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
    from fastrnn.saving.conversion import convert
    from fastrnn.saving.errors import ModelFileError
    from fastrnn.saving.inspection import inspect
    from fastrnn.saving.onnx.export import export_onnx
    from fastrnn.saving.onnx.model import load_onnx
    from fastrnn.saving.reading import load_model
    from fastrnn.saving.torch.reading import from_torch
    from fastrnn.saving.torch.writing import to_torch
    from fastrnn.saving.writing import load_weights, save_model, save_weights

_homes = {"ModelFileError": "errors", "convert": "conversion", "export_onnx": "onnx.export",
          "from_torch": "torch.reading", "inspect": "inspection", "load_model": "reading", "load_onnx": "onnx.model",
          "load_weights": "writing", "save_model": "writing", "save_weights": "writing", "to_torch": "torch.writing"}

__all__ = ["ModelFileError", "convert", "export_onnx", "from_torch", "inspect", "load_model", "load_onnx",
           "load_weights", "save_model", "save_weights", "to_torch"]


def __getattr__(name: str) -> Any:
    if name not in _homes:
        raise absent(__name__, name, __all__)
    value = globals()[name] = getattr(importlib.import_module(f"fastrnn.saving.{_homes[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
