# SPDX-License-Identifier: Apache-2.0
"""Functions of each element, or of two arrays' elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.ops.dispatch import floating, namespace, op, tensor, together, values


def _documented(name: str, text: str, like: str) -> str:
    return f"{text}; see `numpy.{like}`.\n\nArgs:\n    x: array, number or symbol.\n"


def _of_floats(name: str, text: str, like: str | None = None) -> Callable[[Any], Any]:
    """A function of each element that gives floats."""
    def function(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return getattr(namespace(), like or name)(floating(x))

    function.__name__, function.__doc__ = name, _documented(name, text, like or name)
    return op(function)


def _of_any(name: str, text: str, like: str | None = None, symbolic: str | None = None) -> Callable[[Any], Any]:
    """A function of each element that keeps the dtype, or gives booleans."""
    def function(x: Any) -> Any:
        return getattr(namespace(), like or name)(tensor(x))

    function.__name__, function.__doc__ = name, _documented(name, text, like or name)
    return op(function, symbolic)


def _of_two(name: str, text: str, like: str | None = None, symbolic: str | None = None, floats: bool = False
            ) -> Callable[[Any, Any], Any]:
    """A function of two arrays' elements, which broadcast."""
    def function(x1: Any, x2: Any) -> Any:
        x1, x2 = together(x1, x2, floats=floats)
        with np.errstate(all="ignore"):
            return getattr(namespace(), like or name)(x1, x2)

    function.__name__ = name
    function.__doc__ = (f"{text}; see `numpy.{like or name}`.\n\nArgs:\n    x1, x2: arrays, numbers or symbols, whose "
                        "shapes broadcast.\n")
    return op(function, symbolic)


def _of_bits(name: str, text: str) -> Callable[[Any, Any], Any]:
    """A function of two whole numbers' bits, whose arguments Keras calls otherwise."""
    def function(x: Any, y: Any) -> Any:
        return getattr(namespace(), name)(*together(x, y))

    function.__name__ = name
    function.__doc__ = f"{text}; see `numpy.{name}`.\n\nArgs:\n    x, y: whole numbers, whose shapes broadcast.\n"
    return op(function)


exp = _of_floats("exp", "e to the power of x")
exp2 = _of_floats("exp2", "2 to the power of x")
expm1 = _of_floats("expm1", "e to the power of x, less 1")
log = _of_floats("log", "The natural logarithm of x")
log2 = _of_floats("log2", "The logarithm of x to base 2")
log10 = _of_floats("log10", "The logarithm of x to base 10")
log1p = _of_floats("log1p", "The natural logarithm of 1 + x")
sqrt = _of_floats("sqrt", "The square root of x")
reciprocal = _of_floats("reciprocal", "1 / x")
sin, cos, tan = (_of_floats(name, f"The {word} of x") for name, word in (
    ("sin", "sine"), ("cos", "cosine"), ("tan", "tangent")))
sinh, cosh, tanh = (_of_floats(name, f"The hyperbolic {word} of x") for name, word in (
    ("sinh", "sine"), ("cosh", "cosine"), ("tanh", "tangent")))
arcsin, arccos, arctan = (_of_floats(name, f"The inverse {word} of x") for name, word in (
    ("arcsin", "sine"), ("arccos", "cosine"), ("arctan", "tangent")))
arcsinh, arccosh, arctanh = (_of_floats(name, f"The inverse hyperbolic {word} of x") for name, word in (
    ("arcsinh", "sine"), ("arccosh", "cosine"), ("arctanh", "tangent")))
deg2rad = _of_floats("deg2rad", "Degrees as radians")
rad2deg = _of_floats("rad2deg", "Radians as degrees")
sinc = _of_floats("sinc", "sin(pi x) / (pi x)")

abs = absolute = _of_any("absolute", "The absolute value of x", symbolic="abs")
negative = _of_any("negative", "-x", symbolic="neg")
square = _of_any("square", "x times x")
sign = _of_any("sign", "-1, 0 or 1, as x is below, at or above 0")
floor = _of_floats("floor", "The largest whole number that is not above x")
ceil = _of_floats("ceil", "The smallest whole number that is not below x")
trunc = _of_floats("trunc", "x without its fraction")
isfinite = _of_any("isfinite", "Whether x is neither infinite nor NaN")
isinf = _of_any("isinf", "Whether x is infinite")
isnan = _of_any("isnan", "Whether x is NaN")
logical_not = _of_any("logical_not", "Whether x is false")
bitwise_not = bitwise_invert = _of_any("bitwise_not", "The bits of x, inverted", "invert")

