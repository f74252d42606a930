# SPDX-License-Identifier: Apache-2.0
"""Products through SciPy's BLAS: right, the same bits for any number of threads, bound when first needed, and harmless
to the BLAS of whoever else uses it in the process."""

from __future__ import annotations

import ctypes
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastrnn
from fastrnn import _core, runtime
from fastrnn.layers import Dense
from tests import reference
from tests.conftest import assert_close, make_layer
from tests.test_package import python

blas = _core.blas
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
PARTS = 512  # the side of what one call computes, at most


@pytest.fixture
def always():
    runtime.set_blas("always")


def scipy_threads() -> int:
    found = blas.SCIPY.control()
    assert found is not None, "SciPy's wheels have OpenBLAS, whose threads can be controlled"
    return found.get()


@pytest.fixture
def two_threads():
    """SciPy's own BLAS set to two threads."""
    found, before = blas.SCIPY.control(), scipy_threads()
    found.set(2)
    yield
    found.set(before)


def trained_once(layer, x, dy, mask=None) -> dict[str, np.ndarray]:
    options = {} if mask is None else {"mask": mask}
    found = {"y": layer(x, training=True, **options).copy(), "dx": layer.backward(dy)}
    return found | {v.name: v.grad.copy() for v in layer.trainable_weights}


@pytest.mark.usefixtures("always")
class TestProducts:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("activation", [None, "tanh", "softmax"])
    @pytest.mark.parametrize("use_bias", [True, False])
    @pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (33, 17, 66), (385, 130, 35), (PARTS + 1, 9, PARTS + 3),
                                       (5, PARTS + 7, 2 * PARTS + 1)], ids=str)  # fmt: skip
    def test_dense(self, shape, use_bias, activation, dtype, rng):
        M, K, units = shape
        layer = Dense(units, activation=activation, use_bias=use_bias, bias_initializer="random_normal", dtype=dtype)
        x, dy = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((M, units)).astype(dtype)
        found = trained_once(layer, x, dy)
        x, dy, W = x.astype("f8"), dy.astype("f8"), layer.kernel.data.astype("f8")
        z = x @ W + (layer.bias.data.astype("f8") if use_bias else 0)
        y = {None: z, "tanh": np.tanh(z), "softmax": np.exp(z) / np.exp(z).sum(1, keepdims=True)}[activation]
        dz = {None: dy, "tanh": dy * (1 - y * y), "softmax": y * (dy - (dy * y).sum(1, keepdims=True))}[activation]
        expected = {"y": y, "dx": dz @ W.T, "kernel": x.T @ dz, "bias": dz.sum(0)}
        assert set(found) == set(expected) - (set() if use_bias else {"bias"})
        for name, value in found.items():
            assert_close(value, expected[name], 5 * TOLERANCE[dtype], name)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("masked", [False, True])
    @pytest.mark.parametrize("shape", [(1, 9, 4, 5), (6, 1, 4, 5), (5, 11, 13, 19), (40, 12, 37, 70)], ids=str)
    @pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU", "GRU before", "MinGRU"])
    def test_weight_gradients(self, cell, shape, masked, dtype, rng):
        N, T, D, H = shape
        options = {"return_sequences": True, "recurrent_dropout": 0.3}
        if cell == "GRU before":
            cell, options = "GRU", options | {"reset_after": False}
        layer = make_layer(cell, D, H, rng, dtype=dtype, **options)
        mask = reference.random_mask("right", N, T, rng) if masked else None
        x, dy = rng.standard_normal((N, T, D)).astype(dtype), rng.standard_normal((N, T, H)).astype(dtype)
        if masked:
            x[~mask] = np.nan       # what is masked is not read
        runtime.set_blas("never")
        fastrnn.utils.set_random_seed(3)
        expected = trained_once(layer, x, dy, mask)
        runtime.set_blas("always")
        fastrnn.utils.set_random_seed(3)
        for name, value in trained_once(layer, x, dy, mask).items():
            assert_close(value, expected[name], 5 * TOLERANCE[dtype], name)

    @pytest.mark.parametrize("layout", ["batch first", "time first", "backwards", "one sequence for all"])
    def test_layouts_of_the_input(self, layout, rng):
        N, T, D, H = 6, 9, 7, 11
        layer = make_layer("LSTM", D, H, rng, go_backwards=layout == "backwards", return_sequences=True)
        x = rng.standard_normal((N, T, D)).astype("f4")
        if layout == "time first":
            x = np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1)
        if layout == "one sequence for all":
            x = np.broadcast_to(x[:1], x.shape)
        dy = rng.standard_normal((N, T, H)).astype("f4")
        found = trained_once(layer, x, dy)
        runtime.set_blas("never")
        for name, value in trained_once(layer, x.copy(), dy).items():
            assert_close(found[name], value, 1e-4, name)

    @pytest.mark.parametrize("cell", ["LSTM", "GRU", "MinGRU"])
    def test_same_bits_for_any_number_of_threads(self, cell, rng):
        N, T, D, H = 31, 9, PARTS + 5, 70
        layer = make_layer(cell, D, H, rng, return_sequences=True)
        head = Dense(PARTS + 3, activation="tanh")
        x, dy = rng.standard_normal((N, T, D)).astype("f4"), rng.standard_normal((N, T, H)).astype("f4")
        dense_dy = rng.standard_normal((N, T, PARTS + 3)).astype("f4")
        results = []
        for threads in (1, 2, 3, 5):
            fastrnn.set_num_threads(threads)
            found = [*trained_once(layer, x, dy).values(), *trained_once(head, x, dense_dy).values()]
            results.append([np.asarray(value).tobytes() for value in found])
        assert all(result == results[0] for result in results)

    def test_no_rows(self):
        layer = Dense(3)
        found = trained_once(layer, np.zeros((0, 4), "f4"), np.zeros((0, 3), "f4"))
        assert found["y"].shape == (0, 3) and not found["kernel"].any()


