# SPDX-License-Identifier: Apache-2.0
"""Bidirectional."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Unpack

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import flatten, has_symbols
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer
from fastrnn.layers.core.wrapper import Wrapper
from fastrnn.layers.recurrent import apart
from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.layers.recurrent.forward import check_sequences
from fastrnn.layers.recurrent.merging import Merging
from fastrnn.layers.recurrent.rnn import RNN
from fastrnn.layers.recurrent.states import mask_of, parted
from fastrnn.layers.table import deserialize, own_classes, serialize

MERGE_MODES = ("sum", "mul", "concat", "ave", None)


def _recurrent(argument: str, layer: Any) -> Any:
    """The recurrent layer that was given, as such or as a configuration."""
    if isinstance(layer, Mapping):
        layer = deserialize(layer)
    if not isinstance(layer, (Recurrent, RNN)):
        raise ValueError(f"Bidirectional {argument}: expected a SimpleRNN, LSTM, GRU, MinGRU or RNN, got {layer!r}")
    return layer


def _copy_of(layer: Any, **changes: Any) -> Any:
    """A new layer of a layer's configuration, with changes."""
    entry = serialize(layer)
    entry["config"] = {**entry["config"], **changes}
    entry["config"].pop("batch_input_shape", None)
    return deserialize(entry, own_classes(layer))


class Kept(NamedTuple):
    """What a forward pass leaves for the backward pass, beside what the two layers' calls have."""

    shape: tuple[int, int]              # batch, time
    outputs: tuple[np.ndarray, np.ndarray] | None   # of both layers, to be multiplied