add = _of_two("add", "x1 + x2", symbolic="add")
subtract = _of_two("subtract", "x1 - x2", symbolic="sub")
multiply = _of_two("multiply", "x1 times x2", symbolic="mul")
divide = _of_two("divide", "x1 / x2", symbolic="truediv", floats=True)
true_divide = _of_two("true_divide", "x1 / x2", symbolic="truediv", floats=True)
floor_divide = _of_two("floor_divide", "x1 / x2, rounded down")
mod = _of_two("mod", "What x1 has more than a multiple of x2, with x2's sign")
power = _of_two("power", "x1 to the power of x2", symbolic="pow")
maximum = _of_two("maximum", "The greater of x1 and x2")
minimum = _of_two("minimum", "The smaller of x1 and x2")
arctan2 = _of_two("arctan2", "The angle of the point (x2, x1)", floats=True)
hypot = _of_two("hypot", "The length of the vector (x1, x2)", floats=True)
logaddexp = _of_two("logaddexp", "log(exp(x1) + exp(x2))", floats=True)
equal = _of_two("equal", "Whether x1 is x2", symbolic="equal")
not_equal = _of_two("not_equal", "Whether x1 is not x2", symbolic="not_equal")
less = _of_two("less", "Whether x1 is below x2", symbolic="lt")
less_equal = _of_two("less_equal", "Whether x1 is not above x2", symbolic="le")
greater = _of_two("greater", "Whether x1 is above x2", symbolic="gt")
greater_equal = _of_two("greater_equal", "Whether x1 is not below x2", symbolic="ge")
logical_and = _of_two("logical_and", "Whether both are true")
logical_or = _of_two("logical_or", "Whether one is true")
logical_xor = _of_two("logical_xor", "Whether one alone is true")
bitwise_and = _of_bits("bitwise_and", "The bits that both have")
bitwise_or = _of_bits("bitwise_or", "The bits that one has")
bitwise_xor = _of_bits("bitwise_xor", "The bits that one alone has")
left_shift = bitwise_left_shift = _of_bits("left_shift", "The bits of x, y places up")
right_shift = bitwise_right_shift = _of_bits("right_shift", "The bits of x, y places down")


@op
def rsqrt(x: Any) -> Any:
    """1 over the square root.

    >>> rsqrt([4.0])
    array([0.5], dtype=float32)
    """
    return 1 / namespace().sqrt(floating(x))


@op
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0.

    >>> divide_no_nan([1.0, 2.0], [0.0, 4.0])
    array([0. , 0.5], dtype=float32)
    """
    x1, x2 = together(x1, x2, floats=True)
    xp = namespace()
    return xp.where(x2 == 0, xp.zeros_like(x2), x1 / xp.where(x2 == 0, xp.ones_like(x2), x2))


@op
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x, but no less than x_min and no more than x_max.

    >>> clip([-2.0, 0.5], 0, 1)
    array([0. , 0.5], dtype=float32)
    """
    xp = namespace()
    x, least, most = together(x, x_min, x_max)
    return xp.minimum(xp.maximum(x, least), most)


@op
def round(x: Any, decimals: int = 0) -> Any:
    """The nearest number of so many decimals, the even one of two.

    >>> round([1.5, 2.5])
    array([2., 2.], dtype=float32)
    """
    return np.round(values(x), decimals)


@op
def erf(x: Any) -> Any:
    """The error function.

    >>> erf([0.0, 1.0]).round(4)
    array([0.    , 0.8427], dtype=float32)
    """
    x = floating(x)
    if namespace() is np:
        from scipy.special import erf as value
    else:
        from autograd.scipy.special import erf as value
    return value(x)


@op
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether x1 and x2 differ by no more than `atol + rtol * abs(x2)`.

    >>> isclose([1.0, 2.0], [1.0, 2.1])
    array([ True, False])
    """
    return np.isclose(values(x1), values(x2), rtol, atol, equal_nan)


@op
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with numbers in the place of NaN and of the infinities.

    >>> nan_to_num([float("nan"), 1.0])
    array([0., 1.], dtype=float32)
    """
    xp, x = namespace(), tensor(x)
    known = values(x)
    if known.dtype.kind != "f":
        return x
    plain = np.nan_to_num(known, nan=nan, posinf=posinf, neginf=neginf)
    return xp.where(np.isfinite(known), x, plain)


@op
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, else x2; without them the indices where it holds.

    >>> where([True, False], [1.0, 2.0], 0.0)
    array([1., 0.], dtype=float32)
    """
    if x1 is None and x2 is None:
        return [found.astype("int32") for found in np.nonzero(values(condition))]
    x1, x2 = together(x1, x2)
    return namespace().where(values(condition).astype(bool), x1, x2)


@op
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of x1 is among those of x2.

    >>> isin([1, 2], [2, 3])
    array([False,  True])
    """
    return np.isin(values(x1), values(x2), assume_unique, invert=invert)
