# SPDX-License-Identifier: Apache-2.0
"""fastrnn.h compiled, and called through ctypes."""

from __future__ import annotations

import ctypes
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn

FOLDER = Path(__file__).parent
#: By their numbers, as fastrnn.h has them.
CODES = {"OK": 0, "PACKAGE": 1, "FILE": 2, "LAYER": 3, "MEMORY": 4, "SIZE": 5, "CLOSED": 16, "BUSY": 17, "NULL": 18,
         "ROWS": 19, "STEPS": 20, "SLOT": 21, "SLOT_TWICE": 22, "LENGTH": 23, "INDEX": 24}  # fmt: skip
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]


def compile_c(source: Path, library: Path, *flags: str, compiler: str | None = None,
              include: str | Path | None = None) -> None:
    """A shared library of a file of C or C++, without a warning."""
    command = [*shlex.split(compiler or sysconfig.get_config_var("CC") or "cc"), "-shared", "-fPIC", "-O2", *WARNINGS,
               "-isystem", sysconfig.get_paths()["include"], "-I", str(include or fastrnn.get_include()),
               *flags, str(source), "-o", str(library)]  # fmt: skip
    if sys.platform == "darwin":
        command += ["-undefined", "dynamic_lookup"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert not run.stderr, run.stderr


def address(array: np.ndarray | None) -> int | None:
    """Of the first element of a contiguous array."""
    if array is None:
        return None
    assert array.flags.c_contiguous
    return array.ctypes.data


class Library:
    """The functions of checks.c. Those that need the GIL raise what they set; the others give their code.

    Args:
        path: of the library.
    """

    def __init__(self, path: str | Path) -> None:
        self.library = ctypes.CDLL(str(path))           # without the GIL
        self.holding = ctypes.PyDLL(str(path))          # with it; raises
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        signatures = {
            "step": [pointer, number, pointer, pointer, pointer],
            "feed": [pointer, number, number, pointer, pointer, pointer, pointer],
            "predict": [pointer, number, number, pointer, pointer, pointer],
            "reset": [pointer, number, pointer], "close": [pointer], "sizes": [pointer, pointer],
            "error_text": [ctypes.c_int], "open": [ctypes.c_char_p, pointer],
            "from_python": [ctypes.py_object, pointer], "model_free": [pointer], "stream_free": [pointer],
            "stream_new": [pointer, number, number, number, number, pointer],
            "import": [],
            "steps": [pointer, number, number, number, number, pointer, pointer],
            "threads": [ctypes.c_int, pointer, number, number, number, pointer, pointer],
            "allocations": [pointer, number, pointer, number, number, pointer, pointer, pointer, pointer],
        }  # fmt: skip
        for library in self.library, self.holding:
            for name, types in signatures.items():
                getattr(library, f"check_{name}").argtypes = types
            text = [pointer, ctypes.c_size_t]
            library.failure_of_open.argtypes = [ctypes.c_char_p, *text]
            library.failure_of_python.argtypes = [ctypes.py_object, *text]
            library.failure_of_stream.argtypes = [pointer, number, number, number, number, *text]
            library.check_error_text.restype = ctypes.c_char_p
            library.check_steps.restype = ctypes.c_double

    # with the GIL ----------------------------------------------------------------------------------------------------

    def open(self, path: Any) -> ctypes.c_void_p:
        """The handle of a file's model."""
        model = ctypes.c_void_p()
        self.holding.check_open(str(path).encode(), ctypes.byref(model))
        return model

    def from_python(self, frozen: Any) -> ctypes.c_void_p:
        """The handle of a frozen model."""
        model = ctypes.c_void_p()
        self.holding.check_from_python(frozen, ctypes.byref(model))
        return model

    def stream(self, model: Any, slots: int, rows: int, steps: int, threads: int = 1) -> ctypes.c_void_p:
        """The handle of a new stream."""
        stream = ctypes.c_void_p()
        self.holding.check_stream_new(model, slots, rows, steps, threads, ctypes.byref(stream))
        return stream

    def free(self, model: Any = None, stream: Any = None) -> int:
        """Free what is given; the code."""
        if model is not None:
            self.holding.check_model_free(ctypes.byref(model))
        return 0 if stream is None else self.holding.check_stream_free(ctypes.byref(stream))

    def failure(self, of: str, *arguments: Any, size: int = 1000) -> tuple[int, str]:
        """The code of `open`, `python` or `stream`, which fails, and the text of its exception."""
        text = ctypes.create_string_buffer(size)
        code = getattr(self.holding, f"failure_of_{of}")(*arguments, text, size)
        return code, text.value.decode()

    # without ---------------------------------------------------------------------------------------------------------

    def sizes(self, model: Any) -> list[int]:
        """Input and output type, input and output width, indices, whether it gives steps."""
        found = np.zeros(6, np.int64)
        self.library.check_sizes(model, address(found))
        return found.tolist()

    def step(self, stream: Any, x: Any, y: Any, slots: Any = None, N: int | None = None) -> int:
        return self.library.check_step(stream, len(x) if N is None else N, address(slots), address(x), address(y))

    def feed(self, stream: Any, x: Any, y: Any, slots: Any = None, lengths: Any = None, N: int | None = None,
             T: int | None = None) -> int:
        return self.library.check_feed(stream, len(x) if N is None else N, x.shape[1] if T is None else T,
                                       address(slots), address(lengths), address(x), address(y))

    def predict(self, stream: Any, x: Any, y: Any, lengths: Any = None, N: int | None = None,
                T: int | None = None) -> int:
        return self.library.check_predict(stream, len(x) if N is None else N, x.shape[1] if T is None else T,
                                          address(lengths), address(x), address(y))

    def reset(self, stream: Any, slots: Any = None, N: int | None = None) -> int:
        return self.library.check_reset(stream, N if N is not None else 0 if slots is None else len(slots),
                                        address(slots))