class Bidirectional(Wrapper):
    """Runs a recurrent layer over the sequence and a second one over the reversed sequence, and merges the outputs
    (Schuster & Paliwal 1997).

    Args:
        layer: the recurrent layer, an `RNN` too, or its configuration; the second is made from it, in the other
            direction.
        merge_mode: "concat", "sum", "mul", "ave", or None for a list of both outputs.
        backward_layer: the second layer, if it is to differ; it must go the other way.

    The outputs of a sequence are in the order of the first layer's. With return_state the output is followed by the
    states of the first layer, then those of the second.

    Example:

    >>> from fastrnn.layers import LSTM
    >>> Bidirectional(LSTM(4, return_sequences=True))(np.zeros((2, 3, 8))).shape
    (2, 3, 8)
    """

    reads_mask = True

    supports_masking = True
    reads_rows = True
    keeps_output = False

    def __init__(self, layer: Any, merge_mode: str | None = "concat", weights: Any = None,
                 backward_layer: Any = None, **kwargs: Unpack[LayerArguments]) -> None:
        layer = _recurrent("layer", layer)
        two = None if backward_layer is None else _recurrent("backward_layer", backward_layer)
        if merge_mode not in MERGE_MODES:
            raise ValueError(f"Bidirectional merge_mode: expected one of {MERGE_MODES}, got {merge_mode!r}")
        kwargs.setdefault("dtype", layer.dtype)
        if layer._batch_input_shape is not None and not {"input_shape", "batch_input_shape"} & kwargs.keys():
            kwargs["batch_input_shape"] = layer._batch_input_shape
        Layer.__init__(self, **kwargs)      # the layers inside are made of the one that is given
        self.merge_mode = merge_mode
        self._layer_name = layer.name
        self._own_backward_layer = two is not None
        one = _copy_of(layer, name=f"forward_{layer.name}")
        if two is None:
            two = _copy_of(layer, name=f"backward_{layer.name}", go_backwards=not layer.go_backwards)
        self.forward_layer, self.backward_layer = one, two
        for argument in ("return_sequences", "return_state", "stateful", "dtype", "units"):
            if getattr(one, argument) != getattr(two, argument):
                if argument == "units" and merge_mode in ("concat", None):
                    continue
                raise ValueError(f"{self}: with merge_mode={merge_mode!r} both layers must have the same {argument}, "
                                 f"got {getattr(one, argument)} and {getattr(two, argument)}")
        if one.go_backwards == two.go_backwards:
            raise ValueError(f"{self}: the backward layer must differ in go_backwards, got {one.go_backwards} for both")
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        # As in Keras, whatever the layers say: a masked step's output in a sequence is zero in both directions.
        self._zero_output_for_mask = (one.zero_output_for_mask, two.zero_output_for_mask)
        one.zero_output_for_mask = two.zero_output_for_mask = self.return_sequences
        self._apart = not (isinstance(one, Recurrent) and isinstance(two, Recurrent))
        if self._apart:
            self.reads_rows = one.reads_rows and two.reads_rows
        else:                           # the kernels run both at once
            one.on_kernels = two.on_kernels = one.on_kernels and two.on_kernels
        self._initial_weights = weights

    @property
    def layer(self) -> Any:             # type: ignore[override]
        """The forward layer."""
        return self.forward_layer

    def sublayers(self) -> Sequence[Layer]:
        return (self.forward_layer, self.backward_layer)

    def build(self, *input_shapes: Any) -> None:
        for inner in (self.forward_layer, self.backward_layer):
            if not inner.built:
                inner.build(*input_shapes)
            for variable in inner.weights:
                variable.path = f"{self.name}/{inner.name}/{variable.name}"
        self.built = True
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    # shapes --------------------------------------------------------------------------------------------------------

    def _width(self) -> int:
        both = self.forward_layer.units + self.backward_layer.units
        return both if self.merge_mode == "concat" else self.forward_layer.units

    def merged_shape(self, first: Any) -> Any:
        """The shape of the merged output with these first axes; a list of two where they are not merged."""
        if self.merge_mode is None:
            return [(*first, self.forward_layer.units), (*first, self.backward_layer.units)]
        return (*first, self._width())

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        input_shape = input_shapes[0]
        output = self.merged_shape(tuple(input_shape[:2] if self.return_sequences else input_shape[:1]))
        if not self.return_state:
            return output
        states = [(input_shape[0], *shape) for inner in (self.forward_layer, self.backward_layer)
                  for shape in inner.state_shapes]
        return [*(output if isinstance(output, list) else [output]), *states]

    def mask_rank(self, rank: int) -> int:
        return 2

    @property
    def masks(self) -> str:
        return "pass" if self.return_sequences else "drop"

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> Any:
        if not self.return_sequences:
            return None
        return [mask, mask, *[None] * self._state_count()] if self.merge_mode is None and self.return_state else (
            [mask, mask] if self.merge_mode is None else mask)

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        both = 2 if self.merge_mode is None else 1
        return [any(masked) and self.return_sequences] * both + [False] * (count - both)

    def _state_count(self) -> int:
        return self.forward_layer.state_count + self.backward_layer.state_count

    def shapes_of_outputs(self, shapes: list[Any], options: Mapping[str, Any]) -> Any:
        return self.compute_output_shape(*shapes)

    def most_inputs(self) -> int:
        return 1 + self._state_count()

    def check_input(self, x: Any) -> np.ndarray:
        if self._apart:
            found: np.ndarray = self.forward_layer.check_input(x)
            return found
        return check_sequences(self, x, self.forward_layer.kernel.shape[0] if self.built else None)

    # forward -------------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None, initial_state: Any = None) -> Any:
        """As a recurrent layer's call; `initial_state` is the forward layer's states, then the backward layer's."""
        x, initial_state, options = parted(x, initial_state, mask)
        given = [] if initial_state is None else flatten(initial_state)
        if initial_state is not None and len(given) != self._state_count():
            raise ValueError(f"{self} initial_state: expected {self._state_count()} arrays, got {len(given)}")
        if has_symbols(x) or has_symbols(given) or has_symbols(mask):
            for inner, states in zip((self.forward_layer, self.backward_layer), self._halves(given)):
                inner.check_state_symbols(states)
            kwargs = {} if initial_state is None else {"initial_state": initial_state}
            return self.connect([*flatten(x), *given], (x,), kwargs, training, mask, options)
        return self.run_call([x, *given], training, mask, options)

    def _halves(self, states: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """What belongs to the forward layer, and to the backward layer, of a list of all states."""
        count = self.forward_layer.state_count
        return list(states[:count]), list(states[count:])

    def check_part(self, index: int, x: Any) -> np.ndarray:
        count = self.forward_layer.state_count
        if index == 0:
            return self.check_input(x)
        return (self.forward_layer.check_part(index, x) if index <= count
                else self.backward_layer.check_part(index - count, x))

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        x = self.check_input(inputs[0])
        if len(inputs) == 1:
            return [x]
        one, two = self._halves(inputs[1:])
        return [x, *self.forward_layer.given_states(one, len(x)), *self.backward_layer.given_states(two, len(x))]

    def forward(self, x: np.ndarray | arrays.Rows, *states: np.ndarray, call: Call) -> Any:
        mask = mask_of(call)
        if mask is not None and mask.shape != x.shape[:2]:      # one that a layer below gives
            raise self.wrong_mask(mask, x.shape)
        one, two = self.forward_layer, self.backward_layer
        batch, time = x.shape[:2]
        if self._apart:
            return self._result(None, *apart.forward((one, two), x, self._halves(states), call), (batch, time), call)
        shape = (batch, time) if self.return_sequences else (batch,)
        if self.merge_mode == "concat":     # each layer writes its half
            merged = np.empty((*shape, one.units + two.units), self.dtype)
            outputs = merged[..., :one.units], merged[..., one.units:]
        else:
            outputs = np.empty((*shape, one.units), self.dtype), np.empty((*shape, two.units), self.dtype)
        threads, each = self._threads()
        ready, begun, calls = [], [], [call.inner("forward", mask), call.inner("backward", mask)]
        for inner, out, given, own in zip((one, two), outputs, self._halves(states), calls):
            steps = None
            if self.return_sequences:       # the backward layer's steps are written in the other one's order
                steps = out[:, ::-1] if inner is two else out
            initial = inner.initial_states(given or None, batch)
            begun.append(initial[0] is not None)
            ready.append(inner.forward_call(x, steps, initial, own, each, bool(given)))
        ready[0].run(ready[1], threads)
        last: list[np.ndarray] = []
        for inner, out, done, with_state in zip((one, two), outputs, ready, begun):
            final = done.final
            if not self.return_sequences:
                out[...] = inner.last_output(final[0], mask, with_state)
            inner.keep_states(final)
            last += final
        return self._result(merged if self.merge_mode == "concat" else None, outputs, last, (batch, time), call)

    def _result(self, merged: np.ndarray | None, outputs: tuple[np.ndarray, np.ndarray], last: list[np.ndarray],
                shape: tuple[int, int], call: Call) -> Any:
        """What a call gives, which is `merged` where that is made already."""
        if call.taped:
            call.kept = Kept(shape, outputs if self.merge_mode == "mul" else None)
        result = self.merge(merged, outputs)
        if not self.return_state:
            return result
        return [*(result if isinstance(result, list) else [result]), *last]

    def _threads(self) -> tuple[int, int]:
        """The threads of a call, and those that each direction gets of them where both run at once."""
        threads = runtime.get_num_threads()
        return threads, _core.kernels(self.dtype).threads_each(threads)

    def merge(self, merged: np.ndarray | None, outputs: tuple[np.ndarray, np.ndarray]) -> Any:
        """What is made of both outputs, in whose memory it may be; `merged` where that is made already."""
        if merged is not None:
            return merged
        if self.merge_mode is None:
            return list(outputs)
        if self.merge_mode == "concat":
            return np.concatenate(outputs, -1)
        if self.merge_mode == "mul":
            return outputs[0] * outputs[1]
        total = outputs[0]
        total += outputs[1]
        if self.merge_mode == "ave":
            total *= 0.5
        return total

    # as two layers --------------------------------------------------------------------------------------------------

    @property
    def penalizes_inside(self) -> bool:
        return any(inner.activity_regularizer is not None for inner in (self.forward_layer, self.backward_layer))

    def by_parts(self, run: Callable[..., list[Any]], inputs: list[Any]) -> list[Any]:
        x, (one, two) = inputs[0], self._halves(inputs[1:])
        (y, *first), (z, *second) = run(self.forward_layer, [x, *one]), run(self.backward_layer, [x, *two])
        return [*run(Merging(self), [y, z], False), *first, *second]

    # backward ------------------------------------------------------------------------------------------------------

    def backward(self, dy: Any, *more: Any, call: Call | None = None) -> Any:
        """As a recurrent layer's: gradients of the output (of both with merge_mode None), then of the final states."""
        call = self.taped(call)
        kept: Kept = call.kept
        one, two = self.forward_layer, self.backward_layer
        batch, time = kept.shape
        shape = (batch, time) if self.return_sequences else (batch,)
        if self.merge_mode is None and not isinstance(dy, (list, tuple)) and more:
            dy, more = [dy, more[0]], more[1:]
        calls = [call.of("forward"), call.of("backward")]
        dx: list[np.ndarray | None] = []
        ready, dinitial = [], []
        dys, dstates = self.split(dy, shape, kept.outputs), self._split_states(more, batch)
        if self._apart:
            total, initial = apart.backward((one, two), dys, dstates, call)
            call.kept = None
            return [total, *initial] if initial else total
        width = len(one.kernel.data)
        threads, each = self._threads()
        for inner, d, final, own in zip((one, two), dys, dstates, calls):
            own.spared, own.pass_ = call.spared, call.pass_
            steps = None
            if d is None:
                pass
            elif not self.return_sequences:
                final[0] = inner.last_gradient(d, final[0], own.kept)
            else:
                steps = d[:, ::-1] if inner is two else d
            dx.append(np.empty((batch, time, width), self.dtype) if call.wants() else None)
            dinitial.append(inner.new_dinitial(own.kept))
            given = own.kept.given
            ready.append(inner.backward_call(steps, dx[-1], final, dinitial[-1], own, each))
        call.kept = None
        ready[0].run(ready[1], threads)
        if dx[0] is not None:
            _core.kernels(self.dtype).add(dx[0], dx[1], threads)
        return [dx[0], *dinitial[0], *dinitial[1]] if given else dx[0]

    def split(self, dy: Any, shape: tuple[int, ...], outputs: tuple[np.ndarray, np.ndarray] | None
              ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The gradients of both layers' outputs, None for zero, from that of the merged one."""
        n, m = self.forward_layer.units, self.backward_layer.units
        if dy is None:
            return None, None
        if self.merge_mode is None:
            if not isinstance(dy, (list, tuple)) or len(dy) != 2:
                raise ValueError(f"{self} dy: expected 2 arrays, of the forward and of the backward layer, "
                                 f"got {len(dy) if isinstance(dy, (list, tuple)) else type(dy).__name__}")
            return (None if dy[0] is None else self.check_gradient(dy[0], (*shape, n)),
                    None if dy[1] is None else self.check_gradient(dy[1], (*shape, m)))
        dy = self.check_gradient(dy, (*shape, self._width()))
        if self.merge_mode == "concat":
            return dy[..., :n], dy[..., n:]
        if self.merge_mode == "mul":
            assert outputs is not None
            return dy * outputs[1], dy * outputs[0]
        if self.merge_mode == "ave":
            dy = dy * dy.dtype.type(0.5)
        return dy, dy

    def _split_states(self, dstates: Sequence[Any], batch: int) -> tuple[list[Any], list[Any]]:
        """The gradients of both layers' final states, None for zero, out of those of all of them."""
        given = list(dstates) or [None] * self._state_count()
        if len(given) != self._state_count():
            raise ValueError(f"{self} dstates: expected {self._state_count()} arrays, got {len(given)}")
        shapes = [*self.forward_layer.state_shapes, *self.backward_layer.state_shapes]
        checked = [None if d is None else np.ascontiguousarray(self.check_gradient(d, (batch, *shape), "dstates"))
                   for d, shape in zip(given, shapes)]
        return self._halves(checked)

    @property
    def states(self) -> tuple[np.ndarray, ...] | None:
        """Copies of the states that stateful layers keep, the forward layer's first; None where `states` of a recurrent
        layer is."""
        one, two = self.forward_layer.states, self.backward_layer.states
        return None if one is None or two is None else (*one, *two)

    def reset_states(self, states: Any = None) -> None:
        """Forget the states that stateful layers keep, or set them: the forward layer's, then the backward layer's."""
        one, two = self.forward_layer, self.backward_layer
        if states is None:
            one.reset_states()
            two.reset_states()
            return
        count = one.state_count
        if len(states) != count + two.state_count:
            raise ValueError(f"{self} states: expected {count + two.state_count} arrays, got {len(states)}")
        both = one.states_of(states[:count]), two.states_of(states[count:])     # either fits, or neither is set
        one.reset_states(both[0])
        two.reset_states(both[1])

    reset_state = reset_states

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "merge_mode": self.merge_mode, "layer": serialize(self.forward_layer)}
        config["layer"]["config"].update(name=self._layer_name, zero_output_for_mask=self._zero_output_for_mask[0])
        if self._own_backward_layer:
            config["backward_layer"] = serialize(self.backward_layer)
            config["backward_layer"]["config"]["zero_output_for_mask"] = self._zero_output_for_mask[1]
        return config
