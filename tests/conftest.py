# SPDX-License-Identifier: Apache-2.0
"""What every test runs under: Keras on JAX, quiet, and the instruction set in the header of the report."""

from __future__ import annotations

import os

# Read when keras, jax and tensorflow are imported, which test modules do after this file.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Most of the time that JAX takes here is compiling each small case once: twice as fast without optimizing it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import numpy as np
import pytest
from hypothesis import settings

import fastrnn
from tests import reference

# The same examples on every run; a machine under load must not fail a test for being slow.
settings.register_profile("fastrnn", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("fastrnn")


def pytest_report_header(config: pytest.Config) -> str:
    return f"fastrnn {fastrnn.__version__}: instruction set {fastrnn._core.isa}, {fastrnn.get_num_threads()} threads"


#: The recurrent layers, by name: those that the reference has.
CELLS = list(reference.CELLS)

#: Tests' names for what a cell becomes by one option: the cell, and the option.
VARIANTS = {"GRU before": ("GRU", {"reset_after": False}), "LSTM peepholes": ("LSTM", {"use_peepholes": True})}


def make_layer(cell: str, D: int, H: int, rng: np.random.Generator, **options):
    """The built recurrent layer `cell`, or variant, of D inputs and H units, with random weights where defaults are
    zero or one; without recurrent dropout where there is no recurrent kernel."""
    cell, option = VARIANTS.get(cell, (cell, {}))
    options |= option
    if not getattr(fastrnn.layers, cell).has_recurrent_kernel:
        options.pop("recurrent_dropout", None)
    layer = getattr(fastrnn.layers, cell)(H, **options)
    layer.build((None, None, D))
    kept = {k: options[k] for k in ("use_bias", "reset_after", "use_peepholes") if k in options}
    layer.set_weights(reference.random_weights(cell, D, H, rng, **kept))
    return layer


def states_of(cell: str, N: int, H: int, rng: np.random.Generator, dtype: str = "float64") -> list[np.ndarray]:
    """Random values for each state of the cell, or variant: [h], or [h, c] for the LSTM."""
    states = reference.CELLS[VARIANTS.get(cell, (cell, {}))[0]].states
    return [rng.standard_normal((N, H)).astype(dtype) for _ in range(states)]


def assert_close(got, expected, tolerance: float, what: str = "") -> None:
    """The largest difference is within `tolerance` of the largest value expected, but no finer than the rounding of
    values around one, which all that is tested is made of."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    if got.size:
        error = np.abs(got.astype("float64") - expected).max()
        bound = tolerance * max(np.abs(expected).max(), 0.1)
        assert error <= bound, f"{what}: differs by {error:.3g}, at most {bound:.3g} expected"


def assert_gradients(layer, xs: list[np.ndarray], **options) -> None:
    """`backward` gives the gradients of the inputs that central differences give; of a layer of float64."""
    xs = [x.astype("float64") for x in xs]
    given = xs if layer.takes_many else xs[0]
    dy = np.random.default_rng(1).standard_normal(layer(given, training=True, **options).shape)
    found = layer.backward(dy)
    for x, dx in zip(xs, found if isinstance(found, list) else [found], strict=True):
        expected = np.empty_like(x)
        for at in np.ndindex(x.shape):
            before, sides = x[at], []
            for side in before + 1e-6, before - 1e-6:
                x[at] = side
                sides.append((layer(given, **options) * dy).sum())
            x[at], expected[at] = before, (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-7)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers for one test, the same on every run."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_settings_after():
    """A test that sets the number of threads, or what goes to BLAS, leaves the others as they were."""
    threads, blas = fastrnn.get_num_threads(), fastrnn.runtime.get_blas()
    yield
    fastrnn.runtime.set_blas(blas)
    if fastrnn.get_num_threads() != threads:
        fastrnn.set_num_threads(threads)


@pytest.fixture(params=["never", "always"], ids=["tile", "blas"])
def both_ways(request):
    """The test runs with the kernels' own products, and again with SciPy's BLAS in all places that it can have."""
    fastrnn.runtime.set_blas(request.param)
