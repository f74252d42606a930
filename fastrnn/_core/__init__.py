"""The compiled kernels: one module per instruction set and scalar type, chosen here and nowhere else.

`FASTRNN_ISA` forces an instruction set by name (``baseline``, ``avx2``, ``avx512``, ``neon``); a name that is unknown,
not built or not supported by this processor is an error.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from . import blas, cpu, threads

KNOWN = ("avx512", "avx2", "neon", "baseline")
_files = os.listdir(os.path.dirname(__file__))
#: Instruction sets that this installation has kernels for, fastest first.
built = tuple(name for name in KNOWN if any(f.startswith(f"kernels_{name}_float32.") for f in _files))
#: Those of them that this processor can run.
available = tuple(name for name in cpu.instruction_sets() if name in built)


def _choose() -> str:
    forced = os.environ.get("FASTRNN_ISA")
    if not forced:
        if not available:
            raise ImportError(f"fastrnn has kernels for {', '.join(built) or 'no instruction set'}, "
                              f"this processor runs {', '.join(cpu.instruction_sets())}; reinstall fastrnn")
        return available[0]
    if forced not in available:
        reason = ("this processor does not support it" if forced in built
                  else "it is not built here" if forced in KNOWN else "there is no such instruction set")
        raise ImportError(f"FASTRNN_ISA={forced!r}: {reason}; available: {', '.join(available)}")
    return forced


#: The instruction set in use.
isa = _choose()


def kernels(dtype: str) -> ModuleType:
    """The kernels for ``"float32"`` or ``"float64"``."""
    return _loaded.get(dtype) or _load(dtype)


_loaded: dict[str, ModuleType] = {}


def _load(dtype: str) -> ModuleType:
    module = importlib.import_module(f"{__name__}.kernels_{isa}_{dtype}")
    module.set_blas_mode(blas.MODES.index(blas.mode))
    _loaded[dtype] = module
    return module


def set_blas_mode(mode: str) -> None:
    """Which products of the kernels go to BLAS: one of `blas.MODES`."""
    blas.mode = mode
    for module in _loaded.values():
        module.set_blas_mode(blas.MODES.index(mode))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=threads.after_fork)
