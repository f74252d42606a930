# SPDX-License-Identifier: Apache-2.0
"""Keras 2's functions of variables, of the mode of a run, and of the process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastrnn.config import floatx
from fastrnn.graph import eager
from fastrnn.graph.symbol import Symbol, has_symbols
from fastrnn.layers.base import reset_names, unique_name
from fastrnn.layers.variable import Variable
from fastrnn.ops.dispatch import op, tensor, values

# variables ---------------------------------------------------------------------------------------------------------

def variable(value: Any, dtype: str | None = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A variable with these values.

    >>> variable([1.0, 2.0]).shape
    (2,)
    """
    return Variable(np.array(values(value), dtype or floatx()), name or unique_name("variable"), constraint=constraint)


def get_value(x: Any) -> np.ndarray:
    """The values of a variable or an array, as an array of its own.

    >>> get_value(variable([1.0]))
    array([1.], dtype=float32)
    """
    if isinstance(x, Symbol):
        raise TypeError(f"{x!r} has no values before a model runs: make a Model of it, and predict")
    return np.array(values(x))


def eval(x: Any) -> np.ndarray:
    """The values; see `get_value`.

    >>> eval([1.0])
    array([1.], dtype=float32)
    """
    return get_value(x)


def set_value(x: Variable, value: Any) -> None:
    """Set the values of a variable, as the learning rate of an optimizer.

    >>> v = variable(1.0)
    >>> set_value(v, 2.0)
    >>> get_value(v).item()
    2.0
    """
    _variable(x, "set_value").assign(value)


def batch_get_value(tensors: Sequence[Any]) -> list[np.ndarray]:
    """The values of several variables.

    >>> batch_get_value([variable(1.0)])
    [array(1., dtype=float32)]
    """
    return [get_value(x) for x in tensors]


def batch_set_value(tuples: Sequence[tuple[Variable, Any]]) -> None:
    """Set several variables, given with their values.

    >>> batch_set_value([(variable(1.0), 2.0)])
    """
    for x, value in tuples:
        set_value(x, value)


def update(x: Variable, new_x: Any) -> Variable:
    """Set a variable, which is given back.

    >>> get_value(update(variable(1.0), 5.0)).item()
    5.0
    """
    _variable(x, "update").assign(new_x)
    return x


def update_add(x: Variable, increment: Any) -> Variable:
    """Add to a variable, which is given back.

    >>> get_value(update_add(variable(1.0), 5.0)).item()
    6.0
    """
    _variable(x, "update_add").assign_add(increment)
    return x


def update_sub(x: Variable, decrement: Any) -> Variable:
    """Subtract from a variable, which is given back.

    >>> get_value(update_sub(variable(1.0), 5.0)).item()
    -4.0
    """
    _variable(x, "update_sub").assign_sub(decrement)
    return x


def moving_average_update(x: Variable, value: Any, momentum: float) -> Variable:
    """`x * momentum + value * (1 - momentum)`, to which the variable is set.

    >>> get_value(moving_average_update(variable(1.0), 3.0, 0.5)).item()
    2.0
    """
    return update(x, _variable(x, "moving_average_update").data * momentum + values(value) * (1 - momentum))


def _variable(x: Any, function: str) -> Any:
    if not hasattr(x, "assign"):
        raise TypeError(f"backend.{function}: expected a variable, got {type(x).__name__}; make one by "
                        "backend.variable or add_weight, and set an optimizer's rate by optimizer.learning_rate = ...")
    return x


# the run -----------------------------------------------------------------------------------------------------------

def learning_phase() -> int:
    """1 inside of code that runs in training, else 0.

    >>> learning_phase()
    0
    """
    running = eager.current()
    return int(running is not None and running.training)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x in training, else `alt`: arrays, symbols, or functions that give them.

    >>> in_train_phase(1.0, lambda: 2.0)
    2.0
    """
    chosen = [x, alt]
    if has_symbols(chosen) or (any(callable(one) for one in chosen) and eager.current() is None):
        chosen = [one() if callable(one) else one for one in chosen]
        if has_symbols(chosen):
            return _in_train_phase(chosen[0], chosen[1], training)
    one = chosen[0] if _trains(training) else chosen[1]
    return one() if callable(one) else one


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x outside of training, else `alt`; see `in_train_phase`.

    >>> in_test_phase(1.0, 2.0)
    1.0
    """
    return in_train_phase(alt, x, training)


@op
def _in_train_phase(x: Any, alt: Any, training: Any) -> Any:
    return tensor(x) if _trains(training) else tensor(alt)


def _trains(training: Any) -> bool:
    return bool(learning_phase() if training is None else values(training))


# the process -------------------------------------------------------------------------------------------------------

def is_keras_tensor(x: Any) -> bool:
    """Whether x is a symbol, as `Input` and calls of layers on symbols give.

    >>> import fastrnn
    >>> is_keras_tensor(fastrnn.Input((3,))), is_keras_tensor(np.ones(3))
    (True, False)
    """
    return isinstance(x, Symbol)


def is_sparse(tensor: Any) -> bool:
    """Whether x is sparse: never.

    >>> is_sparse(np.ones(3))
    False
    """
    return False


def to_dense(tensor: Any) -> Any:
    """x as it is, as it is never sparse.

    >>> to_dense(np.ones(1))
    array([1.])
    """
    return tensor


def print_tensor(x: Any, message: str = "") -> Any:
    """Print a message and the values; x is given back.

    >>> _ = print_tensor(np.ones(2), "x =")
    x = [1. 1.]
    """
    return _print_tensor(x, message=message)


@op
def _print_tensor(x: Any, message: str) -> Any:
    print(message, values(x))
    return x


def backend() -> str:
    """"numpy", whose arrays all functions take and give.

    >>> backend()
    'numpy'
    """
    return "numpy"


def clear_session(free_memory: bool = True) -> None:
    """Start the numbering of names anew; models die with the last reference to them, without this.

    >>> clear_session()
    """
    reset_names()
    _uids.clear()


def reset_uids() -> None:
    """Start the numbers of `get_uid` anew.

    >>> reset_uids()
    """
    _uids.clear()


_uids: dict[str, int] = {}


def get_uid(prefix: str = "") -> int:
    """1, then 2, 3, ... for each prefix.

    >>> reset_uids()
    >>> get_uid("a"), get_uid("a"), get_uid("b")
    (1, 2, 1)
    """
    _uids[prefix] = _uids.get(prefix, 0) + 1
    return _uids[prefix]


@contextlib.contextmanager
def name_scope(name: str, **_: Any) -> Iterator[str]:
    """A context without effect.

    >>> with name_scope("encoder"):
    ...     pass
    """
    yield name
