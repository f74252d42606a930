# SPDX-License-Identifier: Apache-2.0
"""The shapes of what a user's code gives, which runs on zeros show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.graph.eager import Eager
from fastrnn.graph.symbol import flatten
from fastrnn.layers.calling import Shape
from fastrnn.layers.own.call import as_output, filled, invoke, total_of

#: these are too small for the code.
_TRIALS = (((2, 24), (3, 31)), ((2, 160), (3, 167)))
#: Elements of an input in such a run.
_MOST = 1 << 28


class _Outputs:
    """What runs on zeros have shown of a call's outputs: flat lists, with the losses added as one more at the end."""

    def __init__(self, structure: Any, arrays_: list[Any], masked: list[bool], adds_loss: bool) -> None:
        self.structure, self.adds_loss = structure, adds_loss
        self.shapes: list[Shape] = [x.shape for x in arrays_]
        self.dtypes = [x.dtype.name for x in arrays_]
        self.masked = masked

    def differ(self, other: _Outputs) -> _Outputs:
        """These, with None for the sizes in which others differ."""
        self.shapes = [tuple(size if size == its else None for size, its in zip(shape, others))
                       for shape, others in zip(self.shapes, other.shapes)]
        return self


def outputs_for(layer: Any, args: Any, kwargs: Any, shapes: Sequence[Shape], dtypes: Sequence[str],
                 masked: Sequence[bool]) -> _Outputs:
    """The outputs for inputs of these shapes, by runs on zeros."""
    problem: Exception | None = None
    for (first, rest), others in _TRIALS:
        try:
            found = _on_zeros(layer, args, kwargs, shapes, dtypes, masked, first, rest)
            if any(None in shape for shape in shapes):
                found = found.differ(_on_zeros(layer, args, kwargs, shapes, dtypes, masked, *others))
            return found
        except (ValueError, IndexError) as error:       # which a longer sequence may mend
            problem = problem or error
            if not any(None in shape[1:] for shape in shapes):
                break
    assert problem is not None
    problem.add_note(f"in {layer}, whose code was run on zeros to know the shapes of its outputs, for inputs of shapes "
                     f"{', '.join(map(str, shapes))}")
    raise problem


def _on_zeros(layer: Any, args: Any, kwargs: Any, shapes: Sequence[Shape], dtypes: Sequence[str],
              masked: Sequence[bool], batch: int, size: int) -> _Outputs:
    sizes = [[given if given is not None else size if axis else batch for axis, given in enumerate(shape)]
             for shape in shapes]
    if any(math.prod(own) > _MOST for own in sizes):
        raise ValueError(f"expected inputs of at most {_MOST} elements for {batch} samples, got "
                         f"{', '.join(map(str, shapes))}")
    try:
        return _run_on(layer, args, kwargs, [np.zeros(own, dtype) for own, dtype in zip(sizes, dtypes)], masked)
    except np.linalg.LinAlgError:       # the code inverts matrices
        return _run_on(layer, args, kwargs, [_identities(own, dtype) for own, dtype in zip(sizes, dtypes)], masked)


def _identities(shape: Sequence[int], dtype: str) -> np.ndarray:
    return np.array(np.broadcast_to(np.eye(shape[-2], shape[-1]) if len(shape) > 1 else 1, shape), dtype)


def _run_on(layer: Any, args: Any, kwargs: Any, zeros: list[np.ndarray], masked: Sequence[bool]) -> _Outputs:
    with Eager(False) as running, np.errstate(all="ignore"):
        running.shapes_alone = True
        for x, mask in zip(zeros, masked):
            if mask:
                running.give_mask(x, np.ones(x.shape[:2], bool))
        args, kwargs = filled((args, kwargs), zeros)
        y = invoke(layer, args, kwargs, running)
        outputs = flatten(y)
        masks = [running.mask_of(one) is not None for one in outputs]
        losses = [total_of(running.losses)] if running.losses else []
    return _Outputs(y, [as_output(one, layer.dtype) for one in (*outputs, *losses)],
                    [*masks, *[False] * len(losses)], bool(losses))


def sample(made: list[np.ndarray]) -> Any:
    """Arrays as one argument."""
    return made[0] if len(made) == 1 else made
