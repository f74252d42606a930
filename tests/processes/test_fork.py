# SPDX-License-Identifier: Apache-2.0
"""Processes that fork with a warm model: pools of workers, children of children, forks at any moment, training."""

from __future__ import annotations

import os

import pytest

from tests.processes.running import faults

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

SETTINGS = pytest.mark.parametrize("variables", [{"FASTRNN_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "1"}], ids=str)


@SETTINGS
def test_a_pool_of_workers(variables):
    assert faults("pool", **variables) == {}


@SETTINGS
def test_a_child_of_a_child(variables):
    assert faults("child_of_a_child", "float32", **variables) == {}


@SETTINGS
def test_a_fork_while_another_thread_computes(variables):
    assert faults("while_another_computes", "float32", **variables) == {}


def test_a_hundred_forks_of_a_training():
    assert faults("fork_and_train", "100", FASTRNN_NUM_THREADS="2") == {}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_training_in_processes_of_each_start_method(method):
    assert faults("start_method", method, FASTRNN_NUM_THREADS="2") == {}
