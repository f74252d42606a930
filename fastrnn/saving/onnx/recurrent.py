# SPDX-License-Identifier: Apache-2.0
"""ONNX's RNN, LSTM and GRU nodes, run by fastrnn's layers, or where those lack something by `cells`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers import GRU, LSTM, SimpleRNN
from fastrnn.layers.recurrent import Recurrent
from fastrnn.saving import layouts
from fastrnn.saving.errors import shown
from fastrnn.saving.onnx.cells import ACTIVATIONS, Activation, Cell
from fastrnn.saving.onnx.graph import Node, Unsupported
from fastrnn.saving.onnx.room import Room

_LAYERS: dict[str, type[Recurrent]] = {"RNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}
_DEFAULTS = {"RNN": ("tanh",), "LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}
_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


class _Runners(NamedTuple):
    """What runs each direction of a node, and of which shape and dtype its weights are."""

    each: list[Recurrent | Cell]
    width: int
    units: int
    dtype: np.dtype


class RecurrentNode:
    """A node with what its attributes say.

    Raises:
        Unsupported: an attribute is not known, or has a value that it cannot have.
    """

    def __init__(self, node: Node) -> None:
        self.node, self.operator = node, node.operator
        direction = node.attribute("direction", str, "forward")
        if direction not in _DIRECTIONS:
            raise Unsupported(f"attribute direction: expected one of {', '.join(_DIRECTIONS)}, got {shown(direction)}")
        self.backwards = _DIRECTIONS[direction]
        self.batch_first = self._flag("layout")
        self.reset_after = self._flag("linear_before_reset") if self.operator == "GRU" else True
        self.coupled = self._flag("input_forget") if self.operator == "LSTM" else False
        self.units = node.attribute("hidden_size", int)
        clip = node.attribute("clip", float)
        if clip is not None and not clip > 0:
            raise Unsupported(f"attribute clip: expected a number above zero, got {clip}")
        self.clip = clip
        self.activations = self._activations()
        self._letters = "hc"[:_LAYERS[self.operator].state_count]
        self._zeros = [(None,) * len(self._letters)] * len(self.backwards)     # the first states where none is given
        self._kept: _Runners | None = None

    def _flag(self, name: str) -> bool:
        value = self.node.attribute(name, int, 0)
        if value not in (0, 1):
            raise Unsupported(f"attribute {name}: expected 0 or 1, got {value}")
        return bool(value)

    def _activations(self) -> list[list[Activation]]:
        """By direction. Their parameters are listed in their order, for those alone that have them."""
        each = _DEFAULTS[self.operator]
        names = self.node.attribute("activations", list) or list(each * len(self.backwards))
        alphas = list(self.node.attribute("activation_alpha", list) or [])
        betas = list(self.node.attribute("activation_beta", list) or [])
        if len(names) != len(each) * len(self.backwards):
            raise Unsupported(f"attribute activations: expected {len(each) * len(self.backwards)}, got {len(names)}")
        found = []
        for name in names:
            key = name.lower() if isinstance(name, str) else name
            if key not in ACTIVATIONS:
                raise Unsupported(f"attribute activations: expected some of {', '.join(ACTIVATIONS)}, got "
                                  f"{shown(name)}")
            alpha, beta, _ = ACTIVATIONS[key]
            if alpha is not None and alphas:
                alpha = float(alphas.pop(0))
            if beta is not None and betas:
                beta = float(betas.pop(0))
            found.append(Activation(key, alpha or 0.0, beta or 0.0))
        return [found[place:place + len(each)] for place in range(0, len(found), len(each))]

    def check_outputs(self, count: int) -> None:
        """Refuse a node that is to give more than it has."""
        if count > 1 + len(self._letters):
            raise Unsupported(f"gives {1 + len(self._letters)} outputs, the file expects {count}")

    # weights -------------------------------------------------------------------------------------------------------

    @property
    def on_kernels(self) -> bool:
        """Whether kernels alone run it, with the weights that it keeps."""
        return self._kept is not None and not any(isinstance(runner, Cell) for runner in self._kept.each)

    def keep(self, weights: Sequence[Any]) -> None:
        """Have these weights, W, R, B and P, of which the last two may be None, at each call, whatever it is given.

        Raises:
            Unsupported: they do not fit together.
        """
        self._kept = self._runners(weights)

    def _runners(self, weights: Sequence[Any]) -> _Runners:
        """What runs each direction with these weights."""
        weights = [*weights[:3], weights[3] if self.operator == "LSTM" else None]
        self._check(weights)
        runners = [self._runner(direction, [None if one is None else one[direction] for one in weights])
                   for direction in range(len(self.backwards))]
        w, r = weights[:2]
        return _Runners(runners, w.shape[2], r.shape[2], np.dtype(w.dtype.name))

    def _check(self, weights: Sequence[Any]) -> None:
        w, r = weights[:2]
        if r is None or w is None or r.ndim != 3 or w.ndim != 3 or not w.size or not r.size:
            raise Unsupported(f"W, R: expected three axes each, got {[getattr(one, 'shape', None) for one in (w, r)]}")
        units, inputs, directions = r.shape[2], w.shape[2], len(self.backwards)
        if self.units not in (None, units):
            raise Unsupported(f"attribute hidden_size: expected {units}, as R has, got {self.units}")
        gates = _LAYERS[self.operator].gates
        shapes = [(gates * units, inputs), (gates * units, units), (2 * gates * units,), (3 * units,)]
        for name, one, shape in zip("WRBP", weights, shapes):
            if one is not None and (one.shape != (directions, *shape) or one.dtype != w.dtype):
                raise Unsupported(f"{name}: expected {w.dtype} of shape {(directions, *shape)}, got {one.dtype} of "
                                  f"{one.shape}")
        if w.dtype.name not in ("float32", "float64"):
            raise Unsupported(f"W: expected float32 or float64, got {w.dtype}")

    def _runner(self, direction: int, weights: Sequence[Any]) -> Recurrent | Cell:
        w, r, b, p = weights
        names = self._layer_activations(direction)
        if names is None:
            return Cell(self.operator, w, r, b, p, self.activations[direction], self.clip, self.coupled,
                        self.reset_after)
        extra: dict[str, Any] = {} if self.operator == "RNN" else {"recurrent_activation": names[0]}
        if self.operator == "GRU":
            extra["reset_after"] = self.reset_after
        if p is not None:
            extra["use_peepholes"] = True
        layer = _LAYERS[self.operator](r.shape[1], activation=names[-1], use_bias=b is not None, dtype=w.dtype.name,
                                       return_state=True, go_backwards=self.backwards[direction],
                                       zero_output_for_mask=True, name=self.node.name or self.operator, **extra)
        layer.stored = dict(zip(("kernel", "recurrent_kernel", "bias"),
                                layouts.of_onnx(self.operator, w, r, b, self.reset_after)))
        if p is not None:
            layer.stored["peephole_kernel"] = layouts.swapped_peepholes(p.reshape(3, -1))
        layer.build((None, None, w.shape[1]))
        return layer

    def _layer_activations(self, direction: int) -> list[str] | None:
        """The names of a layer's activations, gates first, or None if no layer has what the node asks for."""
        names = [layouts.of_onnx_activation(*activation) for activation in self.activations[direction]]
        if self.clip is not None or self.coupled or None in names:
            return None
        if self.operator == "LSTM" and names[1] != names[2]:
            return None
        return names        # type: ignore[return-value]

    # a call --------------------------------------------------------------------------------------------------------

    def __call__(self, inputs: Sequence[Any], room: Room) -> tuple[np.ndarray, ...]:
        """Y (time, directions, batch, units) and the last states (directions, batch, units); with layout=1, the batch
        first in all of them."""
        x, w, r, b, lengths, h, c, p = inputs if len(inputs) == 8 else (*inputs, *(None,) * 8)[:8]
        runners, width, units, dtype = self._kept or self._runners([w, r, b, p])
        shape: tuple[int, ...] = () if x is None else x.shape
        if len(shape) != 3 or shape[2] != width or x.dtype != dtype:
            raise Unsupported(f"X: expected {dtype} of three axes, the last of {width}, got "
                              f"{None if x is None else (x.dtype, shape)}")
        x = x if self.batch_first else x.swapaxes(0, 1)
        batch, time, _ = x.shape
        directions = len(runners)
        first = self._initial([h, c], (directions, batch, units), dtype)
        mask = None if lengths is None else self._mask(lengths, batch, time)
        if not room.has(batch * time * directions * units * dtype.itemsize):
            room.check((batch, time, directions, units), dtype)     # says how much is missing
        by_sample, by_step, by_number = x.strides
        if by_number != dtype.itemsize:     # the kernels ask that the numbers of one step lie together
            x = np.ascontiguousarray(x)
        # Outputs lie as inputs do, so that what makes the one batch first costs nothing to undo in the other.
        if by_sample >= by_step:
            y = np.empty((batch, time, directions, units), dtype)
        else:
            y = np.empty((time, batch, directions, units), dtype).swapaxes(0, 1)
        final = [self._direction(number, runner, x, y[:, :, number], mask, first[number])
                 for number, runner in enumerate(runners)]
        axis = 1 if self.batch_first else 0
        if directions > 1:
            last = [np.stack(state, axis) for state in zip(*final)]
        else:
            last = [state[:, None] if axis else state[None] for state in final[0]]
        return (y if self.batch_first else y.transpose(1, 2, 0, 3), *last)

    def _direction(self, number: int, runner: Recurrent | Cell, x: np.ndarray, out: np.ndarray, mask: np.ndarray | None,
                   first: Sequence[Any]) -> list[np.ndarray]:
        """The last states of one direction, whose outputs are put into `out`, by the order of time."""
        backwards = self.backwards[number]
        if isinstance(runner, Cell) or not out.size:
            states = [np.zeros(out.shape[::2], out.dtype) if state is None else state for state in first]
            if not out.size:
                return [state.copy() for state in states]
            if isinstance(runner, Cell):
                return runner.run(x, out, mask, states, backwards)
        return runner.run(x, out[:, ::-1] if backwards else out, first, Call(mask=mask), False)

    def _initial(self, given: list[Any], shape: tuple[int, int, int], dtype: np.dtype) -> Sequence[Any]:
        """By direction, the first states, (batch, units) each: None for all of them where none is given, zeros where
        another one is."""
        if given[0] is None and given[1] is None:
            return self._zeros
        states = []
        for name, state in zip(self._letters, given):
            if state is None:
                state = np.zeros(shape, dtype)
            elif self.batch_first and state.ndim == 3:
                state = state.swapaxes(0, 1)
            if state.shape != shape or state.dtype != dtype:
                raise Unsupported(f"initial_{name}: expected {dtype} for {shape} directions, samples and units, got "
                                  f"{state.dtype} for {state.shape}")
            states.append(np.ascontiguousarray(state))
        return [[state[direction] for state in states] for direction in range(shape[0])]

    def _mask(self, lengths: np.ndarray, batch: int, time: int) -> np.ndarray:
        if lengths.shape != (batch,) or lengths.dtype.kind not in "iu" or lengths.min(initial=0) < 0 \
                or lengths.max(initial=0) > time:
            raise Unsupported(f"sequence_lens: expected {batch} whole numbers from 0 to {time}, got {lengths.dtype} of "
                              f"shape {lengths.shape}")
        return np.arange(time) < lengths[:, None]
