# SPDX-License-Identifier: Apache-2.0
"""What the cells share: layers whose call is one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import flatten, has_symbols, rebuild
from fastrnn.layers.arguments import CellArguments, handed_on
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.layers.variable import Variable
from fastrnn.registry import snake_case

#: The arguments of a layer that its cell does not have.
_OF_SEQUENCES = ("return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask",
                 "batch_input_shape", "use_peepholes")


class Cell(Layer):
    """A layer whose call is one step: ``cell(x, states)`` gives the output and the new states.

    Its `forward(x, *states, call)` gives a list of the output and the new states, its `backward(dy, *dstates, call)`
    one of the gradients of x and of the states.
    """

    state_size: Any
    output_size: Any

    @property
    def masks(self) -> str:
        return "drop"

    @property
    def state_count(self) -> int:
        return len(flatten(self.state_size))

    def most_inputs(self) -> int:
        return 1 + self.state_count

    def __call__(self, x: Any, states: Any = None,     # type: ignore[override]
                 training: bool | None = None) -> tuple[Any, Any]:
        """One step, on arrays or on symbols.

        Args:
            x: (batch, features).
            states: (batch, units), a list of them where there are several states; None for those that
                `get_initial_state` gives.
            training: dropout acts, and `backward` can follow.

        Returns:
            The output, and the new states in a structure as that of `states`.

        Raises:
            ValueError: an argument does not fit.
            TypeError: symbols among arrays.
        """
        if states is None and not has_symbols(x):
            states = self.get_initial_state(len(x))
        given = flatten(states)
        if len(given) != self.state_count or states is None:
            raise ValueError(f"{self} states: expected {self.state_count} arrays, got "
                             f"{0 if states is None else len(given)}")
        if has_symbols(x) or has_symbols(given):
            y, *new = self.connect([x, *given], (x, states), {}, training)
        else:
            y, *new = self.run_call([x, *given], training, None)
        return y, rebuild(states, new)

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        x, *states = super().check_inputs(inputs)
        for state in states:
            if len(state) != len(x):
                raise self._wrong_state((len(x), state.shape[1]), state.shape)
        return [x, *states]

    def check_part(self, index: int, x: Any) -> np.ndarray:
        if index == 0:
            return self.check_input(x)
        state, width = arrays.as_float(x, self.dtype, f"{self} states"), flatten(self.state_size)[index - 1]
        if state.ndim != 2 or state.shape[1] != width:
            raise self._wrong_state(("batch", width), state.shape)
        return state

    def check_shapes(self, *shapes: Shape) -> None:
        super().check_shapes(*shapes)
        for index, (shape, width) in enumerate(zip(shapes[1:], flatten(self.state_size)), 1):
            self.check_part(index, np.zeros((0, *(width if size is None else size for size in shape[1:])), self.dtype))

    def _wrong_state(self, expected: tuple[Any, int], shape: tuple[int, ...]) -> ValueError:
        return ValueError(f"{self} states: expected (batch, units) = ({expected[0]}, {expected[1]}), got {shape}")

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros for the states of a batch.

        Args:
            batch_size: number of samples.
        """
        return [np.zeros((batch_size or 1, size), self.dtype) for size in flatten(self.state_size)]


