# SPDX-License-Identifier: Apache-2.0
"""One use of a layer: a layer has weights, a call has everything else."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from fastrnn import arrays

_NO_OPTIONS: Mapping[str, Any] = {}


class Call:
    """One use of a layer: what its `forward` is told, and what that leaves for `backward`.

    A layer that is used twice has two of them, and so do two threads that predict with it.

    Args:
        training: dropout acts.
        taped: `backward` follows; None if it does in training.
        options: further arguments of the call, of a layer that has any: {"use_causal_mask": True}.
        mask: of the input, bool, its first axes; a list of one for each input where the layer merges masks; or None.
        rows: an `Embedding` gives `arrays.Rows`, as the layer above reads them in the table.

    Attributes:
        kept: what `forward` leaves for `backward`, None if nothing.
        buffers: arrays that each pass uses again.
        spared: indices of the inputs whose gradients nobody wants.
        logits: the gradient of the output is that of what enters the layer's `output_activation`.
        arguments: of a layer with a `call` of the user's own, as the caller wrote them, with symbols for the inputs.
        masks_made: the masks that such a layer gave its outputs.

    Example:

    >>> from fastrnn.layers import Dense
    >>> layer, one, two = Dense(1), Call(training=True), Call(training=True)
    >>> layer.build((None, 2))
    >>> _ = layer.forward(np.ones((3, 2), "float32"), call=one)
    >>> _ = layer.forward(np.ones((5, 2), "float32"), call=two)
    >>> layer.backward(np.ones((3, 1), "float32"), call=one).shape
    (3, 2)
    """

    __slots__ = ("_inside", "arguments", "buffers", "kept", "logits", "mask", "masks_made", "options", "pass_", "rows",
                 "spared", "taped", "training")

    def __init__(self, training: bool = False, mask: Any = None, rows: bool = False, taped: bool | None = None,
                 options: Mapping[str, Any] | None = None) -> None:
        self.training, self.mask, self.rows = training, mask, rows
        self.taped = training if taped is None else taped
        self.options = options or _NO_OPTIONS
        self.kept: Any = None
        self.buffers = arrays.Buffers()
        self.spared: frozenset[int] = frozenset()
        self.logits = False
        self.pass_: Pass | None = None
        self.arguments: Any = None
        self.masks_made: list[Any] = []
        self._inside: dict[Hashable, Any] = {}

    def wants(self, index: int = 0) -> bool:
        """Whether somebody wants the gradient of the input of an index."""
        return index not in self.spared

    def gradient(self, variable: Any) -> np.ndarray:
        """The array that the variable's gradient is written to. Where several calls of a pass have the variable, their
        gradients are added up."""
        return variable.gradient() if self.pass_ is None else self.pass_.gradient(variable)

    def of(self, part: Hashable, make: Any = None) -> Any:
        """What belongs to a part of the layer, made once: the call of a layer inside, or what `make()` gives."""
        found = self._inside.get(part)
        if found is None:
            found = self._inside[part] = Call() if make is None else make()
            if make is None:
                found.pass_ = self.pass_
        return found

    def inner(self, part: Hashable, mask: Any = None) -> Call:
        """The call of a layer inside, in the same mode."""
        if not self.taped:
            return Call(self.training, mask)
        call: Call = self.of(part)
        call.training, call.taped, call.mask = self.training, True, mask
        return call


class Pass:
    """Adds up the gradients of variables that several calls of a backward pass have.

    The first call of a pass writes to the variable's own gradient, each later one to an array that is added to it when
    the call is done: in the order of the schedule, so that bits depend on the graph alone.
    """

    def __init__(self) -> None:
        self._written: set[int] = set()
        self._pending: list[tuple[Any, np.ndarray]] = []
        self._scratch: dict[int, np.ndarray] = {}

    def begin(self) -> None:
        """A new backward pass."""
        self._written.clear()
        self._pending.clear()

    def first(self, variable: Any) -> bool:
        """Whether no call of this pass has written the variable's gradient; from now on one has."""
        if id(variable) in self._written:
            return False
        self._written.add(id(variable))
        return True

    def gradient(self, variable: Any) -> np.ndarray:
        """See `Call.gradient`."""
        if self.first(variable):
            return variable.gradient()
        scratch = self._scratch.get(id(variable))
        if scratch is None:
            scratch = self._scratch[id(variable)] = np.empty_like(variable.data)
        self._pending.append((variable, scratch))
        return scratch

    def done(self) -> None:
        """A call has written its gradients."""
        for variable, scratch in self._pending:
            variable.add_gradient(scratch)
        self._pending.clear()


#: Of inference without a mask, which keeps nothing, so that all threads can share it; and where rows are handed on.
INFERENCE, INFERENCE_ROWS = Call(), Call(rows=True)
