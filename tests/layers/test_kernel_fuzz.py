# SPDX-License-Identifier: Apache-2.0
"""Recurrent kernels under drawn shapes, options, masks, strides, threads and plans, beside the NumPy reference.

`make test` tries 4,000 cases for each instruction set, `make fuzz-kernels` more, and other ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastrnn
from tests.conftest import CELLS
from tests.layers.test_recurrent_gradients import CELL_FACTORS, FACTORS, check

#: For each cell. FASTRNN_FUZZ, if it is set, is the number of all cells together.
CASES = int(os.environ.get("FASTRNN_FUZZ", 4000)) // len(CELLS)
#: Their derivative jumps: in float32 another rounding may give another one.
JUMP = ("relu", "hard_sigmoid")


def cases(cell: str) -> st.SearchStrategy[dict[str, Any]]:
    """What a `Problem` is made of: small sizes around those of vectors and tiles, any of the values of each option."""
    factors = FACTORS | CELL_FACTORS[cell]
    drawn = {name: st.sampled_from(values) for name, values in factors.items()}
    drawn["shape"] = st.tuples(st.integers(1, 18), st.integers(1, 6), st.integers(1, 40))
    drawn["D"] = st.integers(1, 9)
    return st.fixed_dictionaries({"cell": st.just(cell), **drawn})


plans = st.sampled_from([(0, False, False), *[(team, split, fused) for team in (1, 2, 3) for split in (False, True)
                                              for fused in (False, True)]])


def fuzz(cell: str) -> Callable[[], None]:
    @settings(max_examples=CASES, derandomize="FASTRNN_FUZZ" not in os.environ, database=None,
              suppress_health_check=list(HealthCheck))
    @given(cases(cell), st.sampled_from(["float32", "float64"]), plans, st.integers(-1, 1))
    def run(case: dict[str, Any], dtype: str, plan: tuple[int, bool, bool], long_tape: int) -> None:
        kernels = fastrnn._core.kernels(dtype)
        fastrnn.set_num_threads(max(1, plan[0]))
        kernels.force_plan(*plan)
        before = kernels.set_long_tape(long_tape)
        try:
            check(case, dtype, dtype == "float64" or not any(name in case.values() for name in JUMP))
        finally:
            kernels.force_plan()
            kernels.set_long_tape(before)

    return run


@pytest.mark.parametrize("cell", CELLS)
def test_as_the_reference(cell):
    fuzz(cell)()