class StandardCell(Cell):
    """The cell of a recurrent layer. It has the weights; a layer of the class, with the same weights, takes its steps,
    and `RNN` has another one take whole sequences.

    Args:
        arguments: the `locals()` of the `__init__` of a subclass: the layer's arguments.
        **kwargs: as every layer's.
    """

    layer_class: type[Recurrent]
    not_inside = ("recurrent", "_whole")
    _whole: Recurrent | None = None     # the layer whose `cell` this is
    units: int
    kernel: Variable
    recurrent_kernel: Variable
    bias: Variable | None

    def __init__(self, arguments: Mapping[str, Any], **kwargs: Unpack[CellArguments]) -> None:
        kwargs.pop("implementation", None)      # which changes no result here
        super().__init__(**kwargs)
        own = handed_on({**arguments, "kwargs": {}}, "units")
        #: The layer that takes the steps, each as a sequence of one.
        self.recurrent = self.layer_class(arguments["units"], **own, return_state=True, name=self.name,
                                          trainable=self.trainable, dtype=self.dtype)
        self._own = ("units", *own)
        for name in self._own:
            setattr(self, name, getattr(self.recurrent, name))

    @property
    def state_size(self) -> Any:
        """The width of the state; a list of them where there are several."""
        return self.units if self.recurrent.state_count == 1 else [self.units] * self.recurrent.state_count

    @property
    def output_size(self) -> int:
        """The width of the output."""
        return self.units

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        if "recurrent" in vars(self):
            self.recurrent.trainable = value
        if self._whole is not None:
            self._whole.trainable = value

    @property
    def _rng(self) -> Any:
        """The generator of a cell with a seed."""
        return self.recurrent._rng

    @_rng.setter
    def _rng(self, generator: Any) -> None:
        self.recurrent._rng = generator

    # weights -------------------------------------------------------------------------------------------------------

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        return self.recurrent.weight_shapes(input_shape)

    def build(self, *input_shapes: Any) -> None:
        shape = input_shapes[0]
        if len(shape) != 2 or not shape[-1]:
            raise self._wrong_input(shape)
        self.recurrent.first_values, self.recurrent.stored = self.first_values, self.stored
        self.recurrent.build((shape[0], 1, shape[1]))
        self.take_weights(self.recurrent)

    def take_weights(self, layer: Recurrent) -> None:
        """Have the weights of a layer of the same arguments, which is built."""
        share_weights(layer, self)
        share_weights(layer, self.recurrent)

    @classmethod
    def of(cls, layer: Recurrent) -> Self:
        """A cell of the arguments of a layer."""
        config = {name: value for name, value in layer.get_config().items() if name not in _OF_SEQUENCES}
        return cls(**{**config, "name": snake_case(cls.__name__)})

    def layer(self, **options: Any) -> Recurrent:
        """A layer that takes whole sequences with this cell's arguments, and once both are built, its weights.

        Args:
            options: as return_sequences, of the layer.
        """
        made = {name: getattr(self.recurrent, name) for name in self._own}
        return self.layer_class(**made, dtype=self.dtype, **options)

    # calls ---------------------------------------------------------------------------------------------------------

    def _wrong_input(self, shape: Sequence[int | None]) -> ValueError:
        width = len(self.kernel.data) if self.built else "features"
        return ValueError(f"{self}: expected input (batch, {width}), got {tuple(shape)}; a cell takes one step, "
                          "RNN(cell) whole sequences")

    def check_input(self, x: Any) -> np.ndarray:
        x = super().check_input(x)
        if x.ndim != 2 or (self.built and x.shape[1] != len(self.kernel.data)):
            raise self._wrong_input(x.shape)
        return x

    def compute_output_shape(self, *input_shapes: Any) -> list[Shape]:
        return [(input_shapes[0][0], self.units)] * (1 + self.state_count)

    def forward(self, x: np.ndarray, *states: np.ndarray, call: Call) -> list[np.ndarray]:
        found: list[np.ndarray] = self.recurrent.forward(x[:, None], *states, call=call)
        return found

    def backward(self, dy: Any, *dstates: Any, call: Call | None = None) -> list[Any]:
        """Gradients after a step with training=True: of x, and of the states it began with."""
        dx, *dold = self.recurrent.backward(dy, *dstates, call=self.taped(call))
        return [None if dx is None else dx[:, 0], *dold]

    def call(self, inputs: Any, states: Any, training: bool | None = None) -> tuple[Any, Any]:
        """One step, for the code of a subclass that has a `call` of its own.

        Args:
            inputs, states, training: see `Cell`.
        """
        y, *new = self.recurrent(inputs[:, None], training=training, initial_state=flatten(states))
        return y, rebuild(states, new)

    def get_config(self) -> dict[str, Any]:
        config = self.recurrent.get_config()
        return {**super().get_config(), **{name: config[name] for name in self._own if name in config}}


def standard(cell: Any) -> bool:
    """Whether the layer that a cell is of begins and steps as the cell: not where a subclass does otherwise."""
    return isinstance(cell, StandardCell) and all(
        getattr(type(cell), name) is getattr(StandardCell, name) for name in ("forward", "get_initial_state"))


def share_weights(source: Any, target: Any) -> None:
    """Have a layer or cell run with the weights of another one."""
    for name in ("kernel", "recurrent_kernel", "bias", "peephole_kernel"):
        if hasattr(source, name):
            setattr(target, name, getattr(source, name))
    target._variables = source._variables
    target.built = True