@pytest.mark.usefixtures("always", "two_threads")
class TestProjection:
    """The input of many steps at a time, in more chunks than one."""

    @pytest.mark.parametrize("go_backwards", [False, True])
    @pytest.mark.parametrize("shape", [(70, 130, 9, 17), (3, 3000, 9, 17)], ids=["a product a step", "a product a row"])
    @pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU", "GRU before", "MinGRU"])
    def test_it_gives_what_the_tile_gives(self, cell, shape, go_backwards, rng):
        N, T, D, H = shape
        options = {"reset_after": False} if cell == "GRU before" else {}
        layer = getattr(fastrnn.layers, cell.split()[0])(H, return_sequences=True, go_backwards=go_backwards, **options)
        x = rng.standard_normal((N, T, D)).astype("f4")
        mask = rng.random((N, T)) < 0.8
        x[~mask] = np.nan                   # what is masked is not read
        runtime.set_blas("never")
        expected = layer(x, mask=mask)
        runtime.set_blas("always")
        found = []
        for threads in (1, 2, 3, 5):
            runtime.set_num_threads(threads)
            found.append(layer(x, mask=mask))
            np.testing.assert_array_equal(found[-1], found[0])
        assert_close(found[0], expected, 1e-4, "y")


class TestThreads:
    def test_scipy_keeps_its_number(self, rng):
        trained_once(Dense(40), np.ones((50, 30), "f4"), np.ones((50, 40), "f4"))
        assert scipy_threads() == 2

    def test_one_while_in_use(self):
        assert blas.enter("float32", None)
        assert blas.enter("float32", None)
        assert scipy_threads() == 1
        blas.leave()
        assert scipy_threads() == 1, "another call still uses it"
        blas.leave()
        assert scipy_threads() == 2

    def test_many_python_threads(self, rng):
        x, dy = rng.standard_normal((60, 40)).astype("f4"), rng.standard_normal((60, 50)).astype("f4")
        layers = [Dense(50, kernel_initializer=fastrnn.initializers.GlorotUniform(seed=1)) for _ in range(8)]
        expected = trained_once(layers[0], x, dy)
        start = threading.Barrier(8)

        def work(layer):
            start.wait()
            return [trained_once(layer, x, dy) for _ in range(20)]

        with ThreadPoolExecutor(8) as pool:
            for results in pool.map(work, layers):
                for found in results:
                    assert all(found[n].tobytes() == expected[n].tobytes() for n in expected)
        assert scipy_threads() == 2

    def test_without_control_the_tile_does_it(self, monkeypatch):
        monkeypatch.setattr(blas.SCIPY, "_control", None)
        bound = []
        runtime.set_blas("auto")
        assert not blas.enter("float32", bound.append)
        assert bound == []
        runtime.set_blas("always")
        assert blas.enter("float32", bound.append)
        blas.leave()
        assert len(bound) == 1

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_a_forked_child_works(self):
        code = (
            "import os, numpy as np\n"
            "from fastrnn.layers import Dense\n"
            "from fastrnn import _core\n"
            "layer, x = Dense(70), np.ones((200, 60), 'f4')\n"
            "y = layer(x).copy()\n"
            "before = _core.blas.SCIPY.control().get()\n"
            "_core.blas.enter('float32', None)\n"       # as if another thread were inside while this one forks
            "child = os.fork()\n"
            "if not child:\n"
            "    same = (layer(x) == y).all() and _core.blas.SCIPY.control().get() == before\n"
            "    os._exit(0 if same else 1)\n"
            "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
            "_core.blas.leave()\n"
        )
        run = python("-c", code, FASTRNN_BLAS="always")
        assert run.returncode == 0, run.stderr


