# SPDX-License-Identifier: Apache-2.0
"""Allocations that fail: those of Python, by CPython's own test module, and those of arrays, by a handler for NumPy."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
from collections.abc import Iterator
from typing import Any

# With the GIL kept: what NumPy calls, and what is called on, may give it up by itself.
_MALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_CALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_REALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_FREE = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Allocator(ctypes.Structure):
    # NumPy's PyDataMemAllocator
    _fields_ = [("ctx", ctypes.c_void_p), ("malloc", _MALLOC), ("calloc", _CALLOC), ("realloc", _REALLOC),
                ("free", _FREE)]


class _Handler(ctypes.Structure):
    # NumPy's PyDataMem_Handler
    _fields_ = [("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", _Allocator)]


def _of_numpy(entry: int, result: Any, *arguments: Any) -> Any:
    """A function of NumPy's table for C, by its number."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    try:
        module = importlib.import_module("numpy._core._multiarray_umath")
    except ImportError:
        module = importlib.import_module("numpy.core._multiarray_umath")
    table = ctypes.cast(get(module._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    return ctypes.PYFUNCTYPE(result, *arguments)(table[entry])


_set_handler = _of_numpy(304, ctypes.py_object, ctypes.py_object)    # PyDataMem_SetHandler
_handler_of_numpy = _of_numpy(305, ctypes.py_object)()               # PyDataMem_GetHandler
_own = _Handler.from_address(ctypes.pythonapi.PyCapsule_GetPointer(_handler_of_numpy, b"mem_handler")).allocator

_fails_at = -1      # the number of the allocation that is to fail, of those that follow; -1: none
_count = 0


def _fails() -> bool:
    global _count
    _count += 1
    return _count - 1 == _fails_at


@_MALLOC
def _malloc(context: Any, size: int) -> Any:
    return None if _fails() else _own.malloc(context, size)


@_CALLOC
def _calloc(context: Any, count: int, size: int) -> Any:
    return None if _fails() else _own.calloc(context, count, size)


# What frees memory is NumPy's own: it may be called while an error is on its way, when no Python can run.
_handler = _Handler(b"failing", 1, _Allocator(_own.ctx, _malloc, _calloc, _own.realloc, _own.free))


@contextlib.contextmanager
def array_allocation(number: int) -> Iterator[None]:
    """Have the allocation of an array fail, of that number, counted from here on."""
    global _fails_at, _count
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    before = _set_handler(new(ctypes.addressof(_handler), b"mem_handler", None))
    _fails_at, _count = number, 0
    try:
        yield
    finally:
        _fails_at = -1
        _set_handler(before)


@contextlib.contextmanager
def python_allocation(number: int) -> Iterator[None]:
    """The same of any allocation by Python's own allocators."""
    testing = importlib.import_module("_testcapi")
    try:
        testing.set_nomemory(number, number + 1)
        yield
    finally:
        testing.remove_mem_hooks()
