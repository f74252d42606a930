# SPDX-License-Identifier: Apache-2.0
"""Input: the shape of what a model takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.config import floatx
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import Node, Symbol
from fastrnn.layers.base import Layer


class InputLayer(Layer):
    """The shape of a model's input; hands the data on unchanged.

    Args:
        shape: without the batch.
        batch_size: fixed batch size, or None.
        dtype: "float32", "int32", "string", ...; the layers behind decide what their input holds.
        batch_shape: with the batch, instead of `shape`.
        name: of the layer.
    """

    supports_masking = True
    _node_of_input: Node | None = None

    def __init__(self, shape: Any = None, batch_size: int | None = None, dtype: Any = None, *,
                 batch_shape: Any = None, name: str | None = None, **kwargs: Any) -> None:
        for unused in ("sparse", "ragged", "optional"):
            if kwargs.pop(unused, False):
                raise ValueError(f"Input: {unused} input is not supported")
        if shape is None and batch_shape is None and "batch_input_shape" not in kwargs:
            raise ValueError("Input: expected shape, e.g. Input(shape=(None, 52))")
        if shape is not None:
            batch_shape = (batch_size, *((shape,) if isinstance(shape, int) else shape))
        if batch_shape is not None:
            kwargs["batch_input_shape"] = tuple(batch_shape)
        super().__init__(name=name, **kwargs)
        self.input_dtype = None if dtype is None else _name_of(dtype)
        self.built = True

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        return self._batch_input_shape or ()

    def symbol(self) -> Symbol:
        """The symbol that the layer stands for."""
        node = self._node_of_input
        if node is None:
            self._node_of_input = node = Node(self, [])
            node.makes(self.batch_shape, [self.input_dtype or floatx()], [False])
        self._nodes.add(node)
        return node.outputs[0]

    def forget(self) -> None:
        super().forget()
        self._node_of_input = None

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.taped:
            call.kept = x.shape
        return x

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        dy = self.check_gradient(dy, call.kept)
        return dy if call.wants() else None

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": self.batch_shape, "dtype": self.input_dtype, "name": self.name}


def _name_of(dtype: Any) -> str:
    """The name of a dtype, of NumPy or of another library; "string" for all of strings."""
    name = getattr(dtype, "name", dtype)
    if name == "string":
        return "string"
    found = np.dtype(name)
    return "string" if found.kind in "OUST" else str(found.name)


def Input(shape: Any = None, batch_size: int | None = None, dtype: Any = None, *, batch_shape: Any = None,
          name: str | None = None, **kwargs: Any) -> Symbol:
    """The input of a model: the symbol to call layers on, or the first in a `Sequential`.

    Args:
        shape: of one sample, e.g. ``(None, 52)`` for any number of steps of 52 features.
        batch_size: fixed batch size, or None.
        dtype: of the array, as "int32" for indices, "string" for strings; without effect on layers that need another.
        batch_shape: with the batch, instead of `shape`.
        name: of the input.

    Example:

    >>> Input(shape=(None, 52), name="letters")
    <Symbol shape=(None, None, 52), dtype=float32, name=letters>
    """
    return InputLayer(shape, batch_size, dtype, batch_shape=batch_shape, name=name, **kwargs).symbol()
