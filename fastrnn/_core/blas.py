"""SciPy's BLAS for the kernels: found and bound when the first product is to go there, single-threaded while in use.

`FASTRNN_BLAS` says which products those are: ``auto`` (the default: where BLAS measures faster than the kernels' own
product), ``always`` or ``never``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from .blas_threads import SCIPY

MODES = ("auto", "always", "never")


def check_mode(mode: Any, what: str) -> str:
    """`mode`, or a ValueError that begins with `what`."""
    if mode not in MODES:
        raise ValueError(f"{what}: expected one of {', '.join(MODES)}, got {mode!r}")
    return str(mode)


#: Which products go to BLAS.
mode = check_mode(os.environ.get("FASTRNN_BLAS") or "auto", "FASTRNN_BLAS")


def _signature(capsule: Any) -> str:
    """A capsule's name, which Cython makes of the function's type."""
    import ctypes

    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return (name(capsule) or b"nothing").decode()


def gemm_of(capsules: dict[str, Any], dtype: str) -> Any:
    """The capsule of sgemm or dgemm, its signature checked: a call through another one would crash.

    Raises:
        ImportError: SciPy's function is missing or takes other arguments.
    """
    name, letter, real = ("sgemm", "s", "float") if dtype == "float32" else ("dgemm", "d", "double")
    integer, number = r"[\w ]*int[\w ]* ?\*|long( long)? ?\*", rf"(\w+_{letter}|{real}) ?\*"
    given = _signature(capsules[name]) if name in capsules else "nothing"
    arguments = given.removeprefix("void (").removesuffix(")").split(", ")
    expected = ["char ?\\*"] * 2 + [integer] * 3 + [number] * 2 + [integer, number, integer] + [number] * 2 + [integer]
    if len(arguments) != 13 or not all(re.fullmatch(e, a) for e, a in zip(expected, arguments)):
        raise ImportError(f"scipy.linalg.cython_blas.{name}: expected BLAS's {name} (2 characters, then integers and "
                          f"{real}s by address), found {given}; FASTRNN_BLAS=never does without it")
    return capsules[name]


def enter(dtype: str, bind: Callable[[Any], None] | None) -> bool:
    """Give the kernels of `dtype` SciPy's gemm if `bind` says that they have none, and make it single-threaded until
    `leave`. False, and nothing done: SciPy is not installed, or its threads would work beside the kernels' own, and
    nothing is known to stop them.

    Raises:
        ImportError: BLAS is forced, and SciPy is not installed or has no such function.
    """
    if mode != "always" and SCIPY.control() is None:
        return False
    if bind is not None:
        try:
            from scipy.linalg import cython_blas
        except ImportError as error:
            raise ImportError("FASTRNN_BLAS=always sends products to SciPy's BLAS, and SciPy cannot be imported "
                              f"({error}); pip install scipy, or set FASTRNN_BLAS=auto, which needs none") from None
        bind(gemm_of(cython_blas.__pyx_capi__, dtype))
    SCIPY.__enter__()
    return True


def leave() -> None:
    """The counterpart of each successful `enter`."""
    SCIPY.__exit__()
