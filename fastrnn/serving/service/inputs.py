# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a request to an array that the model takes, or an error that says what is wrong with them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.layers.core.embedding import Embedding
from fastrnn.serving.frozen import Frozen


class InputError(ValueError):
    """A request that does not fit.

    Args:
        message: what was expected, and what came.
        status: of HTTP.
    """

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


def parse(text: str | bytes, key: str) -> Any:
    """What a JSON object has below its one key.

    Raises:
        InputError: it is no JSON, or another object.

    >>> parse('{"x": [1, 2]}', "x")
    [1, 2]
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise InputError("expected JSON, got brackets too deep", 400) from None
    except ValueError as error:                 # UnicodeDecodeError is one, too
        raise InputError(f"expected JSON: {error}", 400) from None
    if not isinstance(value, dict) or list(value) != [key]:
        got = f"the keys {', '.join(map(repr, list(value)[:4]))}" if isinstance(value, dict) else _kind(value)
        raise InputError(f'expected {{"{key}": ...}}, got {got[:200]}')
    return value[key]


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


class Inputs:
    """What a model takes.

    Args:
        shape: without the samples; None for a size that is free.
        dtype: of the array.
        indices: how many there are, where it takes indices; 0 where it takes any number.
        what: names it in errors.
    """

    def __init__(self, shape: Sequence[int | None], dtype: str, indices: int = 0, what: str = "x") -> None:
        self.shape, self.dtype, self.indices, self.what = tuple(shape), np.dtype(dtype), indices, what

    @classmethod
    def of_model(cls, frozen: Frozen) -> Inputs:
        """Those of whole sequences.

        Raises:
            ValueError: the model has several inputs or outputs.
        """
        network = frozen.network
        if len(network.inputs) != 1 or len(network.outputs) != 1:
            raise ValueError(f"serve: expected a model with one input and one output, got {len(network.inputs)} and "
                             f"{len(network.outputs)}; join them by Concatenate, or serve a model of each")
        takers = network.schedule().takers[0]
        tables = [taker.layer.input_dim for taker in takers if isinstance(taker.layer, Embedding)]
        symbol = network.inputs[0]
        whole = any(taker.kind == "index" for taker in takers) or not symbol.dtype.startswith("float")
        return cls(symbol.shape[1:], "int32" if whole else network.dtype, min(tables, default=0))

    @classmethod
    def of_stream(cls, frozen: Frozen) -> Inputs:
        """Those of one time step.

        Raises:
            ValueError: a layer cannot run step by step: names it, and says why.
        """
        program = frozen.program
        if program.indices:
            return cls((), "int32", program.indices)
        return cls((program.widths[0],), frozen.network.dtype)

    def __repr__(self) -> str:
        return f"{self.dtype} ({', '.join(['samples', *('any' if n is None else str(n) for n in self.shape)])})"

    def from_values(self, value: Any) -> np.ndarray:
        """Nested lists as an array (samples, ...).

        Raises:
            InputError: they are no numbers, of another shape, or out of range.
        """
        # Numbers stay Python's until their types have been looked at: NumPy would take "1", true and null for some.
        boxes = np.array(value, dtype=object)
        kinds = set(map(type, boxes.flat))
        whole = self.dtype.kind == "i"
        if not kinds <= ({int} if whole else {int, float}):
            if list in kinds:
                raise InputError(f"{self.what}: expected {self}, got lists of different lengths, or too deep")
            wrong = next(box for box in boxes.flat if type(box) not in (int, float) or whole)
            raise InputError(f"{self.what}: expected {'whole ' * whole}numbers, got {_kind(wrong)}")
        self._check_shape(boxes.shape)
        try:
            array = boxes.astype("int64" if whole else "float64")
        except OverflowError:
            raise InputError(f"{self.what}: a number is too large") from None
        return self._checked(array)

    def from_bytes(self, data: bytes, shape: Sequence[int] | None = None) -> np.ndarray:
        """Little-endian numbers as an array (samples, ...).

        Args:
            data: the numbers.
            shape: of the array; None for one sample, where no size is free.

        Raises:
            InputError: they are too many or too few, of another shape, or out of range.
        """
        shape = [1, *(size for size in self.shape if size is not None)] if shape is None else shape
        self._check_shape(shape)
        expected = math.prod(shape) * self.dtype.itemsize
        if len(data) != expected:
            raise InputError(f"{self.what}: expected {expected} bytes, little-endian {self.dtype} of {tuple(shape)}, "
                             f"got {len(data)}")
        return self._checked(np.frombuffer(data, self.dtype.newbyteorder("<")).reshape(shape))

    def _check_shape(self, shape: Sequence[int]) -> None:
        if len(shape) != 1 + len(self.shape) or min(shape) < 1 or any(
                mine not in (None, its) for mine, its in zip(self.shape, shape[1:])):
            raise InputError(f"{self.what}: expected {self}, got {tuple(shape)}")

    def _checked(self, array: np.ndarray) -> np.ndarray:
        if self.indices and not 0 <= array.min() <= array.max() < self.indices:
            raise InputError(f"{self.what}: expected indices from 0 to {self.indices - 1}, got values from "
                             f"{array.min()} to {array.max()}")
        if array.dtype.kind == "i" and not -(1 << 31) <= array.min() <= array.max() < 1 << 31:
            raise InputError(f"{self.what}: a number is too large")
        with np.errstate(over="ignore"):
            array = array.astype(self.dtype)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"{self.what}: expected finite numbers of {self.dtype}")
        return array


def _kind(value: Any) -> str:
    """A value of JSON in JSON's words."""
    words = {str: "a string", bool: "true or false", type(None): "null", dict: "an object", list: "a list",
             int: "a number", float: "a number with a fraction"}
    return words[type(value)]
