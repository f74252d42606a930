# SPDX-License-Identifier: Apache-2.0
"""Helpers around a model: files and data sets, one-hot targets, seeds, pictures, progress.

What this module offers is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastrnn.registry import absent_from

if TYPE_CHECKING:
    from fastrnn.backend import clear_session, get_uid, is_keras_tensor
    from fastrnn.models.drawing import model_to_dot, plot_model
    from fastrnn.preprocessing.sequence import pad_sequences
    from fastrnn.registered import (
        CustomObjectScope,
        custom_object_scope,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
    )
    from fastrnn.saving import deserialize_keras_object, serialize_keras_object
    from fastrnn.utils.categorical import normalize, to_categorical
    from fastrnn.utils.dataset import Dataset
    from fastrnn.utils.files import get_file
    from fastrnn.utils.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
    from fastrnn.utils.progbar import Progbar
    from fastrnn.utils.py_dataset import PyDataset, Sequence
    from fastrnn.utils.seeds import set_random_seed
    from fastrnn.utils.splitting import split_dataset
    from fastrnn.utils.symbols import get_source_inputs
    from fastrnn.utils.text_files import text_dataset_from_directory
    from fastrnn.utils.timeseries import timeseries_dataset_from_array

_homes = {
    "CustomObjectScope": "registered", "Dataset": "utils.dataset", "Progbar": "utils.progbar",
    "PyDataset": "utils.py_dataset", "Sequence": "utils.py_dataset", "clear_session": "backend.state",
    "custom_object_scope": "registered", "deserialize_keras_object": "saving.objects",
    "get_custom_objects": "registered", "get_file": "utils.files", "get_registered_name": "registered",
    "get_registered_object": "registered", "get_source_inputs": "utils.symbols", "get_uid": "backend.state",
    "is_keras_tensor": "backend.state", "model_to_dot": "models.drawing", "normalize": "utils.categorical",
    "pack_x_y_sample_weight": "utils.packing", "pad_sequences": "preprocessing.sequence",
    "plot_model": "models.drawing", "register_keras_serializable": "registered",
    "serialize_keras_object": "saving.objects", "set_random_seed": "utils.seeds", "split_dataset": "utils.splitting",
    "text_dataset_from_directory": "utils.text_files", "timeseries_dataset_from_array": "utils.timeseries",
    "to_categorical": "utils.categorical", "unpack_x_y_sample_weight": "utils.packing",
}  # fmt: skip

__all__ = [
    "CustomObjectScope", "Dataset", "Progbar", "PyDataset", "Sequence", "clear_session", "custom_object_scope",
    "deserialize_keras_object", "get_custom_objects", "get_file", "get_registered_name", "get_registered_object",
    "get_source_inputs", "get_uid", "is_keras_tensor", "model_to_dot", "normalize", "pack_x_y_sample_weight",
    "pad_sequences", "plot_model", "register_keras_serializable", "serialize_keras_object", "set_random_seed",
    "split_dataset", "text_dataset_from_directory", "timeseries_dataset_from_array", "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip

_older = absent_from(__name__, __all__)


def __getattr__(name: str) -> Any:
    if name not in _homes:
        return _older(name)
    value = globals()[name] = getattr(importlib.import_module(f"fastrnn.{_homes[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
