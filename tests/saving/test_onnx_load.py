# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs run by fastrnn, beside onnx's own tests and reference, ONNX Runtime, and PyTorch, whose exporter made
them."""

from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import fastrnn
from fastrnn.saving import load_onnx, onnx_backend, onnx_graph
from fastrnn.saving.onnx_export import onnx_model
from tests.saving import zoo

with warnings.catch_warnings():
    warnings.simplefilter("ignore")     # onnx makes infinities on purpose
    from onnx.backend.test.loader import load_model_tests
    NODE_TESTS = {case.name: case for case in load_model_tests(kind="node")}

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
DEFAULTS = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
KINDS = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("float64"): TensorProto.DOUBLE,
         np.dtype("int32"): TensorProto.INT32, np.dtype("int64"): TensorProto.INT64, np.dtype(bool): TensorProto.BOOL}
DTYPES = [np.dtype(name) for name in onnx_graph.DTYPES.values()]
T, N, D, H = 5, 3, 2, 4


def graph(node, arrays, constants=(), opset=17):
    """A model of one node, or several, whose inputs are `arrays` but for those that are constants."""
    nodes = node if isinstance(node, list) else [node]
    inputs = [helper.make_tensor_value_info(name, KINDS[a.dtype], None) for name, a in arrays.items()
              if name not in constants]
    outputs = [helper.make_empty_tensor_value_info(name) for name in nodes[-1].output if name]
    stored = [numpy_helper.from_array(arrays[name], name) for name in constants]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, stored),
                             opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def by_runtime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def assert_same(got, expected, tolerance=1e-6):
    assert len(got) == len(expected)
    for one, two in zip(got, expected):
        assert (one.shape, one.dtype) == (two.shape, two.dtype)
        if one.size and one.dtype.kind == "f":
            assert np.abs(one - two).max() <= tolerance * max(1, np.abs(two).max())
        else:
            np.testing.assert_array_equal(one, two)


def recurrent(operator, rng, lengths=True, initial=True, bias=True, peepholes=False, directions=1, layout=0,
              dtype="float32"):
    """The inputs of a recurrent node, by name."""
    g = GATES[operator]

    def random(*shape):
        return rng.uniform(-0.7, 0.7, shape).astype(dtype)

    arrays = {"X": random(T, N, D), "W": random(directions, g * H, D), "R": random(directions, g * H, H)}
    if bias:
        arrays["B"] = random(directions, 2 * g * H)
    if lengths:
        arrays["sequence_lens"] = np.array([T, 2, 3], np.int32)
    if initial:
        arrays["initial_h"] = random(directions, N, H)
        if operator == "LSTM":
            arrays["initial_c"] = random(directions, N, H)
    if peepholes:
        arrays["P"] = random(directions, 3 * H)
    if layout:
        arrays.update({name: arrays[name].swapaxes(0, 1).copy() for name in ("X", "initial_h", "initial_c")
                       if name in arrays})
    return arrays


def node_of(operator, arrays, **attributes):
    places = ["X", "W", "R", "B", "sequence_lens", "initial_h", *(["initial_c", "P"] if operator == "LSTM" else [])]
    inputs = [name if name in arrays else "" for name in places]
    outputs = ["Y", "Y_h", *(["Y_c"] if operator == "LSTM" else [])]
    return helper.make_node(operator, inputs, outputs, name="n", hidden_size=H, **attributes)


def check_beside_runtime(operator, arrays, tolerance=1e-6, **attributes):
    model = graph(node_of(operator, arrays, **attributes), arrays)
    assert_same(load_onnx(model).run(arrays), by_runtime(model, arrays), tolerance)
    stored = graph(node_of(operator, arrays, **attributes), arrays,
                   [name for name in "WRBP" if name in arrays])
    feeds = {name: a for name, a in arrays.items() if name not in "WRBP"}
    loaded = load_onnx(stored)
    for _ in range(2):
        assert_same(loaded.run(feeds), by_runtime(model, arrays), tolerance)


class TestOnnxsOwnTests:
    @pytest.mark.parametrize("name", [name for name in NODE_TESTS if name.startswith(
        ("test_lstm_", "test_gru_", "test_rnn_", "test_simple_rnn_"))])  # fmt: skip
    def test_recurrent_nodes(self, name):
        case = NODE_TESTS[name]
        prepared = onnx_backend.prepare(case.model)
        for inputs, outputs in case.data_sets:
            for got, expected in zip(prepared.run(inputs), outputs, strict=True):
                np.testing.assert_allclose(got, expected, case.rtol, case.atol)

    @pytest.mark.parametrize("operator", sorted(onnx_backend._OPERATORS))
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


class TestPyTorch:
    """What torch.onnx.export makes of modules with recurrent layers in them."""

    @staticmethod
    def exported(module, inputs, names, opset=17, **options):
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module.eval(), inputs, file, input_names=names, opset_version=opset, dynamo=False,
                              **options)
        return file.getvalue()

    @pytest.mark.parametrize("batch_first", [False, True])
    @pytest.mark.parametrize("options", [
        {}, {"num_layers": 2}, {"bidirectional": True}, {"num_layers": 3, "bidirectional": True, "dropout": 0.3},
        {"bias": False}])  # fmt: skip
    @pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN", "RELU"])
    def test_layers(self, cell, options, batch_first):
        torch.manual_seed(0)
        kind = torch.nn.RNN if cell == "RELU" else getattr(torch.nn, cell)
        own = {"nonlinearity": "relu"} if cell == "RELU" else {}
        module = kind(3, 4, batch_first=batch_first, **options, **own)
        x = torch.randn(2, 6, 3)
        axes = {"x": {0: "a", 1: "b"}}
        model = load_onnx(self.exported(module, (x,), ["x"], dynamic_axes=axes))
        for size in ((2, 6, 3), (5, 3, 3)):
            x = torch.randn(*size)
            with torch.no_grad():
                y, states = module(x)
            states = list(states) if isinstance(states, tuple) else [states]
            assert_same(model.run(x.numpy()), [y.numpy(), *(state.numpy() for state in states)])

    @pytest.mark.parametrize("given", [False, True], ids=["zeros", "given"])
    @pytest.mark.parametrize("opset", [11, 14, 20])
    @pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
    def test_states_of_a_fixed_batch(self, cell, opset, given):
        """Without dynamic axes, the first states are a constant of the file, or an input."""
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn = getattr(torch.nn, cell)(3, 4, 2, bidirectional=True, batch_first=True)

            def forward(self, x, *states):
                y, last = self.rnn(x, (states if cell == "LSTM" else states[0]) if states else None)
                return y, *(last if cell == "LSTM" else [last])

        torch.manual_seed(0)
        states = [torch.randn(4, 2, 4) for _ in range(1 + (cell == "LSTM"))] if given else []
        module, args = Module(), (torch.randn(2, 6, 3), *states)
        model = load_onnx(self.exported(module, args, ["x", "h", "c"][:len(args)], opset))
        with torch.no_grad():
            expected = module(*args)
        assert_same(model.run([one.numpy() for one in args]), [y.numpy() for y in expected])

    @pytest.mark.parametrize("opset", [9, 11, 13, 14, 17, 18])
    def test_words_to_classes(self, opset):
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.table = torch.nn.Embedding(20, 5)
                self.norm = torch.nn.LayerNorm(5)
                self.lstm = torch.nn.LSTM(5, 4, 2, batch_first=True, bidirectional=True)
                self.gru = torch.nn.GRU(8, 3, batch_first=True)
                self.out = torch.nn.Linear(6, 7)

            def forward(self, words):
                y, (h, _) = self.lstm(self.norm(self.table(words)))
                z, last = self.gru(torch.nn.functional.gelu(y))
                joined = torch.cat([z.mean(1), last[-1]], -1)
                return torch.softmax(self.out(joined), -1), h.transpose(0, 1).reshape(words.shape[0], -1)

        torch.manual_seed(1)
        module = Module()
        words = torch.randint(0, 20, (3, 8))
        data = self.exported(module, (words,), ["words"], opset, dynamic_axes={"words": {0: "batch", 1: "time"}})
        model = load_onnx(data)
        for some in (words, torch.randint(0, 20, (1, 11))):
            with torch.no_grad():
                expected = module(some)
            assert_same(model.run({"words": some.numpy()}), [y.numpy() for y in expected])

    def test_packed_sequences_and_states(self):
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.gru = torch.nn.GRU(3, 4, batch_first=True, bidirectional=True)

            def forward(self, x, lengths, h):
                packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
                y, last = self.gru(packed, h)
                return torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0], last

        torch.manual_seed(2)
        module, x, lengths, h = Module(), torch.randn(3, 6, 3), torch.tensor([6, 4, 1]), torch.randn(2, 3, 4)
        model = load_onnx(self.exported(module, (x, lengths, h), ["x", "lengths", "h"]))
        with torch.no_grad():
            expected = module(x, lengths, h)
        assert_same(model.run([x.numpy(), lengths.numpy(), h.numpy()]), [y.numpy() for y in expected])


class TestOwnExports:
    @pytest.mark.parametrize("stack", zoo.STACKS)
    def test_round_trip(self, stack):
        model, x = zoo.make(fastrnn, stack), zoo.inputs(stack)
        assert_same(load_onnx(onnx_model(model)).run(x), [model.predict(x, verbose=0)])

    @pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
    def test_float64(self, cell, rng):
        layer = getattr(fastrnn.layers, cell)(4, return_sequences=True, dtype="float64")
        model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.Bidirectional(layer),
                                    fastrnn.layers.Dense(2, dtype="float64")])
        x = rng.standard_normal((3, 5, 3))
        assert_same(load_onnx(onnx_model(model)).run(x), [model.predict(x, verbose=0)], 1e-14)

    def test_masks(self, rng):
        layers = fastrnn.layers
        model = fastrnn.Sequential([fastrnn.Input((None,)), layers.Embedding(5, 3, mask_zero=True),
                                    layers.Bidirectional(layers.GRU(4, return_sequences=True)),
                                    layers.LSTM(3, go_backwards=True)])
        x = rng.integers(0, 3, (20, 6))
        assert_same(load_onnx(onnx_model(model)).run(x), [model.predict(x, verbose=0)])


class TestBackend:
    def test_interface(self, rng, tmp_path):
        arrays = recurrent("GRU", rng)
        model = graph(node_of("GRU", arrays), arrays)
        expected = by_runtime(model, arrays)
        onnx.save(model, tmp_path / "m.onnx")
        for source in (model, model.SerializeToString(), tmp_path / "m.onnx", str(tmp_path / "m.onnx")):
            assert_same(onnx_backend.prepare(source).run(list(arrays.values())), expected)
        assert_same(onnx_backend.run_model(model, arrays, "CPU"), expected)
        assert_same(onnx_backend.run_node(model.graph.node[0], arrays), expected)
        assert_same(onnx_backend.run_node(helper.make_node("Add", ["a", "a"], ["b"]), [np.ones(2)]), [np.full(2, 2.0)])
        assert onnx_backend.supports_device("CPU:0") and not onnx_backend.supports_device("CUDA")
        assert onnx_backend.is_compatible(model)
        assert not onnx_backend.is_compatible(graph(helper.make_node("Conv", ["X", "W"], ["Y"]), arrays))
        for call in (onnx_backend.prepare, lambda m, device: onnx_backend.run_node(m.graph.node[0], arrays, device)):
            with pytest.raises(ValueError, match="expected the device 'CPU', got 'CUDA'"):
                call(model, device="CUDA")
        loaded = load_onnx(model)
        assert [value.name for value in loaded.inputs] == list(arrays)
        assert [value.name for value in loaded.outputs] == ["Y", "Y_h"]

    def test_inputs_refused(self, rng):
        loaded = load_onnx(onnx_model(zoo.make(fastrnn, "LSTM-forward-1")))
        x = zoo.inputs("LSTM-forward-1")
        for given_, said in [({}, "expected the inputs input, got 0"), ([x, x], "got 2"), ({"y": x}, "got 1: y"),
                             (x.astype("float64"), r"expected float32, got float64; convert it, e.g. by x.astype"),
                             (x[0], r"expected shape \(None, None, 3\), got \(6, 3\)"),
                             (x[..., :2], "expected shape"), (np.array(["a"]), "expected float32"),
                             ([object()], "expected float32")]:
            with pytest.raises(ValueError, match=said):
                loaded.run(given_)
        assert_same(loaded.run([x.tolist()]), loaded.run(x))

    def test_many_threads(self, rng):
        from concurrent.futures import ThreadPoolExecutor

        loaded = load_onnx(onnx_model(zoo.make(fastrnn, "words")))
        batches = [rng.integers(0, zoo.WORDS, (n, zoo.T)) for n in range(1, 20)]
        expected = [loaded.run(x)[0] for x in batches]
        with ThreadPoolExecutor(4) as pool:
            for got, one in zip(pool.map(lambda x: loaded.run(x)[0], batches), expected):
                np.testing.assert_array_equal(got, one)
