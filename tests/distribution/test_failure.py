# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on one rank ends all of them, at once, and says where."""

from __future__ import annotations

import time

import pytest

from tests.distribution.running import ranks

pytestmark = pytest.mark.alone


@pytest.mark.parametrize(("what", "said"), [
    ("batch_size", "ValueError: DataParallel: batch_size=1 is that of all 2 ranks together"),
    ("lengths", "ValueError: fit: the number of samples must be the same on all ranks, and is"),
    ("models", "ValueError: fit: the shapes of the model's weights must be the same on all ranks"),
    ("sources", "ValueError: DataParallel: the source of rank 1 gave a batch of 19 samples where"),
    ("stateful", "is stateful, which DataParallel does not know how to share out"),
    ("drift", "RuntimeError: DataParallel: at the end of an epoch the model of rank 1 has drifted"),
])  # fmt: skip
def test_an_error_of_all(what, said):
    for error in ranks(2, "wrong", what).result["errors"]:
        assert said in error


def test_an_argument_of_one_rank():
    first, last = ranks(2, "wrong", "targets").result["errors"]
    assert first.startswith("RuntimeError: fit: rank 1 has failed: ValueError: ")
    assert last.startswith("ValueError: ") and last in first


def test_shards_that_cannot_be_dealt_out():
    run = ranks(2, "wrong", "few shards")
    assert run.code != 0 and "ValueError: DataParallel: shards=1 cannot be dealt out to 2 ranks" in run.errors


@pytest.mark.parametrize(("how", "said"), [
    ("error", "KeyError: 'no such thing'"),
    ("interrupt", "KeyboardInterrupt"),
    ("nan", "FloatingPointError: rank 1: fit: the loss is nan in batch 0 of epoch 0"),
    ("import", "ImportError: only here"),
])  # fmt: skip
def test_one_rank_ends_all(how, said):
    run = ranks(2, "fail", how)
    assert run.code != 0 and run.seconds < 20
    assert "rank 1 of 2 failed, which ends all of them:\nTraceback" in run.errors and said in run.errors


def test_a_rank_is_killed_and_the_run_goes_on(tmp_path):
    """On another number of ranks, to the same bits."""
    expected = ranks(1, "fail", "no", 4).result
    run = ranks(2, "fail", "kill", 4, tmp_path)
    ended = time.time()
    assert run.code != 0 and "signal 9" in run.errors
    began = max(float(line.split()[1]) for line in run.errors.splitlines() if line.startswith("began "))
    assert ended - began < 10
    resumed = ranks(4, "fail", "no", 4, tmp_path).result
    assert resumed["epochs"] == [1, 2] and resumed["weights"] == expected["weights"]
