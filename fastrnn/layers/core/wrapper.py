# SPDX-License-Identifier: Apache-2.0
"""Wrapper: what layers are that have a layer inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastrnn.layers.base import Layer
from fastrnn.layers.table import deserialize, serialize


class Wrapper(Layer):
    """Base of the layers that are around another one. A subclass defines `forward` and `backward`, which call those of
    `self.layer` with the call that ``call.inner("layer")`` gives.

    Args:
        layer: the layer, or its configuration.

    Raises:
        ValueError: it is no layer.

    Example:

    >>> from fastrnn.layers import Dense, TimeDistributed
    >>> isinstance(TimeDistributed(Dense(2)), Wrapper)
    True
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if isinstance(layer, Mapping):
            layer = deserialize(layer)
        if not isinstance(layer, Layer):
            raise ValueError(f"{type(self).__name__} layer: expected a layer, got {layer!r}")
        kwargs.setdefault("dtype", layer.dtype)
        super().__init__(**kwargs)
        self.layer = layer

    def sublayers(self) -> Sequence[Layer]:
        return (self.layer,)

    def build(self, *input_shapes: Any) -> None:
        if not self.layer.built:
            self.layer.build(*input_shapes)
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize(self.layer)}
