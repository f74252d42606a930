"""Threads, random numbers, and what this installation runs on."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

import numpy as np

from fastrnn import _core
from fastrnn._version import __version__

__all__ = ["get_blas", "get_num_threads", "rng", "set_blas", "set_num_threads", "set_seed", "show_config"]


def _usable_cores() -> int:
    """Cores this process may use: its affinity, and a container's CPU quota (cgroup v2 or v1) if there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [("/sys/fs/cgroup/cpu.max", None),
              ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us")]
    for quota_file, period_file in quotas:
        try:
            with open(quota_file) as f:
                words = f.read().split()
            if period_file is not None:
                with open(period_file) as f:
                    words += f.read().split()
            quota, period = int(words[0]), int(words[1])
        except (OSError, ValueError, IndexError):   # no such file, or "max": no quota
            continue
        if quota > 0 and period > 0:
            cores = min(cores, max(1, -(-quota // period)))
    return max(1, cores)


def _initial_threads() -> int:
    for variable in ("FASTRNN_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(variable, "").split(",")[0].strip()
        if text.isdigit() and int(text) > 0:
            return int(text)
        if text and variable == "FASTRNN_NUM_THREADS":
            raise ValueError(f"FASTRNN_NUM_THREADS={text!r}: expected a positive whole number")
    return _usable_cores()


_threads = _initial_threads()


def get_num_threads() -> int:
    """Number of threads that a call may use.

    The cores this process may run on (affinity and container quota), unless ``FASTRNN_NUM_THREADS``,
    ``OMP_NUM_THREADS`` or `set_num_threads` say otherwise. Results do not depend on it, bit for bit.
    """
    return _threads


def set_num_threads(threads: int) -> None:
    """Set the number of threads that a call may use.

    Args:
        threads: at least 1. Small work runs on the calling thread alone all the same, as do all calls in a forked child
            whose parent has had helper threads, and calls on a machine whose cores other processes use.

    Raises:
        ValueError: if ``threads`` is no whole number from 1 to 1024.

    Example:
        >>> import fastrnn
        >>> fastrnn.set_num_threads(2)
        >>> fastrnn.get_num_threads()
        2
    """
    global _threads
    if not isinstance(threads, (int, np.integer)) or isinstance(threads, bool) or not 1 <= threads <= 1024:
        raise ValueError(f"set_num_threads: expected a whole number from 1 to 1024, got {threads!r}")
    _threads = int(threads)


def get_blas() -> str:
    """Which products go to SciPy's BLAS: ``auto``, ``always`` or ``never``; see `set_blas`."""
    return _core.blas.mode


def set_blas(mode: str) -> None:
    """Choose which of the large products (dense layers, gradients of weights) go to SciPy's BLAS.

    Results differ in the last bits between the two ways; neither depends on the number of threads. BLAS is imported
    when a product first goes there, and is single-threaded while the kernels use it.

    Args:
        mode: ``auto``, where BLAS measures faster than the kernels' own product (what ``FASTRNN_BLAS`` says is the
            first value); ``always``; or ``never``.

    Raises:
        ValueError: another mode.

    Example:
        >>> set_blas("never")
        >>> get_blas()
        'never'
        >>> set_blas("auto")
    """
    _core.set_blas_mode(_core.blas.check_mode(mode, "set_blas"))


def _after_fork() -> None:
    """A child has none of its parent's helper threads, and works on its own."""
    global _threads
    _threads = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


_rng: np.random.Generator | None = None


def rng() -> np.random.Generator:
    """The generator behind initial weights, shuffling and dropout."""
    global _rng
    if _rng is None:
        _rng = np.random.Generator(np.random.SFC64())
    return _rng


def set_seed(seed: int) -> None:
    """Start `rng` anew; with the same seed a run repeats bit for bit, for any number of threads.

    Args:
        seed: what NumPy's SFC64 takes: a whole number of 0 or more, or a sequence of them.

    Example:
        >>> set_seed(7)
        >>> first = rng().random()
        >>> set_seed(7)
        >>> first == rng().random()
        True
    """
    global _rng
    _rng = np.random.Generator(np.random.SFC64(seed))


def use_generator(generator: np.random.Generator) -> None:
    """Have `rng` give another generator."""
    global _rng
    _rng = generator


def generator_state(generator: np.random.Generator) -> list[int]:
    """Where a generator by SFC64 stands, as six numbers."""
    state: Any = generator.bit_generator.state
    return [*map(int, state["state"]["state"]), int(state["has_uint32"]), int(state["uinteger"])]


def set_generator_state(generator: np.random.Generator, state: list[int]) -> None:
    """Set a generator to what `generator_state` gave.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(state, list) or len(state) != 6 or not all(
            type(number) is int and 0 <= number < 1 << 64 for number in state):
        raise ValueError(f"a generator's state: expected six numbers, got {str(state)[:200]}")
    generator.bit_generator.state = {
        "bit_generator": "SFC64", "state": {"state": np.array(state[:4], np.uint64)},
        "has_uint32": state[4] & 1, "uinteger": state[5] & 0xFFFFFFFF,
    }  # fmt: skip


def config() -> dict[str, str]:
    """What `show_config` prints, as a dictionary."""
    try:
        import scipy  # its record of what it was built with; its BLAS itself is not loaded for this

        blas = scipy.__config__.show(mode="dicts")["Build Dependencies"]["blas"]
        blas_text = f"{blas.get('name', '?')} {blas.get('version', '?')} (SciPy {scipy.__version__})"
    except ImportError:
        blas_text = "none (SciPy is not installed)"
    except Exception as error:  # an unusual SciPy build has no such record
        blas_text = f"unknown ({error})"
    return {
        "fastrnn": __version__,
        "Python": f"{platform.python_version()} ({sys.platform}, {platform.machine()})",
        "NumPy": np.__version__,
        "processor": _core.cpu.processor_name() or platform.processor() or "unknown",
        "instruction set": f"{_core.isa} (available: {', '.join(_core.available)})",
        "threads": f"{get_num_threads()} of {os.cpu_count()}"
                   + ("" if _core.threads.OPENMP else " (built without OpenMP)"),
        "BLAS": f"{blas_text}, used: {get_blas()}",
    }


def show_config() -> None:
    """Print version, processor, instruction set in use and those available, threads and BLAS.

    Example:
        >>> import fastrnn
        >>> fastrnn.show_config()  # doctest: +ELLIPSIS
        fastrnn          ...
        instruction set  ...
    """
    for key, value in config().items():
        print(f"{key:<16} {value}")
