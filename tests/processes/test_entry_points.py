# SPDX-License-Identifier: Apache-2.0
"""Every public entry point of the kernels: no more threads than are configured, none that a forked child waits for."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastrnn import _core, runtime
from tests.processes.recipes import ALONE, RECIPES, WITHOUT_WORK
from tests.processes.running import faults

DTYPES = ["float32", "float64"]

counts_threads = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="the system does not tell threads")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_has_a_recipe(dtype):
    """An entry point that computes needs one here; one that only sets or tells something is named as such."""
    entries = {name for name, value in vars(_core.kernels(dtype)).items() if callable(value) and name[0] != "_"}
    assert entries == {recipe.entry for recipe in RECIPES.values()} | WITHOUT_WORK


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_uses_it(name, dtype, monkeypatch):
    kernels, recipe, calls = _core.kernels(dtype), RECIPES[name], []
    kernel = getattr(kernels, recipe.entry)

    def watched(*arguments, **options):
        calls.append(arguments)
        return kernel(*arguments, **options)

    monkeypatch.setattr(kernels, recipe.entry, watched)
    recipe.prepare(dtype)()
    assert calls


@counts_threads
@pytest.mark.skipif("without" in runtime.config()["threads"], reason="built without threads")
def test_the_recipe_is_large_enough():
    """Each takes a second thread where it may, so that the other tests here have something to see."""
    names = [name for name, recipe in RECIPES.items() if recipe.entry not in ALONE]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda name: faults("alone", "float32", name, FASTRNN_NUM_THREADS="2"), names))
    assert [fault for fault in found if fault] == []


@counts_threads
@pytest.mark.parametrize("blas", ["never", "always"])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_more_threads_than_configured(dtype, threads, blas):
    assert faults("threads", dtype, FASTRNN_NUM_THREADS=str(threads), FASTRNN_BLAS=blas) == {}


@counts_threads
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_more_threads_than_set(dtype):
    assert faults("fewer_threads", dtype, FASTRNN_NUM_THREADS="2") == {}


@forks
@pytest.mark.parametrize("variables", [
    {"FASTRNN_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "1"}, {"FASTRNN_NUM_THREADS": "2", "FASTRNN_BLAS": "always"},
], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_forked_child_computes_the_same(dtype, variables):
    """Also with numbers of threads that the child sets."""
    assert faults("forks", dtype, **variables) == {}
