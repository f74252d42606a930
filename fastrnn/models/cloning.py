# SPDX-License-Identifier: Apache-2.0
"""Models from the configurations of others: new ones of the same layers, with new weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastrnn.layers.network import Network
from fastrnn.layers.table import own_classes
from fastrnn.saving.config import parse_json
from fastrnn.saving.entries import read_model
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.versions import major_version

_TEXT = "JSON"


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model of a text that `Model.to_json` gave, or Keras's, with new weights.

    Nothing that the text names is imported, evaluated or called.

    Args:
        json_string: the text.
        custom_objects: your own classes by name.

    Raises:
        ModelFileError: a ValueError; the text is broken, or has something that fastrnn does not: says what, and where.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> model_from_json(model.to_json()).count_params()
    128
    """
    if not isinstance(json_string, (str, bytes)):
        raise TypeError(f"model_from_json json_string: expected a text, got {type(json_string).__name__}")
    config = parse_json(json_string, _TEXT, "")
    if not isinstance(config, dict):
        raise ModelFileError(_TEXT, "", f"expected a dictionary, got {type(config).__name__}")
    version = major_version(config["keras_version"], _TEXT, "keras_version") if "keras_version" in config else 3
    return read_model(config, _TEXT, version, custom_objects, values=True)


def clone_model(model: Any) -> Any:
    """A model of the same layers and calls, with new weights; the two share nothing. It is not compiled.

    Args:
        model: a `Sequential` or `Model`.

    Raises:
        TypeError: it is no model.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> other = clone_model(model)
    >>> other.set_weights(model.get_weights())
    >>> other.layers[0] is model.layers[0]
    False
    """
    if not isinstance(model, Network):
        raise TypeError(f"clone_model: expected a Sequential or a Model, got {type(model).__name__}")
    return type(model).from_config(model.get_config(), own_classes(model))
