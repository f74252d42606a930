# SPDX-License-Identifier: Apache-2.0
"""The kernel of CTC: threads, and arguments that it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from fastrnn import _core


def arguments(N=9, T=40, C=11, L=12, dtype="float32", threads=1, gradient=True):
    rng = np.random.default_rng(0)
    kernels = _core.kernels(dtype)
    return {
        "x": rng.standard_normal((N, T, C)).astype(dtype), "labels": rng.integers(1, C, (N, L)).astype(np.int32),
        "label_lengths": rng.integers(0, L + 1, N).astype(np.int32),
        "lengths": rng.integers(T // 2, T + 1, N).astype(np.int32),
        "blank": 0, "values": np.empty(N, dtype), "gradient": np.empty((N, T, C), dtype) if gradient else None,
        "work": np.full(threads * kernels.ctc_room(T, L, gradient), np.nan, dtype), "logits": True, "threads": threads,
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(dtype):
    found = []
    for threads in 1, 2, 3, 5:
        given = arguments(dtype=dtype, threads=threads)
        _core.kernels(dtype).ctc(**given)
        found.append(given)
    for given in found[1:]:
        np.testing.assert_array_equal(given["values"], found[0]["values"])
        np.testing.assert_array_equal(given["gradient"], found[0]["gradient"])
    alone = arguments(dtype=dtype, gradient=False)
    _core.kernels(dtype).ctc(**alone)
    np.testing.assert_array_equal(alone["values"], found[0]["values"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("labels", range(34))
def test_writes_within_its_memory(dtype, labels):
    """For every number of labels up to past two vectors, with and without a gradient."""
    for gradient in (True, False):
        given = arguments(3, 5, 4, labels, dtype, gradient=gradient)
        room = len(given["work"])
        behind = np.full(room + 64, 7, dtype)
        given["work"] = behind[:room]
        _core.kernels(dtype).ctc(**given)
        assert (behind[room:] == 7).all()


@pytest.mark.parametrize(("name", "value"), [
    ("labels", np.full((9, 12), 11, np.int32)), ("labels", np.full((9, 12), -1, np.int32)),
    ("labels", np.zeros((8, 12), np.int32)), ("labels", np.zeros((9, 12), np.int64)), ("labels", np.zeros(9, np.int32)),
    ("lengths", np.full(9, 41, np.int32)), ("lengths", np.full(9, -1, np.int32)), ("lengths", np.zeros(8, np.int32)),
    ("label_lengths", np.full(9, 13, np.int32)), ("label_lengths", np.zeros(9, np.int64)), ("blank", 11), ("blank", -1),
    ("values", np.zeros(8, "float32")), ("gradient", np.zeros((9, 40, 10), "float32")),
    ("x", np.zeros((9, 40, 11), "float64")), ("x", np.zeros((40, 9, 11), "float32").transpose(1, 0, 2)),
    ("work", np.zeros(100, "float32")),
])  # fmt: skip
def test_refuses(name, value):
    given = arguments()
    given["label_lengths"][:] = 12
    given[name] = value
    with pytest.raises(ValueError, match="kernel argument"):
        _core.kernels("float32").ctc(**given)


def test_refuses_read_only_results():
    for name in ("values", "gradient", "work"):
        given = arguments()
        given[name].flags.writeable = False
        with pytest.raises(ValueError, match=f"'{name}'.*read-only"):
            _core.kernels("float32").ctc(**given)
