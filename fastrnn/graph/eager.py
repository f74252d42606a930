# SPDX-License-Identifier: Apache-2.0
"""A run of a user's own code: layers that it calls learn from it whether they train, which mask goes with an array, and
where what they did is traced."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.graph.tape import Tape, engine, is_box, plain


class _Here(threading.local):
    running: Eager | None = None


_here = _Here()


def current() -> Eager | None:
    """The run that the calling thread is in."""
    return _here.running


def tape() -> Tape | None:
    """Its tape, None where nothing is traced."""
    running = _here.running
    return None if running is None else running.tape


def namespace() -> types.ModuleType:
    """NumPy, or autograd's in a run that is traced."""
    return np if tape() is None else engine().numpy


def penalty(regularizer: Any, x: Any) -> Any:
    """A regularizer's penalty on an output, a box if that is one: a mean over the batch, as in Keras."""
    values, running = plain(x), tape()
    share = 1 / max(1, len(values)) if values.ndim else 1.0
    value = np.asarray(regularizer(values) * share, values.dtype)
    if running is None or not is_box(x):
        return value
    return running.record(value, [x], lambda dy: dy * share * regularizer.gradient(values))


#: Functions that nobody expects a gradient of.
_CONSTANT = frozenset(["full_like", "ndim", "ones_like", "shape", "size", "stop_gradient", "zeros_like"])


def differentiated(function: Callable[..., Any], *xs: np.ndarray, who: str = ""
                   ) -> tuple[Any, Callable[[np.ndarray], list[Any]]]:
    """What a user's function gives for arrays, and a function that gives their gradients for that of it, once.

    Raises:
        ValueError: `who` is given, for the error, and a function without a gradient lies on the way.
    """
    with Eager(traced=True) as running:
        assert running.tape is not None
        trace = running.tape
        boxes = [trace.box(x) for x in xs]
        y = function(*boxes)
    ends = [name for name in dict.fromkeys(trace.ends) if name not in _CONSTANT]
    if who and ends and not is_box(y):
        raise ValueError(f"{who}: nothing can be trained by it: ops.{', ops.'.join(ends)} "
                         f"{'has' if len(ends) == 1 else 'have'} no gradient; use functions that have one")
    return plain(y), lambda dy: trace.backward([y], [dy], boxes, ())


class Eager:
    """One run of a user's own code, by `with`.

    Args:
        training: what layers inside are told that nobody tells anything else.
        traced: a backward pass follows.
        call: of the layer that has the code, whose pass adds up the gradients.

    Attributes:
        losses: what `add_loss` and penalties on outputs have added, boxes if traced.
        shapes_alone: the arrays are zeros, and nobody looks at values.
    """

    def __init__(self, training: bool = False, traced: bool = False, call: Call | None = None) -> None:
        self._outer = _here.running
        level = 0 if self._outer is None else self._outer.level + 1
        self.level: int = level
        self.training = training
        self.tape = Tape(None if call is None else call.pass_, level) if traced else None
        self.losses: list[Any] = []
        self.shapes_alone = False
        self._masks: dict[int, tuple[Any, Any]] = {}

    def __enter__(self) -> Self:
        _here.running = self
        return self

    def __exit__(self, *_: object) -> None:
        _here.running = self._outer

    # masks ---------------------------------------------------------------------------------------------------------

    def mask_of(self, x: Any) -> Any:
        """The mask that goes with an array, None if none does."""
        return self._masks.get(id(x), (None, None))[1]

    def give_mask(self, x: Any, mask: Any) -> None:
        """From now on this mask goes with this array."""
        if mask is not None:
            self._masks[id(x)] = x, mask        # which must live as long, as the key is its address

    # the library's layers ------------------------------------------------------------------------------------------

    def call(self, layer: Any, inputs: Sequence[Any], training: bool | None, mask: Any,
             options: Any = None) -> Any:
        """The output of a layer of the library that the code calls: boxes if it is traced, else arrays."""
        if layer.penalizes_inside:
            return self._call_by_parts(layer, inputs, training, mask, options)
        training = self.training if training is None else bool(training)
        merges = layer.masks == "merge"
        if mask is None:
            masks = [self.mask_of(x) for x in inputs]
            mask = masks[0] if not merges else masks if any(one is not None for one in masks) else None
        xs = layer.check_inputs([plain(x) for x in inputs])
        if not layer.built:
            layer.build(*(x.shape for x in xs))
        mask = layer.check_masks(_plain_masks(mask), xs)
        call = Call(training, mask, taped=self.tape is not None, options=options)
        y = layer.forward(*xs, call=call) if self.tape is None else self._traced(layer, inputs, xs, call, self.tape)
        if mask is not None or layer.masks == "make":
            given = layer.compute_mask(xs if merges else xs[0], mask)
            for one, its in zip(y if isinstance(y, list) else [y], given if isinstance(given, list) else [given]):
                self.give_mask(one, its)
        self._penalize(layer, y)
        return y

    def _call_by_parts(self, layer: Any, inputs: Sequence[Any], training: bool | None, mask: Any, options: Any) -> Any:
        """As `call`, of a layer that has layers inside with penalties on their outputs."""
        if not layer.built:
            layer.build(*(plain(x).shape for x in inputs))

        def run(inner: Any, xs: Sequence[Any], as_its_caller: bool = True) -> list[Any]:
            y = self.call(inner, xs, training, *((mask, options) if as_its_caller else (None,)))
            return y if isinstance(y, list) else [y]

        outputs = layer.by_parts(run, list(inputs))
        self._penalize(layer, outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _penalize(self, layer: Any, y: Any) -> None:
        if layer.activity_regularizer is not None:
            self.losses += [penalty(layer.activity_regularizer, one) for one in (y if isinstance(y, list) else [y])]

    def _traced(self, layer: Any, inputs: Sequence[Any], xs: list[Any], call: Call, tape: Tape) -> Any:
        call.pass_ = tape.pass_
        call.spared = frozenset(index for index, x in enumerate(inputs) if not is_box(x))

        def back(*dys: Any) -> Any:
            dx = layer.backward(*dys, call=call)
            tape.pass_.done()
            return dx

        return tape.record(layer.forward(*xs, call=call), inputs, back)


def _plain_masks(mask: Any) -> Any:
    return [plain(one) for one in mask] if isinstance(mask, (list, tuple)) else plain(mask)