class TestBinding:
    CODE = (
        "import sys, numpy as np\n"
        "from fastrnn.layers import Dense\n"
        "Dense(3)(np.ones((2, 4), 'f4'))\n"
        "print('scipy.linalg' in sys.modules)\n"
    )

    @pytest.mark.parametrize("mode, loaded", [("auto", "False"), ("never", "False"), ("always", "True")])
    def test_loaded_only_for_a_product_that_goes_there(self, mode, loaded):
        run = python("-c", self.CODE, FASTRNN_BLAS=mode)
        assert run.stdout.strip() == loaded, run.stderr

    @pytest.mark.parametrize("isa", _core.available)
    def test_large_products_of_the_baseline_go_there(self, isa):
        code = self.CODE.replace("Dense(3)(np.ones((2, 4)", "Dense(256)(np.ones((256, 256)")
        run = python("-c", code, FASTRNN_ISA=isa)
        assert run.stdout.strip() == str(isa == "baseline"), run.stderr

    @pytest.mark.parametrize("text", ["yes", "ALWAYS", " auto", "1"])
    def test_bad_environment(self, text):
        run = python("-c", "import fastrnn", FASTRNN_BLAS=text)
        assert run.returncode != 0
        assert f"FASTRNN_BLAS: expected one of auto, always, never, got {text!r}" in run.stderr

    @pytest.mark.parametrize("mode", ["yes", None, 1, ["auto"]])
    def test_bad_mode(self, mode):
        with pytest.raises(ValueError, match="set_blas: expected one of auto, always, never, got"):
            runtime.set_blas(mode)
        assert runtime.get_blas() in blas.MODES

    @pytest.mark.parametrize("integer", ["int", "int64_t", "long", "long long", "__pyx_t_cython_blas_blas_int"])
    def test_signatures(self, integer):
        for dtype, letter in (("float32", "s"), ("float64", "d")):
            capsule = self.capsule(integer, f"__pyx_t_5scipy_6linalg_11cython_blas_{letter}")
            assert blas.gemm_of({f"{letter}gemm": capsule}, dtype) is capsule

    def test_wrong_signatures(self):
        for capsules in ({}, {"sgemm": self.capsule("int", "double")}, {"sgemm": self.capsule("float", "float")},
                         {"sgemm": self.capsule("int", "float", "float")}):  # fmt: skip
            with pytest.raises(ImportError, match="cython_blas.sgemm: expected BLAS's sgemm .* FASTRNN_BLAS=never"):
                blas.gemm_of(capsules, "float32")

    @staticmethod
    def capsule(integer, real, *more):
        kinds = ["char"] * 2 + [integer] * 3 + [real] * 2 + [integer, real, integer] + [real] * 2 + [integer, *more]
        name = f"void ({', '.join(kind + ' *' for kind in kinds)})".encode()
        TestBinding.names.append(name)  # a capsule does not keep its name alive
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(1, name, None)

    names: list[bytes] = []  # noqa: RUF012

    def test_config_names_it_without_loading_it(self):
        code = "import sys, fastrnn; fastrnn.show_config(); print('scipy.linalg' in sys.modules)"
        lines = python("-c", code, FASTRNN_BLAS="never").stdout.splitlines()
        assert lines[-1] == "False"
        assert any(line.startswith("BLAS ") and line.endswith("used: never") for line in lines)
