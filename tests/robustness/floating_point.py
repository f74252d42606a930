# SPDX-License-Identifier: Apache-2.0
"""The floating-point mode of the thread that asks: rounding, denormals, what traps, as Linux's C library has it."""

from __future__ import annotations

import ctypes
import platform
import struct
import sys

KNOWN = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
_SIZE = 64      # bytes, at least those of any fenv_t
# Where the control words are among them, without the flags of what has happened so far: of x86-64 the x87's and MXCSR,
# of AArch64 FPCR.
_X86 = platform.machine() == "x86_64"
_FLAGS = 0x3F
#: A mode that no code of a library expects: rounding up, denormals flushed.
_UNUSUAL = 0x8040 | 0x4000 if _X86 else 1 << 24 | 1 << 22

_libm = ctypes.CDLL("libm.so.6") if KNOWN else None


def _environment() -> ctypes.Array[ctypes.c_char]:
    found = ctypes.create_string_buffer(_SIZE)
    assert _libm is not None and _libm.fegetenv(found) == 0
    return found


def mode() -> tuple[int, ...]:
    raw = _environment().raw
    if _X86:
        return struct.unpack_from("<H", raw, 0)[0], struct.unpack_from("<I", raw, 28)[0] & ~_FLAGS
    return (struct.unpack_from("<I", raw, 0)[0],)


def set_unusual() -> None:
    """Have this thread round up and flush denormals."""
    at = 28 if _X86 else 0
    found = _environment()
    struct.pack_into("<I", found, at, struct.unpack_from("<I", found, at)[0] | _UNUSUAL)
    assert _libm is not None and _libm.fesetenv(found) == 0
