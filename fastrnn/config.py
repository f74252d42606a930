# SPDX-License-Identifier: Apache-2.0
"""Settings of the whole process, as `keras.config` has them: the dtype of what no one gives a dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn.registry import absent

__all__ = ["DTypePolicy", "dtype_policy", "enable_unsafe_deserialization", "epsilon", "floatx", "image_data_format",
           "set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format"]  # fmt: skip

#: What Keras has and fastrnn has not, and the way out.
INSTEAD = {"set_backend": "arrays are NumPy's; there is no other backend"}

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    def __getattr__(name: str) -> Any:
        raise absent(__name__, name, __all__) if name not in INSTEAD else AttributeError(
            f"module {__name__!r} has no attribute {name!r}: {INSTEAD[name]}")

_floatx = "float32"
_epsilon = 1e-7


def _checked(dtype: Any, argument: str) -> str:
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in ("float32", "float64"):
        raise ValueError(f"{argument}: expected 'float32' or 'float64', got {dtype!r}; models train in one of them, "
                         "and a mixed policy's weights are float32")
    return name


def floatx() -> str:
    """The dtype of layers, and of arrays made of Python's numbers, where nothing says another.

    >>> floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: str) -> None:
    """Set `floatx` for what is made from now on.

    Args:
        value: "float32" or "float64".

    Raises:
        ValueError: another.

    Example:

    >>> import fastrnn
    >>> set_floatx("float64")
    >>> fastrnn.layers.Dense(3).dtype
    'float64'
    >>> set_floatx("float32")
    """
    global _floatx
    _floatx = _checked(value, "set_floatx value")


def epsilon() -> float:
    """What keeps the functions of `ops` and `backend` from dividing by zero and from the logarithm of zero.

    >>> epsilon()
    1e-07
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set `epsilon`. The losses of `fastrnn.losses` and the constraints keep 1e-7, which their kernels have.

    Args:
        value: above 0.

    Raises:
        ValueError: it is not.

    Example:

    >>> set_epsilon(1e-5)
    >>> epsilon()
    1e-05
    >>> set_epsilon(1e-7)
    """
    global _epsilon
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < 1:
        raise ValueError(f"set_epsilon value: expected a number between 0 and 1, got {value!r}")
    _epsilon = float(value)


def image_data_format() -> str:
    """The order of an image's axes: channels come last.

    >>> image_data_format()
    'channels_last'
    """
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accept "channels_last".

    Args:
        data_format: of images.

    Raises:
        ValueError: another.

    Example:

    >>> set_image_data_format("channels_last")
    """
    if data_format != "channels_last":
        raise ValueError(f"set_image_data_format data_format: expected 'channels_last', got {data_format!r}; move the "
                         "axis of channels to the end by layers.Permute")


class DTypePolicy:
    """The dtype of a layer: computations and weights have the same.

    Args:
        name: "float32" or "float64"; `floatx` by default.

    Raises:
        ValueError: another one, as "mixed_float16".

    Example:

    >>> DTypePolicy("float64").compute_dtype
    'float64'
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = floatx() if name is None else _checked(name, "DTypePolicy name")

    @property
    def compute_dtype(self) -> str:
        return self.name

    @property
    def variable_dtype(self) -> str:
        return self.name

    def get_config(self) -> dict[str, Any]:
        """The arguments that build it again."""
        return {"name": self.name}

    def __repr__(self) -> str:
        return f"<DTypePolicy {self.name!r}>"


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given no dtype; its name is `floatx()`.

    >>> dtype_policy()
    <DTypePolicy 'float32'>
    """
    return DTypePolicy()


def set_dtype_policy(policy: Any) -> None:
    """Set the dtype of layers that are given none; the same as `set_floatx`.

    Args:
        policy: "float32", "float64", or a `DTypePolicy`.

    Raises:
        ValueError: another one, as "mixed_float16".

    Example:

    >>> set_dtype_policy("float32")
    """
    set_floatx(_checked(getattr(policy, "name", policy), "set_dtype_policy policy"))


def enable_unsafe_deserialization() -> None:
    """Refuse: code in a model file is never run.

    Raises:
        RuntimeError: always.

    Example:

    >>> enable_unsafe_deserialization()
    Traceback (most recent call last):
        ...
    RuntimeError: code in a model file is never run; pass your functions and classes by name in custom_objects
    """
    raise RuntimeError("code in a model file is never run; pass your functions and classes by name in custom_objects")
