# SPDX-License-Identifier: Apache-2.0
"""ONNX's RNN, LSTM and GRU nodes, run by fastrnn's layers, or where those lack something by `onnx_cells`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from fastrnn.layers import GRU, LSTM, SimpleRNN
from fastrnn.layers.recurrent import Recurrent
from fastrnn.saving import layouts
from fastrnn.saving.errors import shown
from fastrnn.saving.onnx_cells import ACTIVATIONS, Activation, Cell
from fastrnn.saving.onnx_graph import Node, Unsupported
from fastrnn.saving.onnx_room import Room

_LAYERS: dict[str, type[Recurrent]] = {"RNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}
_DEFAULTS = {"RNN": ("tanh",), "LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}
#: What the kernels ask of arrays; a constant is the file's own bytes, which can lie anywhere, and so can an input.
_FOR_KERNELS: tuple[Literal["C"], Literal["A"]] = ("C", "A")
_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


class RecurrentNode:
    """A node with what its attributes say.

    Attributes:
        constant: the weights are the same at each call, so that the layers made of them are kept.

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
        self.constant = False
        self._made: list[Recurrent | Cell] = []

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

    # weights -------------------------------------------------------------------------------------------------------

    def _runners(self, weights: Sequence[Any]) -> list[Recurrent | Cell]:
        """What runs each direction with these weights: W, R, B and P, the last two of which may be None."""
        if self._made:
            return self._made
        self._check(weights)
        runners = [self._runner(direction, [None if one is None else one[direction] for one in weights])
                   for direction in range(len(self.backwards))]
        if self.constant:
            self._made = runners
        return runners

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
        states = _LAYERS[self.operator].state_count
        x, w, r, b, lengths, *rest = (*inputs, *(None,) * 8)[:8]
        runners = self._runners([w, r, b, rest[2] if self.operator == "LSTM" else None])
        if x is None or x.ndim != 3 or x.shape[2] != w.shape[2] or x.dtype != w.dtype:
            raise Unsupported(f"X: expected {w.dtype} of three axes, the last of {w.shape[2]}, got "
                              f"{None if x is None else (x.dtype, x.shape)}")
        x = x if self.batch_first else x.swapaxes(0, 1)
        batch, time = x.shape[:2]
        units, directions = r.shape[2], len(self.backwards)
        given = [self._initial(name, state, batch, units, w.dtype) for name, state in zip("hc", rest[:states])]
        mask = None if lengths is None else self._mask(lengths, batch, time)
        room.check((batch, time, directions, units), w.dtype)
        shape = (batch, time, directions, units) if self.batch_first else (time, directions, batch, units)
        y = np.zeros(shape, w.dtype)
        final = []
        for direction, (runner, backwards) in enumerate(zip(runners, self.backwards)):
            out = y[:, :, direction] if self.batch_first else y[:, direction].swapaxes(0, 1)
            first = [np.require(state[direction], requirements=_FOR_KERNELS) for state in given]
            if not batch or not time:
                final.append(first)
            elif isinstance(runner, Cell):
                final.append(runner.run(x, out, mask, first, backwards))
            else:
                steps = out[:, ::-1] if backwards else out
                final.append(runner.run(np.require(x, requirements=_FOR_KERNELS), steps, False, mask, first))
        last = [np.stack(state, 1 if self.batch_first else 0) for state in zip(*final)]
        return (y, *last)

    def _initial(self, name: str, state: Any, batch: int, units: int, dtype: np.dtype) -> np.ndarray:
        """(directions, batch, units)"""
        shape = (len(self.backwards), batch, units)
        if state is None:
            return np.zeros(shape, dtype)
        if state.ndim == 3 and self.batch_first:
            state = state.swapaxes(0, 1)
        if state.shape != shape or state.dtype != dtype:
            raise Unsupported(f"initial_{name}: expected {dtype} for {shape} directions, samples and units, got "
                              f"{state.dtype} for {state.shape}")
        return state

    def _mask(self, lengths: np.ndarray, batch: int, time: int) -> np.ndarray:
        if lengths.shape != (batch,) or lengths.dtype.kind not in "iu" or lengths.min(initial=0) < 0 \
                or lengths.max(initial=0) > time:
            raise Unsupported(f"sequence_lens: expected {batch} whole numbers from 0 to {time}, got {lengths.dtype} of "
                              f"shape {lengths.shape}")
        return np.arange(time) < lengths[:, None]
