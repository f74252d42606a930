"""How many threads a BLAS library has: one, while products of ours are in it.

`SCIPY` is the BLAS that the kernels call from threads of their own. `NUMPY` is that of `numpy.linalg`: a thread that it
wakes waits for more by spinning, a tenth of a second beside the kernels' threads, and another number of threads may
give other bits.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple


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


class Threads:
    """The threads of the BLAS that an extension module is linked to: one inside ``with``, in any number of threads of
    Python at once; the last to leave puts the number back. Nothing is done where there is no known way."""

    def __init__(self, module: str) -> None:
        self.module = module
        self._searched = False
        self._control: Control | None = None
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._users = 0         # calls that are using the library at the moment
        self._before = 1        # its number of threads before the first of them

    def control(self) -> Control | None:
        """How the threads are controlled, or None where there is no known way; loads the module."""
        if not self._searched:
            self._control = _find_control(self.module)
            self._searched = True
        return self._control

    def __enter__(self) -> Threads:
        with self._lock:
            found = self.control()
            if found is not None and self._users == 0:
                self._before = found.get()
                if self._before != 1:
                    found.set(1)
            self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._put_back()

    def _put_back(self) -> None:
        if self._control is not None and self._before != 1:
            self._control.set(self._before)

    def after_fork(self) -> None:
        """A child has none of the threads that were inside, nor whoever held the lock."""
        if self._users:
            self._put_back()
        self._reset()


def _find_control(module: str) -> Control | None:
    import ctypes

    try:
        extension = str(importlib.import_module(module).__file__)
    except ImportError:     # not installed: no threads either
        return None
    package = str(importlib.import_module(module.partition(".")[0]).__file__)
    # A symbol is looked for in a library and in those that it needs; Windows looks into the library itself alone.
    beside = os.path.dirname(package) + ".libs"
    files = sorted(os.listdir(beside)) if os.name == "nt" and os.path.isdir(beside) else []
    for path in [extension, *(os.path.join(beside, f) for f in files if f.endswith(".dll"))]:
        library = ctypes.CDLL(path)
        for name, get, set_ in CONTROLS:
            if hasattr(library, get) and hasattr(library, set_):
                getattr(library, set_).restype = None
                return Control(name, getattr(library, get), getattr(library, set_))
    return None


SCIPY = Threads("scipy.linalg.cython_blas")
NUMPY = Threads("numpy.linalg._umath_linalg")


def _after_fork() -> None:
    SCIPY.after_fork()
    NUMPY.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
