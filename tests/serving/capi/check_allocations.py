# SPDX-License-Identifier: Apache-2.0
"""A program for LD_PRELOAD=count_allocations.so: prints how often 10,000 calls of each kind allocate or free, and
how often a new model and stream do, so that one sees that it is counted."""

from __future__ import annotations

import ctypes
import sys

import numpy as np

from tests.serving.capi.library import Library, address

ROWS, STEPS, TIMES = 3, 6, 10_000
checks = Library(sys.argv[1])
counter = ctypes.PyDLL(None).allocations
counter.restype = ctypes.c_long
checks.library.check_allocations.restype = ctypes.c_long

before = counter()
model = checks.open(sys.argv[2])
stream = checks.stream(model, ROWS + 1, ROWS, STEPS, int(sys.argv[3]))
made = counter() - before

width, outputs = checks.sizes(model)[2:4]
x = np.random.default_rng(0).standard_normal((ROWS, STEPS, width)).astype("float32")
y = np.zeros((ROWS, STEPS, outputs), "float32")
slots, lengths = np.array([2, 0, 3], "int32"), np.array([6, 1, 4], "int32")
counted = checks.library.check_allocations(ctypes.cast(counter, ctypes.c_void_p), TIMES, stream, ROWS, STEPS,
                                           address(slots), address(lengths), address(x), address(y))
print(counted, made)
