# SPDX-License-Identifier: Apache-2.0
"""ONNX nodes run by fastrnn, beside onnx's own tests and reference, and ONNX Runtime."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import fastrnn
from fastrnn.saving import load_onnx, onnx_backend
from fastrnn.saving.onnx.cells import Cell
from fastrnn.saving.onnx.graph import DTYPES as DTYPE_NAMES
from fastrnn.saving.onnx.plan import OPERATORS
from tests.saving.onnx.graphs import (
    DEFAULTS,
    GATES,
    N,
    T,
    assert_same,
    by_runtime,
    check_beside_runtime,
    graph,
    node_of,
    recurrent,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")     # onnx makes infinities on purpose
    from onnx.backend.test.loader import load_model_tests
    NODE_TESTS = {case.name: case for case in load_model_tests(kind="node")}

DTYPES = [np.dtype(name) for name in DTYPE_NAMES.values()]


class TestOnnxsOwnTests:
    @pytest.mark.parametrize("name", [name for name in NODE_TESTS if name.startswith(
        ("test_lstm_", "test_gru_", "test_rnn_", "test_simple_rnn_"))])  # fmt: skip
    def test_recurrent_nodes(self, name):
        case = NODE_TESTS[name]
        prepared = onnx_backend.prepare(case.model)
        for inputs, outputs in case.data_sets:
            for got, expected in zip(prepared.run(inputs), outputs, strict=True):
                np.testing.assert_allclose(got, expected, case.rtol, case.atol)

    @pytest.mark.parametrize("operator", sorted(OPERATORS))
    def test_operators_around_them(self, operator):
        """Of all onnx's tests of an operator, those that can be run give what is expected; the rest are refused as
        not supported, and not one for another reason."""
        ran = 0
        for case in NODE_TESTS.values():
            nodes = case.model.graph.node
            if len(nodes) != 1 or nodes[0].op_type != operator or "training" in case.name:
                continue
            for inputs, outputs in case.data_sets:
                inputs, outputs = ([numpy_helper.to_array(a) if isinstance(a, onnx.TensorProto) else a for a in arrays]
                                   for arrays in (inputs, outputs))
                if any(getattr(a, "dtype", None) not in DTYPES for a in (*inputs, *outputs)):
                    continue
                try:
                    got = onnx_backend.run_model(case.model, inputs)
                except fastrnn.saving.ModelFileError as error:
                    assert any(word in str(error) for word in ("not support", "expected", "takes")), error
                    continue
                for one, two in zip(got, outputs, strict=True):
                    assert one.dtype == two.dtype, case.name
                    np.testing.assert_allclose(one, two, max(case.rtol, 1e-6), case.atol, err_msg=case.name)
                ran += 1
        assert ran


class TestRecurrentNodes:
    @pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
    @pytest.mark.parametrize("operator", GATES)
    def test_inputs(self, operator, direction, rng):
        for lengths in (False, True):
            for initial in (False, True):
                for bias in (False, True):
                    arrays = recurrent(operator, rng, lengths, initial, bias, directions=1 + (direction[0] == "b"))
                    check_beside_runtime(operator, arrays, direction=direction)

    @pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
    @pytest.mark.parametrize("reset", [0, 1])
    def test_linear_before_reset(self, direction, reset, rng):
        arrays = recurrent("GRU", rng, directions=1 + (direction[0] == "b"))
        check_beside_runtime("GRU", arrays, direction=direction, linear_before_reset=reset)

    @pytest.mark.parametrize("name, alpha, beta", [
        ("Relu", None, None), ("Tanh", None, None), ("Sigmoid", None, None), ("Affine", 0.5, 0.1),
        ("Affine", 1.0, 0.0), ("LeakyRelu", 0.2, None), ("ThresholdedRelu", 0.1, None), ("ScaledTanh", 0.7, 0.9),
        ("HardSigmoid", 0.3, 0.4), ("HardSigmoid", 1 / 6, 0.5), ("HardSigmoid", None, None), ("Elu", 0.8, None),
        ("Softsign", None, None), ("Softplus", None, None)])  # fmt: skip
    @pytest.mark.parametrize("operator", GATES)
    def test_activations(self, operator, name, alpha, beta, rng):
        for place in range(len(DEFAULTS[operator])):
            names = [*DEFAULTS[operator], *DEFAULTS[operator]]
            names[place] = name
            attributes = {key: [value] for key, value in (("activation_alpha", alpha), ("activation_beta", beta))
                          if value is not None}
            arrays = recurrent(operator, rng, directions=2)
            check_beside_runtime(operator, arrays, direction="bidirectional", activations=names, **attributes)

    @pytest.mark.parametrize("operator", GATES)
    def test_clip(self, operator, rng):
        check_beside_runtime(operator, recurrent(operator, rng), clip=0.3)

    @pytest.mark.parametrize("options", [{"peepholes": True}, {"peepholes": True, "directions": 2}])
    @pytest.mark.parametrize("coupled", [0, 1])
    def test_peepholes_and_coupled_gates(self, options, coupled, rng):
        direction = "bidirectional" if "directions" in options else "reverse"
        check_beside_runtime("LSTM", recurrent("LSTM", rng, **options), direction=direction, input_forget=coupled)

    @pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
    def test_peepholes_run_on_the_kernels(self, direction, monkeypatch, rng):
        monkeypatch.setattr(Cell, "run", None)   # in NumPy, many times slower
        for lengths, initial, bias in itertools.product([False, True], repeat=3):
            arrays = recurrent("LSTM", rng, lengths, initial, bias, True, 1 + (direction[0] == "b"))
            check_beside_runtime("LSTM", arrays, direction=direction)
            check_beside_runtime("LSTM", arrays, direction=direction,
                                 activations=["Sigmoid", "Relu", "Relu"] * (1 + (direction[0] == "b")))

    @pytest.mark.parametrize("operator", GATES)
    def test_layout(self, operator, rng):
        """Batch first, which ONNX Runtime does not have: the same numbers as time first."""
        first = recurrent(operator, np.random.default_rng(1), directions=2)
        second = recurrent(operator, np.random.default_rng(1), directions=2, layout=1)
        options = {"direction": "bidirectional"}
        y, *states = load_onnx(graph(node_of(operator, first, **options), first)).run(first)
        z, *others = load_onnx(graph(node_of(operator, second, layout=1, **options), second)).run(second)
        assert_same([z, *others], [y.transpose(2, 0, 1, 3), *(state.swapaxes(0, 1) for state in states)], 0)

    @pytest.mark.parametrize("operator", GATES)
    def test_float64(self, operator, rng):
        """Beside onnx's reference: ONNX Runtime has no recurrent nodes of float64."""
        arrays = recurrent(operator, rng, lengths=False, dtype="float64")
        model = graph(node_of(operator, arrays), arrays)
        expected = onnx.reference.ReferenceEvaluator(model).run(None, arrays)
        assert_same(load_onnx(model).run(arrays), expected, 1e-14)

    @pytest.mark.parametrize("operator", GATES)
    def test_empty(self, operator, rng):
        arrays = recurrent(operator, rng)
        for lengths, time in (([0, 0, 0], T), ([0, 2, 5], T), ([0, 0, 0], 0)):
            arrays["sequence_lens"] = np.array(lengths, np.int32)
            y, h, *_ = load_onnx(graph(node_of(operator, arrays), arrays)).run({**arrays, "X": arrays["X"][:time]})
            assert not y[:, :, 0].any()
            np.testing.assert_array_equal(h[:, 0], arrays["initial_h"][:, 0])

    @pytest.mark.parametrize("operator", GATES)
    def test_weights_that_change(self, operator, rng):
        """Weights that are inputs may be others at the next call, in the same array."""
        arrays = recurrent(operator, rng)
        model = graph(node_of(operator, arrays), arrays)
        loaded = load_onnx(model)
        for _ in range(2):
            assert_same(loaded.run(arrays), by_runtime(model, arrays))
            arrays["W"] += 0.5

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("operator", GATES)
    def test_constants_anywhere(self, operator, dtype, rng):
        """A file has numbers at any byte: the states, X and the weights as constants, as PyTorch's exporter leaves the
        states of a batch whose size it knows."""
        arrays = recurrent(operator, rng, directions=2, dtype=dtype)
        node = node_of(operator, arrays, direction="bidirectional")
        expected = load_onnx(graph(node, arrays)).run(arrays)
        for shift in range(8):
            for constants in (list(arrays), ["initial_h"]):
                model = graph(node, arrays, constants)
                model.producer_name = "x" * shift
                feeds = {name: array for name, array in arrays.items() if name not in constants}
                assert_same(load_onnx(model).run(feeds), expected, 0)

    @pytest.mark.parametrize("operator", GATES)
    def test_inputs_anywhere(self, operator, rng):
        """The caller's arrays may lie at any byte, too."""
        arrays = recurrent(operator, rng, lengths=False)
        model = load_onnx(graph(node_of(operator, arrays), arrays))
        odd = {name: np.frombuffer(b"x" + array.tobytes(), array.dtype, offset=1).reshape(array.shape)
               for name, array in arrays.items()}
        assert not odd["X"].flags.aligned
        assert_same(model.run(odd), model.run(arrays), 0)

    @given(operator=st.sampled_from(list(GATES)), direction=st.sampled_from(["forward", "reverse", "bidirectional"]),
           clip=st.none() | st.floats(0.125, 2, width=32), seed=st.integers(0, 2**32 - 1), lengths=st.booleans(),
           initial=st.booleans(), bias=st.booleans(), reset=st.integers(0, 1))  # fmt: skip
    def test_any_combination(self, operator, direction, clip, seed, lengths, initial, bias, reset):
        rng = np.random.default_rng(seed)
        arrays = recurrent(operator, rng, lengths, initial, bias, directions=1 + (direction[0] == "b"))
        if lengths:
            arrays["sequence_lens"] = rng.integers(1, T + 1, N).astype(np.int32)
        attributes = {"direction": direction, **({"clip": clip} if clip else {}),
                      **({"linear_before_reset": reset} if operator == "GRU" else {})}
        model = graph(node_of(operator, arrays, **attributes), arrays)
        assert_same(load_onnx(model).run(arrays), by_runtime(model, arrays))

    @pytest.mark.parametrize("attributes, said", [
        ({"direction": "sideways"}, "attribute direction: expected one of forward"), ({"clip": -1.0}, "attribute clip"),
        ({"activations": ["Gelu", "Tanh", "Tanh"]}, "attribute activations"), ({"activations": ["Tanh"]}, "expected 3"),
        ({"layout": 2}, "attribute layout: expected 0 or 1"), ({"output_sequence": 1}, "'output_sequence' is not supp"),
        ({"hidden_size": 7}, "attribute hidden_size: expected 4, as R has, got 7"),
        ({"clip": "x"}, "attribute clip: expected float")])  # fmt: skip
    def test_refused(self, attributes, said, rng):
        arrays = recurrent("LSTM", rng)
        node = node_of("LSTM", arrays)
        for name, value in attributes.items():
            for found in [a for a in node.attribute if a.name == name]:
                node.attribute.remove(found)
            node.attribute.append(helper.make_attribute(name, value))
        with pytest.raises(fastrnn.saving.ModelFileError, match=f"LSTM 'n': .*{said}"):
            load_onnx(graph(node, arrays)).run(arrays)

    @pytest.mark.parametrize("name", ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"])
    def test_shapes_refused(self, name, rng):
        """Nothing reaches a kernel that is of another shape or kind than it was told."""
        arrays = recurrent("LSTM", rng, peepholes=True)
        for changed in (arrays[name][..., :1], arrays[name][None], arrays[name][:0],
                        arrays[name].astype("float64"), arrays[name] + 100 if name == "sequence_lens" else
                        arrays[name].astype("int64")):
            own = {**arrays, name: changed}
            with pytest.raises(fastrnn.saving.ModelFileError, match="LSTM 'n': "):
                load_onnx(graph(node_of("LSTM", own), own)).run(own)
