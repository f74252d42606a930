# SPDX-License-Identifier: Apache-2.0
"""Stream: sessions that go on time step by time step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.serving import state_bytes
from fastrnn.serving.lengths import check_lengths


class Stream:
    """Sessions of a frozen model, each in a slot; `frozen.stream()` makes it.

    What a slot's layers remember of its past lies in the stream, so a step costs what its arithmetic costs. Slots are
    independent of each other: the output of one is the same bits whatever the others do, and however its time steps are
    dealt out to calls. One thread at a time may be inside; for several threads make a stream each, of one frozen model.

    Args:
        program: the compiled program of the model.
        dtype: of its arrays.
        identity: gives bytes that no other model has, for `dumps` and `loads`.
        slots: that are open from the start.
        threads: at most; None for `runtime.get_num_threads()`.

    Raises:
        RuntimeError: at any call, if another thread is inside.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
    >>> stream = model.freeze().stream()
    >>> x = np.ones((1, 5, 3), "float32")
    >>> steps = [stream.step(x[:, t]) for t in range(5)]
    >>> bool(np.allclose(steps[-1], model.predict_on_batch(x), atol=1e-6))
    True
    """

    def __init__(self, program: Any, dtype: str, identity: Callable[[], bytes], slots: int,
                 threads: int | None = None) -> None:
        self._program, self._dtype, self._identity = program, dtype, identity
        self._threads = threads
        self._runner = _core.kernels(dtype).StreamRunner(program, slots, threads or runtime.get_num_threads())
        self._open = np.ones(slots, bool)
        self._every = True                  # slot is open
        self._names = [(f"{layer}/{name}", tuple(shape)) for layer, name, shape in program.states]

    # slots -----------------------------------------------------------------------------------------------------------

    @property
    def slots(self) -> list[int]:
        """The numbers of the open slots, in order."""
        found: list[int] = np.flatnonzero(self._open).tolist()
        return found

    def __len__(self) -> int:
        return int(np.count_nonzero(self._open))

    def __repr__(self) -> str:
        return f"<Stream of {len(self)} slots>"

    def open(self) -> int:
        """Open a slot at the beginning of its sequence: the lowest number that is free, or a new one. Others go on as
        they are."""
        free = np.flatnonzero(~self._open)
        if not free.size:
            more = np.zeros(max(1, len(self._open)), bool)
            self._runner.grow(len(self._open) + len(more))
            self._open = np.concatenate([self._open, more])
            free = np.flatnonzero(~self._open)
        slot = int(free[0])
        self._runner.reset(np.array([slot], np.int32))
        self._open[slot] = True
        self._every = bool(self._open.all())
        return slot

    def close(self, slot: int) -> None:
        """Close a slot; its state is forgotten, and its number free.

        Raises:
            ValueError: it is not open.
        """
        self._check([slot], "close")
        with self._alone():
            self._open[slot] = False
            self._every = False

    def reset(self, slots: Any = None) -> None:
        """Begin new sequences.

        Args:
            slots: their numbers; None for all.

        Raises:
            ValueError: one is not open, or listed twice.
        """
        self._runner.reset(self._check(self.slots if slots is None else slots, "reset"))

    # steps -----------------------------------------------------------------------------------------------------------

    def step(self, x: Any, slots: Any = None, out: np.ndarray | None = None) -> np.ndarray:
        """One time step.

        Args:
            x: (slots, features), a row for each slot, any numeric dtype; below an `Embedding` indices (slots,).
            slots: the numbers of the slots that go on, each once, in the order of the rows; None for all that are open.
            out: float array (slots, outputs) of the model's dtype that the output is written to.

        Returns:
            The outputs (slots, outputs): `out` if it is given.

        Raises:
            ValueError: an argument does not fit. No slot has gone on then.
        """
        if slots is None and out is None and self._every:
            y: np.ndarray | None = self._runner.step(x)
            if y is not None:
                return y
        x = self._checked(x, 1)
        y = self._run(x[:, None], slots, None, None if out is None else self._out(out, (len(x), self._width))[:, None])
        return y[:, 0] if out is None else out

    def feed(self, x: Any, slots: Any = None, lengths: Any = None, out: np.ndarray | None = None) -> np.ndarray:
        """Some time steps.

        Args:
            x: (slots, time, features), or indices (slots, time).
            slots: as in `step`.
            lengths: (slots,), time steps of each; what is beyond is padding, where the output is 0. None for all.
            out: as in `step`, (slots, time, outputs).

        Returns:
            The outputs (slots, time, outputs): `out` if it is given.

        Raises:
            ValueError: an argument does not fit. No slot has gone on then.
            KeyboardInterrupt: Ctrl-C; no slot has gone on.
        """
        if slots is None and lengths is None and out is None and self._every:
            y: np.ndarray | None = self._runner.steps(x)
            if y is not None:
                return y
        x = self._checked(x, 2)
        return self._run(x, slots, lengths, None if out is None else self._out(out, (*x.shape[:2], self._width)))

    @property
    def _width(self) -> int:
        return int(self._program.widths[-1])

    def _checked(self, x: Any, axes: int) -> np.ndarray:
        """The input as the kernels have it; `axes` before its features."""
        if self._program.indices:
            x = arrays.as_index(x, self._program.indices, "stream x")
            expected = ("slots", "time")[:axes]
        else:
            x = arrays.as_float(x, self._dtype, "stream x")
            expected = (*("slots", "time")[:axes], self._program.widths[0])
        if x.ndim != len(expected) or (not self._program.indices and x.shape[-1] != expected[-1]):
            hint = ""
            if x.ndim == len(expected) - 1:
                hint = "; for one slot pass x[None]"
            raise ValueError(f"stream x: expected ({', '.join(map(str, expected))}{',' * (len(expected) == 1)}), got "
                             f"{x.shape}{hint}")
        return x

    def _out(self, out: Any, shape: tuple[int, ...]) -> np.ndarray:
        if not isinstance(out, np.ndarray) or out.shape != shape or not arrays.is_ready(out, self._dtype) \
                or not out.flags.writeable:
            got = f"{out.dtype} of {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
            raise ValueError(f"stream out: expected a writable contiguous array of {self._dtype} of {shape}, got {got}")
        return out

    def _run(self, x: np.ndarray, slots: Any, lengths: Any, out: np.ndarray | None) -> np.ndarray:
        if slots is None and self._every:
            rows, count = None, len(self._open)
        else:
            rows = self._check(self.slots if slots is None else slots, "slots")
            count = len(rows)
        if len(x) != count:
            raise ValueError(f"stream x: expected a row for each of {count} slots, got {len(x)}")
        steps = None if lengths is None else check_lengths(lengths, count, x.shape[1])
        if out is None:
            out = np.empty((*x.shape[:2], self._width), self._dtype)
        if count and x.shape[1]:
            self._runner.feed(np.ascontiguousarray(x), out, rows, steps)
        return out

    def _check(self, slots: Any, what: str) -> np.ndarray:
        """Numbers of open slots, int32, each once; or a ValueError."""
        if np.asarray(slots).dtype == bool:
            raise ValueError(f"stream {what}: expected numbers of slots, got booleans; pass np.flatnonzero of them")
        given = np.atleast_1d(arrays.as_whole(slots, f"stream {what}")) if len(np.atleast_1d(slots)) else np.zeros(0)
        if given.ndim != 1:
            raise ValueError(f"stream {what}: expected a list of slots, got {given.shape}")
        for slot in given.tolist():
            if not 0 <= slot < len(self._open) or not self._open[int(slot)]:
                state = "closed" if 0 <= slot < len(self._open) else "unknown"
                raise ValueError(f"stream {what}: slot {int(slot)} is {state}; open slots: {_listed(self.slots)}")
        if len(set(given.tolist())) < len(given):
            twice = next(slot for slot in given.tolist() if given.tolist().count(slot) > 1)
            raise ValueError(f"stream {what}: slot {int(twice)} is listed twice; a slot goes on once a call")
        return given.astype(np.int32)

    # states ----------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What the open slots remember, by the layer's name and "h", "c" or "past" (the last inputs of a convolution):
        copies, (slots, ...) each. Assign such a dictionary to set all of them."""
        with self._alone():
            return {name: array[self._open] for (name, _), array in zip(self._names, self._runner.states)}

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        if not isinstance(state, Mapping) or set(state) != {name for name, _ in self._names}:
            got = ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(f"stream state: expected arrays {', '.join(name for name, _ in self._names)}, got {got}")
        checked = [arrays.as_float(state[name], self._dtype, f"stream state {name!r}") for name, _ in self._names]
        for (name, shape), array in zip(self._names, checked):
            if array.shape != (len(self), *shape):
                raise ValueError(f"stream state {name!r}: expected {(len(self), *shape)}, got {array.shape}")
        with self._alone():
            for mine, array in zip(self._runner.states, checked):
                mine[self._open] = array

    def copy(self) -> Stream:
        """A stream of the same model with the same slots and states, which goes its own way from here."""
        other = Stream(self._program, self._dtype, self._identity, len(self._open), self._threads)
        with self._alone():
            for mine, its in zip(self._runner.states, other._runner.states):
                its[...] = mine
        other._open, other._every = self._open.copy(), self._every
        return other

    def dumps(self, slot: int) -> bytes:
        """What a slot remembers, as bytes for `loads`, also in another process or machine, of the same frozen model.

        Raises:
            ValueError: the slot is not open.
        """
        [slot] = self._check([slot], "dumps").tolist()
        with self._alone():
            return state_bytes.pack(self._identity(), [array[slot] for array in self._runner.states])

    def loads(self, data: bytes, slot: int) -> None:
        """Have a slot remember what another did.

        Args:
            data: from `dumps`.
            slot: an open one.

        Raises:
            ValueError: the bytes are not whole, or of another model or version; the slot is as it was.
        """
        [slot] = self._check([slot], "loads").tolist()
        found = state_bytes.unpack(data, self._identity(), [shape for _, shape in self._names], self._dtype)
        with self._alone():
            for mine, array in zip(self._runner.states, found):
                mine[slot] = array

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._runner.hold()
        try:
            yield
        finally:
            self._runner.release()


def _listed(slots: list[int]) -> str:
    return f"{', '.join(map(str, slots[:8]))}{', ...' if len(slots) > 8 else ''}" or "none"
