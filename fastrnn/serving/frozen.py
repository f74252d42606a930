# SPDX-License-Identifier: Apache-2.0
"""Frozen: a model for inference alone."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from fastrnn import arrays, runtime
from fastrnn.layers.network import Network
from fastrnn.serving.freezing import Fold, FrozenNetwork
from fastrnn.serving.lengths import check_lengths
from fastrnn.serving.program import make_program
from fastrnn.serving.streaming import Stream

_ARRAY = np.ndarray     # found at once
_IDLE_SIZES = 4         # batch sizes of `step` that a stream is kept for
#: Bytes that folded tables may take if nobody says otherwise.
FOLD_BYTES = 64 << 20


class Frozen:
    """A model as it was when it was frozen, for inference alone; `model.freeze()` makes it.

    It has a copy of the weights that nobody changes, packed once for the kernels. Layers that do nothing in inference
    are gone, and a `BatchNormalization` is a part of the weights beside it where these can do its work. A recurrent
    layer above an `Embedding` reads the products of the table's rows with its kernel, computed once, rather than the
    rows. Nothing stays from call to call, also where a layer was stateful. Any number of threads may use it at once.

    Args:
        model: a `Model` or `Sequential`, built.
        precision: of weights and products: "float32", which is the model's own dtype.
        fold_bytes: memory that folded tables may take.

    Raises:
        ValueError: the model is not built; there is no such precision.
        TypeError: it is no model.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
    >>> frozen = model.freeze()
    >>> frozen(np.zeros((2, 5, 3))).shape
    (2, 1)
    """

    def __init__(self, model: Any, precision: str = "float32", fold_bytes: int = FOLD_BYTES) -> None:
        if not isinstance(model, Network):
            raise TypeError(f"freeze: expected a Sequential or a Model, got {type(model).__name__}")
        if model.unrolled() is None:
            raise ValueError(f"freeze: {model} computes in code of its own, which cannot be frozen; build it of layers "
                             "on symbols, or use predict_on_batch")
        if precision != "float32":
            raise ValueError(f"freeze precision: expected 'float32', got {precision!r}")
        if not isinstance(fold_bytes, (int, np.integer)) or fold_bytes < 0:
            raise ValueError(f"freeze fold_bytes: expected a number of bytes, got {fold_bytes!r}")
        self._begin(FrozenNetwork(model, int(fold_bytes)), precision, None)

    @classmethod
    def restored(cls, network: FrozenNetwork, precision: str, identity: bytes) -> Self:
        """One as it was, of what a file has."""
        self = cls.__new__(cls)
        self._begin(network, precision, identity)
        return self

    def _begin(self, network: FrozenNetwork, precision: str, identity: bytes | None) -> None:
        self.network, self.precision, self._identity = network, precision, identity
        self._program: Any = None
        self._runner = network.direct_runner()
        self._idle: dict[tuple[int, int], list[Stream]] = {}

    def __getstate__(self) -> tuple[Any, ...]:
        return self.network, self.precision, self._identity

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._begin(*state)

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write it to a file that `fastrnn.serving.load` maps into memory. Beside the weights it has what the kernels
        read of them, so that nothing is packed when a process starts, and processes share one copy.

        Args:
            filepath: a `.safetensors` file; the suffix is added if there is none.
            overwrite: replace a file that is there.

        Raises:
            ValueError: another suffix, or a layer that files do not have.
            FileExistsError: there is a file and `overwrite` is False.
            OSError: the file cannot be written; an old one is as it was.
        """
        files().save_frozen(self, filepath, overwrite)

    @property
    def name(self) -> str:
        """That of the model."""
        return self.network.name

    def __repr__(self) -> str:
        return f"<Frozen {self.network.name!r}, precision={self.precision}>"

    # whole sequences -------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, lengths: Any = None, out: np.ndarray | None = None) -> Any:
        """The outputs for a batch, as `model.predict_on_batch` gives them.

        Args:
            x: inputs, `(batch, ...)`; several in a list or a dictionary.
            lengths: `(batch,)`, time steps of each sample; None for all. Those after them are masked in the first
                input, with what that means to each layer: recurrent layers, pooling and the like leave them out; above
                a layer that drops masks or makes its own, as `Conv1D` and `Masking` do, they count.
            out: array that the output is written to, of its shape and dtype.

        Raises:
            ValueError: an argument does not fit; names the layer, what was expected and what came.
        """
        if lengths is None:
            y = self.network.direct(x)
            if y is None:
                y = self.network.pack(self.network.run(self.network.prepare(x))[0])
        else:
            y = self.network.pack(self._with_lengths(self.network.prepare(x), lengths))
        return y if out is None else _written(y, out)

    def _with_lengths(self, xs: list[np.ndarray], lengths: Any) -> list[Any]:
        x = xs[0]
        if x.ndim < 2:
            raise ValueError(f"{self}: lengths: expected an input with a time axis, got {x.shape}")
        given = check_lengths(lengths, x.shape[0], x.shape[1])
        mask = np.arange(x.shape[1]) < given[:, None]
        return self.network.schedule(frozenset([0])).infer(xs, [mask, *[None] * (len(xs) - 1)])[0]

    def predict(self, x: Any, batch_size: int = 32) -> Any:
        """The outputs for any number of samples, computed batch by batch.

        Args:
            x: inputs, `(samples, ...)`; several in a list or a dictionary.
            batch_size: samples a batch.
        """
        if self._runner and type(x) is _ARRAY and x.ndim > 1 and type(batch_size) is int and len(x) <= batch_size:
            y = self._runner.output(x, runtime.get_num_threads())
            if y is not None:
                return y
        size = _count(batch_size, "predict batch_size")
        xs = self.network.prepare(x)
        parts = [self.network.run([one[start:start + size] for one in xs])[0]
                 for start in range(0, max(1, len(xs[0])), size)]
        return self.network.pack(parts[0] if len(parts) == 1 else [np.concatenate(outputs) for outputs in zip(*parts)])

    def report(self) -> list[Fold]:
        """What was folded into what: for each layer that is gone its name, that of the layer that does its work, and
        the bytes that this takes beside the weights.

        Example:

        >>> import fastrnn
        >>> from fastrnn.layers import Embedding, LSTM
        >>> model = fastrnn.Sequential([fastrnn.Input((None,)), Embedding(10, 4, name="words"), LSTM(4, name="text")])
        >>> [(fold.layer, fold.into) for fold in model.freeze().report()]
        [('words', 'text')]
        """
        return list(self.network.folds)

    # step by step ----------------------------------------------------------------------------------------------------

    def stream(self, slots: int = 1) -> Stream:
        """Sessions that go on time step by time step, each in a slot with states of its own.

        Args:
            slots: that are open from the start.

        Raises:
            ValueError: a layer cannot run step by step: names it, and says why.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.GRU(8), fastrnn.layers.Dense(1)])
        >>> stream = model.freeze().stream(slots=2)
        >>> stream.step(np.zeros((2, 3), "float32")).shape
        (2, 1)
        """
        return Stream(self.program, self.network.dtype, self.identity, _count(slots, "stream slots"))

    def identity(self) -> bytes:
        """32 bytes that no other model has: of its layers and weights, not of their names."""
        if self._identity is None:
            layers = [[type(step.layer).__name__, step.inputs, step.outputs, _nameless(step.layer.get_config()),
                       [variable.shape for variable in step.layer.weights]] for step in self.network.schedule().steps]
            digest = hashlib.sha256(json.dumps(layers, sort_keys=True, default=lambda o: type(o).__name__).encode())
            for variable in self.network.variables:
                digest.update(np.ascontiguousarray(variable.data).data)
            self._identity = digest.digest()
        return self._identity

    @property
    def program(self) -> Any:
        """The compiled program that streams run."""
        if self._program is None:
            self._program = make_program(self.network.schedule())
        return self._program

    def initial_state(self, batch: int) -> dict[str, np.ndarray]:
        """The state that sequences begin with, for `step`: zeros.

        Args:
            batch: samples.
        """
        return {name: np.zeros((_count(batch, "initial_state batch"), *shape), self.network.dtype)
                for name, shape in self.state_shapes.items()}

    @property
    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The arrays of a state by name: that of the layer and "h", "c" or "past"; their shapes for one sample."""
        return {f"{layer}/{name}": shape for layer, name, shape in self.program.states}

    def step(self, x: Any, state: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """One time step from a state that is given: `y, state = frozen.step(x, state)`.

        Args:
            x: (batch, features), or (batch,) of indices.
            state: from `initial_state`, or the step before. It stays as it is.

        Returns:
            The output (batch, ...), and the state after the step, in new arrays.

        Raises:
            ValueError: `x` or `state` do not fit the model or each other.
        """
        x = arrays.as_array(x, "step x")
        if x.ndim == 0 or len(x) == 0:
            raise ValueError(f"step x: expected (batch, features) or (batch,) of one sample or more, got {x.shape}")
        key = len(x), runtime.get_num_threads()
        if len(self._idle) > _IDLE_SIZES:
            self._idle.clear()
        idle = self._idle.setdefault(key, [])       # streams that no thread is in at the moment
        try:
            stream = idle.pop()
        except IndexError:
            stream = Stream(self.program, self.network.dtype, self.identity, *key)
        try:
            stream.state = state
            return stream.step(x), stream.state
        finally:
            idle.append(stream)


def _nameless(config: Any) -> Any:
    """A configuration without the names of layers, which differ from model to model."""
    if isinstance(config, dict):
        return {str(key): _nameless(value) for key, value in config.items() if key != "name"}
    return [_nameless(value) for value in config] if isinstance(config, (list, tuple)) else config


def files() -> Any:
    """The module of frozen models' files, imported when one is first asked for: it needs models, and these need this
    module."""
    return importlib.import_module("fastrnn.saving.frozen_file")


def _written(y: Any, out: Any) -> np.ndarray:
    if not isinstance(y, np.ndarray):
        raise ValueError("out: expected None, as the model has several outputs")
    if not isinstance(out, np.ndarray) or out.shape != y.shape or out.dtype != y.dtype or not out.flags.writeable:
        got = f"{out.dtype} of {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out: expected a writable array of {y.dtype} of {y.shape}, got {got}")
    out[...] = y
    return out


def _count(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{what}: expected a whole number of 1 or more, got {value!r}")
    return int(value)
