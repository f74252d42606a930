# SPDX-License-Identifier: Apache-2.0
"""RNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import rebuild
from fastrnn.layers.arguments import RNNArguments
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent import calls, steps
from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.layers.recurrent.cell import share_weights, standard
from fastrnn.layers.recurrent.loop import Loop
from fastrnn.layers.recurrent.stacked_rnn_cells import StackedRNNCells
from fastrnn.layers.recurrent.states import States
from fastrnn.layers.table import deserialize, serialize


class RNN(States):
    """Runs a cell over a sequence.

    `SimpleRNNCell`, `LSTMCell` and `GRUCell`, alone or stacked, run on the kernels, as fast as the layers of their
    names. Another cell runs step by step, each a call of the cell: right, and slow. It is a layer with a `state_size`,
    the width of its state or a list of those of its states; an `output_size`, where that is not the width of its first
    state; and ``get_initial_state(batch_size)``, where it does not begin with zeros. It defines `call`, as in Keras,
    made of `fastrnn.ops`, operators and layers, which autograd differentiates::

        y, new = cell.call(x, states)           # x (batch, features); states and new are lists of (batch, width)

    or two methods, for which nobody needs autograd::

        y, *new = cell.forward(x, *states, call=call)
        dx, *dstates = cell.backward(dy, *dnew, call=call)      # with what forward left in call.kept

    Args:
        cell: the cell, or a list of cells, which is `StackedRNNCells` of them; or its configuration.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: as in `SimpleRNN`. The
            states of several cells are a list of each one's.
        **kwargs: as every layer's.

    Raises:
        ValueError: `cell` is no cell.

    Example:

    >>> from fastrnn.layers import GRUCell, LSTMCell
    >>> RNN(LSTMCell(4), return_sequences=True)(np.zeros((2, 3, 8))).shape
    (2, 3, 4)
    >>> y, (h, c), (g,) = RNN([LSTMCell(4), GRUCell(5)], return_state=True)(np.zeros((2, 3, 8)))
    >>> c.shape, g.shape
    ((2, 4), (2, 5))
    """

    supports_masking = True
    keeps_output = False

    def __init__(self, cell: Any, return_sequences: bool = False, return_state: bool = False,
                 go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
                 zero_output_for_mask: bool = False, **kwargs: Unpack[RNNArguments]) -> None:
        if kwargs.pop("time_major", False):
            raise ValueError("RNN: time_major is not supported; transpose to (batch, time, ...)")
        kwargs.pop("implementation", None)
        if isinstance(cell, Mapping):
            cell = deserialize(cell)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        steps.as_cell(cell, "RNN cell")
        kwargs.setdefault("dtype", cell.dtype)
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences, self.return_state = bool(return_sequences), bool(return_state)
        self.go_backwards, self.stateful = bool(go_backwards), bool(stateful)
        self.unroll = bool(unroll)
        self._cells = list(_flat(cell))
        for one in self._cells:
            if one.dtype != self.dtype:
                raise ValueError(f"{self} dtype: expected that of {one}, {one.dtype!r}, got {self.dtype!r}")
        last = len(self._cells) - 1
        #: The layers that run the cells, one after the other, each over the whole sequence.
        self._layers: list[Recurrent | Loop] = [self._layer(one, index == 0, index == last)
                                                for index, one in enumerate(self._cells)]
        self.state_shapes = [shape for layer in self._layers for shape in layer.state_shapes]
        self.state_count = len(self.state_shapes)
        self.zero_output_for_mask = bool(zero_output_for_mask)

    def _layer(self, cell: Any, first: bool, last: bool) -> Recurrent | Loop:
        options: dict[str, Any] = {
            "return_sequences": self.return_sequences or not last, "return_state": self.return_state,
            "go_backwards": self.go_backwards and first, "stateful": self.stateful, "name": self.name,
            "zero_output_for_mask": False}
        return cell.layer(**options) if standard(cell) else Loop(cell, **options, dtype=cell.dtype)

    def _pieces_to_shape(self, length: int | None, width: int) -> tuple[int | None, ...]:
        return (length, width)

    # what is inside ------------------------------------------------------------------------------------------------

    def sublayers(self) -> Sequence[Layer]:
        return (self.cell,)

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        if "cell" in vars(self):
            self.cell.trainable = value

    @property
    def reads_rows(self) -> bool:       # type: ignore[override]
        """Whether the first cell runs on the kernels, which can read an Embedding's table."""
        return self._layers[0].reads_rows

    @property
    def zero_output_for_mask(self) -> bool:
        """Whether a masked step's output is zero."""
        return self._layers[-1].zero_output_for_mask

    @zero_output_for_mask.setter
    def zero_output_for_mask(self, value: bool) -> None:
        self._layers[-1].zero_output_for_mask = value

    @property
    def units(self) -> int:
        """The width of the output."""
        return steps.output_shape(self._cells[-1])[-1]

    @property
    def state_size(self) -> list[Any]:
        """As of the cell, in a list."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    def _each(self, states: Sequence[Any]) -> list[list[Any]]:
        """The states of each layer, none for each if there are none."""
        left = iter(states)
        return [[next(left) for _ in range(layer.state_count)] if states else [] for layer in self._layers]

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states that a sequence begins with, those of several cells a list of each one's.

        Args:
            batch_size: number of samples.
        """
        states = steps.first_states(self.cell, batch_size, nested=True)
        return list(states) if isinstance(states, (list, tuple)) else [states]

    @property
    def _states(self) -> Any:
        """What the layers keep."""
        kept = [layer._states for layer in self._layers]
        return None if None in kept else [state for states in kept for state in states]

    @_states.setter
    def _states(self, states: Any) -> None:
        for layer, own in zip(self._layers, self._each(states or ())):
            layer._states = own or None

    @property
    def _batch(self) -> Any:
        return self._layers[0]._batch

    @_batch.setter
    def _batch(self, batch: int | None) -> None:
        for layer in self._layers:
            layer._batch = batch

    def build(self, *input_shapes: Any) -> None:
        shape = tuple(input_shapes[0])
        if len(shape) < 3:
            raise ValueError(f"{self}: expected input (batch, time, features), got {shape}; add a batch or time axis")
        steps.build_cell(self.cell, (shape[0], *shape[2:]))
        for variable in self.cell.weights:
            variable.path = f"{self.name}/{variable.path}"
        for cell, layer in zip(self._cells, self._layers):
            if standard(cell):
                share_weights(cell, layer)
            else:
                layer.build(shape)
            outputs = layer.compute_output_shape(shape)
            shape = outputs[0] if isinstance(outputs, list) else outputs
        self._batch = input_shapes[0][0]
        self.built = True

    # calls ---------------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None, initial_state: Any = None) -> Any:
        """As of a recurrent layer; with return_state and several cells, the states of each are a list."""
        found = self._call_with_states(x, training, mask, initial_state)
        if not self.return_state or len(self._cells) == 1:
            return found
        return [found[0], *rebuild(self.get_initial_state(1), found[1:])]

    def check_input(self, x: Any) -> np.ndarray:
        if not arrays.is_ready(x, self.dtype):
            x = arrays.as_float(x, self.dtype, f"{self} input")
        first = self._cells[0]
        width = len(first.kernel.data) if standard(first) and self.built else None
        if x.ndim < 3 or (standard(first) and x.ndim != 3) or (width not in (None, x.shape[2])):
            raise ValueError(f"{self}: expected input (batch, time, {width or 'features'}), got {x.shape}")
        return x

    def mask_rank(self, rank: int) -> int:
        return 2

    @property
    def masks(self) -> str:
        return "pass" if self.return_sequences else "drop"

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> np.ndarray | None:
        return mask if self.return_sequences else None

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        outputs = self._layers[-1].compute_output_shape(*input_shapes)
        if not self.return_state:
            return outputs
        return [outputs[0], *((input_shapes[0][0], *shape) for shape in self.state_shapes)]

    def same_layer(self) -> Recurrent | None:
        """The recurrent layer that this one is, where it has one standard cell."""
        first = self._layers[0]
        return first if len(self._layers) == 1 and isinstance(first, Recurrent) else None

    def runner(self) -> Any:
        same = self.same_layer()
        return None if same is None or not self.built else same.runner()

    def _share(self) -> None:
        """What belongs to the cells, and not to the layers that run them, is theirs."""
        for cell, layer in zip(self._cells, self._layers):
            if isinstance(layer, Recurrent):
                layer.trainable, layer._rng = self.trainable and cell.trainable, cell._rng

    def forward(self, x: np.ndarray, *states: np.ndarray, call: Call) -> Any:
        if call.taped:
            self._share()
        if len(self._layers) == 1:
            return self._layers[0].forward(x, *states, call=call)
        mask, final = call.mask, []
        for index, (layer, own) in enumerate(zip(self._layers, self._each(states))):
            found = layer.forward(x, *own, call=calls.inside(call, index, mask, index == 0 and not call.wants()))
            x, new = (found[0], found[1:]) if isinstance(found, list) else (found, [])
            final += new
            if layer.go_backwards and mask is not None:     # the others see the steps in the first one's order
                mask = mask[:, ::-1]
        if call.taped:
            call.kept = bool(states)
        return [x, *final] if self.return_state else x

    def backward(self, dy: Any, *dstates: Any, call: Call | None = None) -> Any:
        """As of a recurrent layer: gradients of the output, then of the final states, cell by cell."""
        call = self.taped(call)
        if len(self._layers) == 1:
            return self._layers[0].backward(dy, *dstates, call=call)
        pass_ = calls.begun(call)
        if dstates and len(dstates) != self.state_count:
            raise ValueError(f"{self} dstates: expected {self.state_count} arrays, got {len(dstates)}")
        dinitial: list[Any] = []
        for index, (layer, own) in reversed(list(enumerate(zip(self._layers, self._each(dstates))))):
            found = layer.backward(dy, *own, call=calls.again(call, index, index == 0 and not call.wants()))
            pass_.done()
            dy, new = (found[0], found[1:]) if isinstance(found, list) else (found, [])
            dinitial[:0] = new
        given, call.kept = call.kept, None
        return [dy, *dinitial] if given else dy

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "return_sequences": self.return_sequences, "return_state": self.return_state,
                "go_backwards": self.go_backwards, "stateful": self.stateful, "unroll": self.unroll,
                "zero_output_for_mask": self.zero_output_for_mask, "cell": serialize(self.cell)}


def _flat(cell: Any) -> list[Any]:
    """The cells that run one after the other, those of stacks in stacks among them."""
    return [one for inner in cell.cells for one in _flat(inner)] if type(cell) is StackedRNNCells else [cell]
