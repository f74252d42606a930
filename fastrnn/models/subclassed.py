# SPDX-License-Identifier: Apache-2.0
"""Models with a `call` of the user's own: what they do as models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph.graph import Graph
from fastrnn.graph.symbol import flatten, rebuild
from fastrnn.layers.base import Layer, unique_name
from fastrnn.layers.core.input import InputLayer
from fastrnn.layers.own import Own
from fastrnn.models.summary import Row


class Subclassed:
    """What a subclass of `Model` gets that defines `call`. Its graph is one call of itself, and is known when the first
    input comes."""

    def prepare(self: Any, x: Any) -> list[np.ndarray]:
        """Inputs as a user passes them, checked and converted; the first ones make the graph."""
        if self._graph is None:
            leaves = [_checked(self, leaf) for leaf in flatten(_as_structure(x))]
            self._take_inputs(rebuild(_as_structure(x), [leaf.shape for leaf in leaves]),
                              [leaf.dtype for leaf in leaves])
        checked: list[np.ndarray] = self.check_inputs(self.arrange(x))
        return checked

    def build(self: Any, input_shape: Any = None) -> None:
        """Make the weights.

        Args:
            input_shape: of the input, the batch first; a list or a dictionary of them for several inputs.
        """
        if self._graph is not None or input_shape is None:
            self.built = True
            return
        self._take_inputs(_as_shapes(input_shape), [np.dtype(self.dtype)] * len(_shapes_in(_as_shapes(input_shape))))

    build.of_the_library = True         # type: ignore[attr-defined]

    def _take_inputs(self: Any, shapes: Any, dtypes: Sequence[np.dtype[Any]]) -> None:
        """Make the graph: one call on inputs of these shapes, of which other sizes may come later."""
        every = _shapes_in(shapes)
        names = sorted(shapes) if isinstance(shapes, Mapping) and len(shapes) == len(every) else [
            unique_name(f"{self.name}_input") for _ in every]
        symbols = [InputLayer(batch_shape=(None, *shape[1:]), dtype=_input_dtype(dtype), name=name).symbol()
                   for shape, dtype, name in zip(every, dtypes, names)]
        structure = _of_symbols(shapes, iter(symbols))
        outputs = Own.connect(self, [], (structure,), {})
        for symbol in symbols:
            whole = not symbol.dtype.startswith("float")
            symbol.shape = (None,) * len(symbol.shape) if whole or len(symbol.shape) < 2 else (
                *(None,) * (len(symbol.shape) - 1), symbol.shape[-1])
        self._set_graph(Graph(structure, outputs, self))
        self.built = True
        if self.compiled:
            self._make_objective()

    @property
    def layers(self: Any) -> list[Layer]:
        """The layers that attributes hold."""
        return list(self.sublayers())

    def _rows(self: Any) -> list[Row]:
        """What the summary says of each layer, of whose outputs nothing is known."""
        return [Row(layer, [None]) for layer in self.layers]

    def unrolled(self) -> None:
        """None: it is one step of a schedule."""
        return None


def _as_structure(x: Any) -> Any:
    """Inputs as a user passes them: a list of several, or one that is nested numbers."""
    if isinstance(x, Mapping) or (isinstance(x, (list, tuple)) and x and all(arrays.is_array_like(one) for one in x)):
        return x
    return arrays.as_array(x)


def _checked(model: Any, leaf: Any) -> np.ndarray:
    found = arrays.as_array(leaf, f"{model} input")
    if found.ndim == 0:
        raise ValueError(f"{model}: expected inputs with the batch first, got a number")
    return found


def _input_dtype(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "f":
        return "float64" if dtype == np.float64 else "float32"
    return "int32" if dtype.kind in "iu" else dtype.name


def _as_shapes(shape: Any) -> Any:
    """One shape, or a structure of them, with tuples for shapes."""
    if isinstance(shape, Mapping):
        return {key: _as_shapes(value) for key, value in shape.items()}
    if all(size is None or isinstance(size, (int, np.integer)) for size in shape):
        return tuple(shape)
    return [_as_shapes(part) for part in shape]


def _is_shape(part: Any) -> bool:
    return isinstance(part, tuple) and all(size is None or isinstance(size, (int, np.integer)) for size in part)


def _shapes_in(structure: Any) -> list[Any]:
    if _is_shape(structure):
        return [structure]
    parts = [structure[key] for key in sorted(structure)] if isinstance(structure, Mapping) else structure
    return [shape for part in parts for shape in _shapes_in(part)]


def _of_symbols(structure: Any, symbols: Any) -> Any:
    if _is_shape(structure):
        return next(symbols)
    if isinstance(structure, Mapping):
        found = {key: _of_symbols(structure[key], symbols) for key in sorted(structure)}
        return {key: found[key] for key in structure}
    return [_of_symbols(part, symbols) for part in structure]
