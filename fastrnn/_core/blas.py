"""SciPy's BLAS for the kernels: found and bound when the first product is to go there, single-threaded while in use.

`FASTRNN_BLAS` says which products those are: ``auto`` (the default: where BLAS measures faster than the kernels' own
product), ``always`` or ``never``.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

MODES = ("auto", "always", "never")


class Control(NamedTuple):
    """How a BLAS library's number of threads is read and set."""

    library: str
    get: Callable[[], int]
    set: Callable[[int], Any]


#: Names of the functions that read and set it, by library. MKL's Fortran interface, in small letters, is another.
CONTROLS = [
    *[("OpenBLAS", f"{prefix}openblas_get_num_threads{suffix}", f"{prefix}openblas_set_num_threads{suffix}")
      for prefix in ("scipy_", "") for suffix in ("", "64_", "_64")],
    ("MKL", "MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
    ("BLIS", "bli_thread_get_num_threads", "bli_thread_set_num_threads"),
]  # fmt: skip


def check_mode(mode: Any, what: str) -> str:
    """`mode`, or a ValueError that begins with `what`."""
    if mode not in MODES:
        raise ValueError(f"{what}: expected one of {', '.join(MODES)}, got {mode!r}")
    return str(mode)


#: Which products go to BLAS.
mode = check_mode(os.environ.get("FASTRNN_BLAS") or "auto", "FASTRNN_BLAS")

_lock = threading.Lock()
_control: Control | None = None
_searched = False
_users = 0              # calls that are using BLAS at the moment
_before = 0             # its number of threads before the first of them


def control() -> Control | None:
    """How the threads of SciPy's BLAS are controlled, or None where there is no known way; loads scipy.linalg."""
    global _control, _searched
    if not _searched:
        _control = _find_control()
        _searched = True
    return _control


def _find_control() -> Control | None:
    import ctypes

    from scipy.linalg import cython_blas

    # A symbol is looked for in a library and in those that it needs; Windows looks into the library itself alone.
    beside = os.path.abspath(os.path.join(os.path.dirname(cython_blas.__file__), "..", "..", "scipy.libs"))
    files = sorted(os.listdir(beside)) if os.name == "nt" and os.path.isdir(beside) else []
    for path in [cython_blas.__file__, *(os.path.join(beside, f) for f in files if f.endswith(".dll"))]:
        library = ctypes.CDLL(path)
        for name, get, set_ in CONTROLS:
            if hasattr(library, get) and hasattr(library, set_):
                getattr(library, set_).restype = None
                return Control(name, getattr(library, get), getattr(library, set_))
    return None


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
    `leave`. False, and nothing done: its threads would work beside the kernels' own, and nothing is known to stop them.
    """
    global _users, _before
    with _lock:
        found = control()
        if found is None and mode != "always":
            return False
        if bind is not None:
            from scipy.linalg import cython_blas

            bind(gemm_of(cython_blas.__pyx_capi__, dtype))
        if found is not None and _users == 0:
            _before = found.get()
            if _before != 1:
                found.set(1)
        _users += 1
    return True


def leave() -> None:
    """The counterpart of each successful `enter`; the last one puts the number of threads back."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0 and _control is not None and _before != 1:
            _control.set(_before)


def _after_fork() -> None:
    """A child has none of the threads that were inside BLAS, nor whoever held the lock."""
    global _lock, _users
    _lock = threading.Lock()
    if _users:
        _users = 0
        if _control is not None and _before != 1:
            _control.set(_before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
