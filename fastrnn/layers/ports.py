# SPDX-License-Identifier: Apache-2.0
"""The inputs and outputs of a network: their symbols and names, and arrays as users pass them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph.graph import Graph
from fastrnn.graph.schedule import Schedule
from fastrnn.graph.symbol import flatten, has_symbols, rebuild
from fastrnn.layers.base import Layer, Shape


class Ports(Layer):
    """A graph's inputs and outputs; `Network` has the whole."""

    _graph: Graph | None = None
    _schedules: dict[frozenset[int], Schedule]

    @property
    def graph(self) -> Graph:
        """The calls between inputs and outputs.

        Raises:
            ValueError: the model is not built.
        """
        if self._graph is None:
            raise ValueError(f"{self}: is not built: the shape of its input is not known; begin with an Input, or call "
                             "build(input_shape)")
        return self._graph

    def schedule(self, masked: frozenset[int] = frozenset()) -> Schedule:
        """What runs the graph when nothing is kept; `masked` are the inputs that come with a mask."""
        found = self._schedules.get(masked)
        if found is None:
            found = self._schedules[masked] = Schedule(self.graph, masked)
        return found

    @property
    def inputs(self) -> list[Any]:
        """The symbols of the inputs."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[Any]:
        """The symbols of the outputs."""
        return list(self.graph.outputs)

    @property
    def input(self) -> Any:
        """The symbols of the inputs, as they were given."""
        return self.graph.input_structure

    @property
    def output(self) -> Any:
        """The symbols of the outputs, as they were given."""
        return self.graph.output_structure

    @property
    def input_shape(self) -> Any:
        """Shape of the input, None where it may vary; a list of several inputs' shapes."""
        shapes = [symbol.shape for symbol in self.graph.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """Shape of the output, None where it may vary; a list of several outputs' shapes."""
        shapes = [symbol.shape for symbol in self.graph.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def input_names(self) -> list[str]:
        """The names by which a dictionary of inputs holds their arrays."""
        return _names(self.graph.input_structure, self.graph.inputs)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: the keys of their dictionary, or of the layers that they come from; a name that is
        taken gets a number."""
        return _names(self.graph.output_structure, self.graph.outputs)

    def pack(self, outputs: Sequence[Any]) -> Any:
        """A flat list of outputs in the structure that the model was made with; a single one as it is."""
        if len(outputs) == 1 and not isinstance(self.graph.output_structure, Mapping):
            return outputs[0]
        return rebuild(self.graph.output_structure, outputs)

    def arrange(self, x: Any, what: str = "input") -> list[Any]:
        """Inputs as a user passes them, in the order of the graph's inputs.

        Args:
            x: one of them, a list, a dictionary by name, or the structure that the model was made with.
            what: for errors.

        Raises:
            ValueError: their number or a name is wrong.
        """
        names = self.input_names
        if isinstance(x, Mapping):
            missing = [name for name in names if name not in x]
            if missing:
                raise ValueError(f"{self}: expected {what} {', '.join(map(repr, names))}, got a dictionary with "
                                 f"{', '.join(map(repr, x)) or 'nothing'}; {', '.join(map(repr, missing))} missing")
            return [x[name] for name in names]
        if len(names) == 1:
            return [_single(x)]
        given = flatten(x) if isinstance(x, (list, tuple)) and has_symbols(x) else x
        if not isinstance(given, (list, tuple)) or len(given) != len(names):
            got = len(given) if isinstance(given, (list, tuple)) else f"one {type(given).__name__}"
            raise ValueError(f"{self}: expected {len(names)} {what}s ({', '.join(names)}) in a list or a dictionary, "
                             f"got {got}")
        return list(given)

    def prepare(self, x: Any) -> list[np.ndarray]:
        """Inputs as a user passes them, checked and converted for `run`.

        Raises:
            ValueError: they do not fit; names the layer, what was expected and what came.
        """
        return self.check_inputs(self.arrange(x))

    def check_input(self, x: Any) -> np.ndarray:
        return self.check_inputs([x])[0]

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        checked = [self._check_one(index, x) for index, x in enumerate(inputs)]
        if len(checked) > 1 and len({len(x) for x in checked}) > 1:
            sizes = ", ".join(f"{name!r}: {len(x)}" for name, x in zip(self.input_names, checked))
            raise ValueError(f"{self}: expected as many samples in each input, got {sizes}")
        return checked

    def _check_one(self, index: int, x: Any) -> np.ndarray:
        """An input for the layers that read it, which may be of several kinds."""
        takers = self.schedule().takers[index]
        own, dtype = self.graph.inputs[index].shape, self.graph.inputs[index].dtype
        if type(x) is not np.ndarray:
            strings = dtype == "string" or any(taker.kind == "string" for taker in takers)
            x = (arrays.as_strings if strings else arrays.as_array)(x, f"{takers[0].layer if takers else self} input")
        if x.ndim != len(own):
            x = _fit_rank(x, own)
            if x.ndim != len(own):
                for taker in takers:
                    taker.check(x)              # whose error says more
                one_sample = "; for one sample pass x[None]" if x.ndim == len(own) - 1 else ""
                raise ValueError(f"{self}: expected input of shape {own}, got {x.shape}{one_sample}")
        indices = [taker for taker in takers if taker.kind == "index"]
        for number, taker in enumerate(indices or takers):
            checked = taker.check(x)
            if number == 0 or checked.dtype == x.dtype:     # another one's step converts it
                x = checked
        if all(taker.kind == "any" for taker in takers):
            x = arrays.as_dtype(x, dtype, f"{self} input")
        self.check_fixed(index, x.shape)
        return x

    def check_fixed(self, index: int, shape: tuple[int, ...]) -> None:
        """Raise a ValueError if an input has another size where the model's is fixed."""
        own = self.demanded_shape(index)
        if not fits(own, shape):
            name = f" {self.input_names[index]!r}" if len(self.graph.inputs) > 1 else ""
            raise ValueError(f"{self}: expected input{name} of shape {own}, got {shape}")

    def check_shapes(self, *shapes: Shape) -> None:
        if len(shapes) != len(self.graph.inputs):
            raise ValueError(f"{self}: expected {len(self.graph.inputs)} inputs, got {len(shapes)}")
        for index, (own, shape) in enumerate(zip((symbol.shape for symbol in self.graph.inputs), shapes)):
            if not fits(own, shape):
                name = f" {self.input_names[index]!r}" if len(shapes) > 1 else ""
                raise ValueError(f"{self}: expected input{name} of shape {own}, got {shape}")

    def takes(self, below: Shape) -> Shape:
        """The shape that the model's one input has over a layer with outputs of the shape `below`."""
        self.check_shapes(below)
        return self.graph.inputs[0].shape

    def demanded_shape(self, index: int) -> Shape:
        """The shape that arrays of an input must have, None where it may vary."""
        return self.graph.inputs[index].shape


def fits(own: Shape, shape: Shape) -> bool:
    """Whether an input of a shape can have another, the batch aside; None stands for any size.

    >>> fits((None, None, 3), (32, 5, 3)), fits((None, 4, 3), (32, 5, 3))
    (True, False)
    """
    return len(own) == len(shape) and all(None in (one, two) or one == two for one, two in zip(own[1:], shape[1:]))


def _names(structure: Any, symbols: Sequence[Any]) -> list[str]:
    """Of symbols: a dictionary's keys, or their own names, numbered where one is taken."""
    if isinstance(structure, Mapping) and all(type(value) is type(symbols[0]) for value in structure.values()):
        return sorted(structure)
    names: list[str] = []
    for symbol in symbols:
        name, number = symbol.name, 0
        while name in names:
            number += 1
            name = f"{symbol.name}_{number}"
        names.append(name)
    return names


def _single(x: Any) -> Any:
    """A list of one array or symbol, which is how Keras lists the inputs of a model, stands for it."""
    if isinstance(x, (list, tuple)) and len(x) == 1 and has_symbols(x):
        return x[0]
    return arrays.single_array(x)


def _fit_rank(x: np.ndarray, expected: Shape) -> np.ndarray:
    """As Keras does it: an axis of length 1 at the end is dropped or added where that gives the rank expected."""
    if x.ndim == len(expected) - 1 and expected[-1] == 1:
        return x[..., None]
    if x.ndim == len(expected) + 1 and x.shape[-1] == 1 and expected[-1] != 1:
        return x[..., 0]
    return x
