# SPDX-License-Identifier: Apache-2.0
"""Where SciPy is not installed all works, unless its BLAS is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from fastrnn import _core
from fastrnn.activations import gelu
from tests.test_package import python

BLOCKED = "import sys\nsys.modules['scipy'] = None     # as if it were not installed\nimport numpy as np, fastrnn\n"

# Layers wide enough that some of their products would go to BLAS where that is faster.
EVERYTHING = BLOCKED + """
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding
from fastrnn.saving import from_torch, load_model, to_torch

rng = np.random.default_rng(0)
model = fastrnn.Sequential([Embedding(50, 300, mask_zero=True), Bidirectional(LSTM(260, return_sequences=True)), GRU(8),
                            Dense(300, activation="relu"), Dense(300), Dense(2, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
x, y = rng.integers(0, 50, (300, 6)), rng.integers(0, 2, 300)
model.fit(x, y, epochs=1, batch_size=300, verbose=0)
expected = model.predict(x, verbose=0)
model.save(sys.argv[1])
np.testing.assert_array_equal(load_model(sys.argv[1]).predict(x, verbose=0), expected)
state = to_torch({"encoder": model.layers[1], "out": model.layers[-1]})
layers = from_torch(state)
assert sorted(layers) == ["encoder", "out"]
sequences = rng.standard_normal((3, 5, 300)).astype("float32")
np.testing.assert_allclose(layers["encoder"](sequences), model.layers[1](sequences), atol=1e-5)
fastrnn.show_config()
assert sys.modules["scipy"] is None and not any(name.startswith("scipy.") for name in sys.modules)
"""


@pytest.mark.parametrize("isa", _core.available)
@pytest.mark.parametrize("mode", ["", "auto", "never"])
def test_everything_works(isa, mode, tmp_path):
    run = python("-c", EVERYTHING, str(tmp_path / "model"), FASTRNN_BLAS=mode, FASTRNN_ISA=isa)
    assert run.returncode == 0, run.stderr
    assert "none (SciPy is not installed), used: " in run.stdout


PRODUCT = "fastrnn.layers.Dense(4)(np.zeros((3, 5)))"


@pytest.mark.parametrize(("code", "environment"), [
    (PRODUCT, {"FASTRNN_BLAS": "always"}), (f"fastrnn.runtime.set_blas('always'); {PRODUCT}", {}),
])
def test_forced_blas_says_what_to_install(code, environment):
    run = python("-c", BLOCKED + code, **environment)
    assert run.returncode == 1
    assert "ImportError: FASTRNN_BLAS=always sends products to SciPy's BLAS, and SciPy cannot be imported" in run.stderr
    assert "pip install scipy, or set FASTRNN_BLAS=auto" in run.stderr


def test_other_products_after_the_error():
    """The layer works on when BLAS is not forced any more."""
    code = """
fastrnn.runtime.set_blas("always")
layer = fastrnn.layers.Dense(4)
for _ in range(2):
    try:
        layer(np.ones((3, 5)))
    except ImportError:
        pass
    else:
        raise SystemExit("no error")
fastrnn.runtime.set_blas("auto")
np.testing.assert_allclose(layer(np.ones((3, 5))), np.ones((3, 5)) @ layer.kernel.value, rtol=1e-5)
"""
    run = python("-c", BLOCKED + code)
    assert run.returncode == 0, run.stderr


def test_the_error_function_is_as_scipys(tmp_path):
    """gelu is computed by the standard library, to the last bits but one or two."""
    code = """
from fastrnn.activations import gelu
x = np.linspace(-9, 9, 1001).astype("float32")
x.tofile(sys.argv[1] + ".x"), gelu(x).tofile(sys.argv[1] + ".y")
"""
    run = python("-c", BLOCKED + code, str(tmp_path / "gelu"))
    assert run.returncode == 0, run.stderr
    x, y = (np.fromfile(tmp_path / f"gelu.{name}", "float32") for name in "xy")
    np.testing.assert_allclose(y, gelu(x), rtol=1e-5, atol=1e-30)
