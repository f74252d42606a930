# SPDX-License-Identifier: Apache-2.0
"""Models written as ONNX and run by ONNX Runtime, which must predict what fastrnn predicts."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn
from fastrnn.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Embedding,
    GRUCell,
    LSTMCell,
    MinGRU,
    SimpleRNN,
    SimpleRNNCell,
    TimeDistributed,
)
from fastrnn.saving import export_onnx
from fastrnn.saving.onnx.export import OPSETS, onnx_model
from tests.saving import zoo

CELLS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}


def session(model, **options):
    proto = onnx_model(model, **options)
    onnx.checker.check_model(proto, full_check=True)
    used = {name for node in proto.graph.node for name in node.input}
    assert used >= {tensor.name for tensor in proto.graph.initializer}
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = 1
    chosen.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), chosen, providers=["CPUExecutionProvider"])


def run(model, x, **options):
    return session(model, **options).run(None, {"input": x})[0]


def assert_same(model, x, tolerance=1e-6, **options):
    """ONNX Runtime and fastrnn differ by at most 1e-6 of the largest value, or of one."""
    expected = model.predict(x, verbose=0)
    got = run(model, x, **options)
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    assert np.abs(got - expected).max(initial=0) <= tolerance * max(1, np.abs(expected).max(initial=0))


def randomize(model, seed=0, size=0.6):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(-size, size, w.shape) for w in model.get_weights()])
    return model


class TestStacks:
    @pytest.mark.parametrize("stack", zoo.STACKS)
    def test_each(self, stack):
        model = zoo.make(fastrnn, stack)
        assert_same(model, zoo.inputs(stack))

    @pytest.mark.parametrize("opset", OPSETS)
    def test_opsets(self, opset):
        assert_same(zoo.make(fastrnn, "words"), zoo.inputs("words"), opset=opset)

    @pytest.mark.parametrize("options", [{"return_sequences": True}, {},
                                         {"return_sequences": True, "reset_after": False},
                                         {"go_backwards": True, "return_sequences": True}, {"go_backwards": True}])
    @pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "hard_sigmoid", "linear"])
    @pytest.mark.parametrize("cell", CELLS)
    def test_activations_of_cells(self, cell, activation, options, rng):
        own = dict(options)
        if cell != "GRU" and own.pop("reset_after", None) is not None:
            own["use_bias"] = False
        if cell != "SimpleRNN":
            own["recurrent_activation"] = {"tanh": "sigmoid", "relu": "hard_sigmoid"}.get(activation, activation)
        layers = [fastrnn.Input((None, 3)), CELLS[cell](4, activation=activation, **own)]
        model = randomize(fastrnn.Sequential(layers), size=0.2 if activation == "linear" else 0.6)  # it grows fast
        assert_same(model, rng.standard_normal((3, 6, 3)).astype("float32"))

    @pytest.mark.parametrize("options", [{"return_sequences": True}, {"go_backwards": True}, {"use_bias": False}])
    def test_peepholes(self, options, rng):
        stack = [fastrnn.Input((None, 3)), LSTM(4, use_peepholes=True, **options)]
        assert_same(randomize(fastrnn.Sequential(stack)), rng.standard_normal((3, 6, 3), "float32"))

    @pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave"])
    @pytest.mark.parametrize("sequences", [True, False])
    def test_merge_modes(self, merge_mode, sequences, rng):
        inner = GRU(3, return_sequences=sequences)
        model = randomize(fastrnn.Sequential([fastrnn.Input((None, 2)), Bidirectional(inner, merge_mode)]))
        assert_same(model, rng.standard_normal((3, 6, 2)).astype("float32"))

    def test_two_cells_in_a_pair(self, rng):
        """A forward layer that goes backwards, and layers that no single node can have."""
        x = rng.standard_normal((3, 6, 2)).astype("float32")
        for one, two in [(GRU(3, go_backwards=True), GRU(3, activation="relu")),
                         (GRU(3, go_backwards=True, return_sequences=True), GRU(3, return_sequences=True)),
                         (RNN(GRUCell(3), go_backwards=True, return_sequences=True), GRU(3, return_sequences=True)),
                         (RNN(LSTMCell(3)), RNN(SimpleRNNCell(3), go_backwards=True)),
                         (LSTM(3), LSTM(5, go_backwards=True)),
                         (LSTM(3), GRU(3, go_backwards=True)),
                         (GRU(3), GRU(3, go_backwards=True, reset_after=False)),
                         (LSTM(3, use_peepholes=True), LSTM(3, use_peepholes=True, go_backwards=True)),
                         (LSTM(3), LSTM(3, use_peepholes=True, go_backwards=True))]:
            pair = Bidirectional(one, backward_layer=two)
            assert_same(randomize(fastrnn.Sequential([fastrnn.Input((None, 2)), pair])), x)

    @pytest.mark.parametrize("options", [{}, {"return_sequences": True, "go_backwards": True}])
    @pytest.mark.parametrize("cell", [SimpleRNNCell, LSTMCell, GRUCell])
    def test_rnn(self, cell, options, rng):
        model = randomize(fastrnn.Sequential([fastrnn.Input((None, 3)), RNN(cell(4), **options)]))
        assert_same(model, rng.standard_normal((3, 6, 3)).astype("float32"))
        for layer in RNN([cell(4), cell(3)], name="r"), Bidirectional(RNN([cell(4), cell(3)], name="r")):
            with pytest.raises(ValueError, match="r': RNN of several cells, or of a cell of one's own, has no form"):
                onnx_model(fastrnn.Sequential([fastrnn.Input((None, 3)), layer]))

    def test_time_distributed(self, rng):
        model = randomize(fastrnn.Sequential([fastrnn.Input((None, 4, 2)), TimeDistributed(LSTM(3)),
                                              TimeDistributed(Activation("softmax")), GRU(2)]))
        assert_same(model, rng.standard_normal((3, 5, 4, 2)).astype("float32"))


class TestActivations:
    @pytest.mark.parametrize("name", [
        "linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "sigmoid", "hard_sigmoid", "log_sigmoid",
        "tanh", "hard_tanh", "softplus", "softsign", "exponential", "silu", "hard_silu", "gelu", "mish", "softmax",
        "log_softmax"])  # fmt: skip
    def test_each(self, name):
        model = fastrnn.Sequential([fastrnn.Input((40,)), Dense(40, activation=name, kernel_initializer="identity")])
        assert_same(model, np.linspace(-7, 7, 200).reshape(5, 40).astype("float32"))

    def test_with_arguments(self):
        module = fastrnn.activations
        for made in (type(module.relu)(max_value=2.0), type(module.gelu)(approximate=True), type(module.elu)(0.5),
                     type(module.celu)(0.5), type(module.leaky_relu)(0.3), type(module.softmax)(axis=1)):
            model = fastrnn.Sequential([fastrnn.Input((4, 5)), Activation(made)])
            assert_same(model, np.linspace(-7, 7, 40).reshape(2, 4, 5).astype("float32"))

    def test_without_a_form(self):
        relu = type(fastrnn.activations.relu)
        for activation, said in [(lambda x: x * 2, "has no form in ONNX"), (relu(threshold=1.0), "threshold=1.0")]:
            model = fastrnn.Sequential([fastrnn.Input((4, 5)), Activation(activation)])
            with pytest.raises(ValueError, match=said):
                onnx_model(model)


class TestMasks:
    """Holes in a mask are exact, too."""

    @pytest.mark.parametrize("options", [
        {"return_sequences": True}, {"return_sequences": False}, {"return_sequences": True, "go_backwards": True},
        {"go_backwards": True}, {"return_sequences": True, "zero_output_for_mask": True},
        {"zero_output_for_mask": True}, {"go_backwards": True, "zero_output_for_mask": True},
        {"go_backwards": True, "return_sequences": True, "zero_output_for_mask": True}])  # fmt: skip
    @pytest.mark.parametrize("cell", CELLS)
    def test_any_mask(self, cell, options, rng):
        model = fastrnn.Sequential([fastrnn.Input((None,)), Embedding(3, 4, mask_zero=True), CELLS[cell](5, **options)])
        x = np.array([[a >> i & 1 for i in range(5)] for a in range(32)]) * rng.integers(1, 3, (32, 5))
        assert_same(randomize(model), x)

    @pytest.mark.parametrize("sequences", [True, False])
    @pytest.mark.parametrize("cell", CELLS)
    def test_both_directions_and_layers_above(self, cell, sequences, rng):
        cells = CELLS[cell]
        model = fastrnn.Sequential([
            fastrnn.Input((None,)), Embedding(9, 4, mask_zero=True), Bidirectional(cells(3, return_sequences=True)),
            Dense(4), cells(4, return_sequences=True, go_backwards=True),
            Bidirectional(cells(2, return_sequences=sequences), merge_mode="sum")])
        assert_same(randomize(model), rng.integers(0, 9, (20, 7)) * rng.integers(0, 2, (20, 7)))

    @pytest.mark.parametrize("opset", [OPSETS[0], OPSETS[-1]])
    def test_inside_time_distributed(self, opset):
        model = zoo.make(fastrnn, "sentences")
        assert_same(model, zoo.padded_sentences(), opset=opset)

    def test_above_time_distributed(self):
        """A step counts above where anything of it does."""
        layers = [fastrnn.Input((None, 2, 4)), Embedding(zoo.WORDS, 3, mask_zero=True),
                  TimeDistributed(TimeDistributed(fastrnn.Sequential([Dense(3), LSTM(4)]))), TimeDistributed(GRU(3)),
                  TimeDistributed(Activation("tanh")), Bidirectional(LSTM(2, return_sequences=True)), GRU(3)]
        assert_same(randomize(fastrnn.Sequential(layers)), zoo.padded_sentences(6).reshape(6, 3, 2, 4))

    @given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
    def test_random_ones(self, time, batch, seed):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 9, (batch, time)) * (rng.random((batch, time)) < rng.random())
        assert_same(self.model, x)

    model = randomize(fastrnn.Sequential([
        fastrnn.Input((None,)), Embedding(9, 4, mask_zero=True), Bidirectional(GRU(3, return_sequences=True)),
        LSTM(4)]))


class TestStates:
    @pytest.mark.parametrize("masked", [False, True])
    @pytest.mark.parametrize("cell", CELLS)
    def test_a_sequence_in_pieces(self, cell, masked, rng):
        """Fed in pieces, with the states handed on, the graph gives what it gives for the whole."""
        cells = CELLS[cell]
        bottom = [fastrnn.Input((None,)), Embedding(5, 3, mask_zero=masked)]
        model = randomize(fastrnn.Sequential([*bottom, cells(4, return_sequences=True, name="low"),
                                              cells(3, return_sequences=True, name="high"), Dense(2)]))
        graph = session(model, states=True)
        letters = "hc" if cell == "LSTM" else "h"
        names = [f"{layer}_{letter}" for layer in ("low", "high") for letter in letters]
        assert sorted(i.name for i in graph.get_inputs()) == sorted(["input", *names])
        assert [o.name for o in graph.get_outputs()] == ["output", *(f"{name}_out" for name in names)]
        x = rng.integers(0, 5, (2, 12))
        states = {name: np.zeros((2, 4 if "low" in name else 3), "float32") for name in names}
        pieces = []
        for start in range(0, 12, 3):
            y, *final = graph.run(None, {"input": x[:, start:start + 3], **states})
            states = dict(zip(names, final))
            pieces.append(y)
        expected = model.predict(x, verbose=0)
        assert np.abs(np.concatenate(pieces, 1) - expected).max() <= 1e-6

    def test_both_directions(self, rng):
        layer = Bidirectional(LSTM(3, return_sequences=True, return_state=True), name="b")
        model = randomize(fastrnn.Sequential([fastrnn.Input((None, 2)),
                                              Bidirectional(LSTM(3, return_sequences=True), name="b")]))
        layer.build((None, None, 2))
        layer.set_weights(model.get_weights())
        x = rng.standard_normal((4, 5, 2)).astype("float32")
        names = ["b_forward_h", "b_forward_c", "b_backward_h", "b_backward_c"]
        states = [rng.standard_normal((4, 3)).astype("float32") for _ in names]
        expected = layer(x, initial_state=states)
        graph = session(model, states=True)
        outputs = ["output", *(f"{name}_out" for name in names)]
        got = graph.run(outputs, {"input": x, **dict(zip(names, states))})
        for one, two in zip(got, expected, strict=True):
            assert np.abs(one - two).max() <= 1e-6

    @pytest.mark.parametrize("layer", [LSTM(3), fastrnn.Sequential([Dense(2), fastrnn.Sequential([LSTM(3)])])])
    def test_inside_time_distributed(self, layer):
        model = fastrnn.Sequential([fastrnn.Input((None, 4, 2)), TimeDistributed(layer)])
        with pytest.raises(ValueError, match="no states to give in and out"):
            onnx_model(model, states=True)

    def test_inside_models(self):
        """They are named by the models that the layer is in, where layers of the same name may be."""
        inner = [fastrnn.Sequential([GRU(3, return_sequences=True, name="rnn")], name=name) for name in ("low", "high")]
        model = fastrnn.Sequential([fastrnn.Input((None, 2)), *inner, GRU(3, name="rnn")])
        graph = onnx_model(model, states=True).graph
        assert [value.name for value in graph.input] == ["input", "low_rnn_h", "high_rnn_h", "rnn_h"]
        assert [value.name for value in graph.output] == ["output", "low_rnn_h_out", "high_rnn_h_out", "rnn_h_out"]


class TestFiles:
    def test_written_whole(self, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        export_onnx(model, tmp_path / "m.onnx")
        assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
        got = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"input": zoo.inputs("LSTM-forward-1")})[0]
        assert np.abs(got - model.predict(zoo.inputs("LSTM-forward-1"), verbose=0)).max() < 1e-6
        with pytest.raises(FileExistsError, match="there is a file already"):
            export_onnx(model, tmp_path / "m.onnx", overwrite=False)

    def test_names_and_free_sizes(self):
        graph = onnx_model(zoo.make(fastrnn, "words")).graph
        value = graph.input[0]
        assert (value.name, value.type.tensor_type.elem_type) == ("input", onnx.TensorProto.INT64)
        assert [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] == ["batch", zoo.T]
        assert [value.name for value in graph.output] == ["output"]
        assert {node.op_type for node in graph.node} >= {"LSTM", "GRU", "RNN", "Softmax"}

    def test_weights_are_the_same_bits(self):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        stored = {tensor.name.split("/")[-1]: onnx.numpy_helper.to_array(tensor)
                  for tensor in onnx_model(model).graph.initializer}
        kernel, recurrent, bias = model.layers[0].get_weights()
        order = np.concatenate([np.arange(4) + 4 * gate for gate in (0, 3, 1, 2)])      # i, o, f, c
        np.testing.assert_array_equal(stored["W"][0], kernel.T[order])
        np.testing.assert_array_equal(stored["R"][0], recurrent.T[order])
        np.testing.assert_array_equal(stored["B"][0], np.concatenate([bias[order], np.zeros(16)]))

    def test_refused(self, tmp_path):
        for other in (3, None, LSTM(2)):
            with pytest.raises(TypeError, match="expected a Sequential or a Model, got"):
                export_onnx(other, tmp_path / "m.onnx")
        with pytest.raises(ValueError, match="build the model before it is exported"):
            export_onnx(fastrnn.Sequential([LSTM(2)]), tmp_path / "m.onnx")
        model = zoo.make(fastrnn, "LSTM-forward-1")
        for opset in (13, 99):
            with pytest.raises(ValueError, match="expected an opset from 14 to"):
                export_onnx(model, tmp_path / "m.onnx", opset=opset)

        class Own(Dense):
            pass

        with pytest.raises(ValueError, match="Own 'x': Own has no form in ONNX; there are Activation"):
            export_onnx(fastrnn.Sequential([fastrnn.Input((3,)), Own(2, name="x")]), tmp_path / "m.onnx")
        for layer, name in (MinGRU(2, name="x"), "x"), (Bidirectional(MinGRU(2, name="x")), "forward_x"):
            with pytest.raises(ValueError, match=f"^MinGRU '{name}': MinGRU has no form in ONNX"):
                export_onnx(fastrnn.Sequential([fastrnn.Input((None, 3)), layer]), tmp_path / "m.onnx")
        assert list(tmp_path.iterdir()) == []

    def test_without_onnx(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnx", None)
        with pytest.raises(ImportError, match=r"pip install 'fastrnn\[onnx\]'"):
            export_onnx(zoo.make(fastrnn, "LSTM-forward-1"), tmp_path / "m.onnx")
        assert list(tmp_path.iterdir()) == []
