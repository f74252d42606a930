# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs run by fastrnn, as PyTorch's exporter and fastrnn's own make them, and the interface of backends."""

from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

import fastrnn
from fastrnn.saving import load_onnx, onnx_backend
from fastrnn.saving.onnx.export import onnx_model
from tests.saving import zoo
from tests.saving.onnx.graphs import assert_same, by_runtime, graph, node_of, recurrent


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
