# SPDX-License-Identifier: Apache-2.0
"""`fastrnn inspect` and `fastrnn convert`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

import fastrnn
from fastrnn.__main__ import main
from fastrnn.layers import Variable
from fastrnn.saving import conversion, export_onnx, load_model
from fastrnn.saving.onnx.model import OnnxModel
from tests.saving import graph_zoo, zoo


class TestInspect:
    @pytest.mark.parametrize("suffix", ["", ".keras"])
    def test_a_model(self, suffix, tmp_path, capsys, monkeypatch):
        model = zoo.make(fastrnn, "words")
        model.compile("adam", "sparse_categorical_crossentropy")
        model.save(tmp_path / f"m{suffix}")
        monkeypatch.setattr(Variable, "fill", None)         # no weight is read
        main(["inspect", str(tmp_path / f"m{suffix}")])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].endswith(": Sequential 'zoo', input (None, 6), compiled")
        assert lines[1].endswith("': (None, 6, 4), 44 parameters")
        assert "    embedding/embeddings  (11, 4)  float32" in lines
        assert "  GRU 'middle': (None, 6, 4), 108 parameters" in lines
        count = model.count_params()
        assert lines[-1] == f"{count:,} parameters in {len(model.weights)} arrays, {4 * count:,} bytes"

    @pytest.mark.parametrize("suffix", ["", ".keras"])
    def test_a_nested_model(self, suffix, tmp_path, capsys):
        """The layers inside have rows of their own below the model's, but for those in a wrapper."""
        model = zoo.make(fastrnn, "nested")
        model.save(tmp_path / f"m{suffix}")
        main(["inspect", str(tmp_path / f"m{suffix}")])
        lines = capsys.readouterr().out.splitlines()
        encoder = model.get_layer("encoder")
        start = lines.index(f"  Sequential 'encoder': (None, None, 3), {encoder.count_params()} parameters")
        assert lines[start + 1].startswith("    LSTM '")
        assert lines[start + 1].endswith(": (None, None, 4), 128 parameters")
        assert lines[start + 2] == "      sequential/lstm/kernel            (3, 16)  float32"
        assert "    Sequential 'deep': (None, None, 4), 190 parameters" in lines
        both = next(i for i, line in enumerate(lines) if line.startswith("      Bidirectional '"))
        assert lines[both + 1].startswith("        sequential/sequential/bidirectional/forward_layer/kernel ")
        assert [line.split()[0] for line in lines[1:] if " parameters" in line and "'" in line] == [
            "Sequential", "LSTM", "Sequential", "Bidirectional", "Dense", "LSTM", "TimeDistributed", "Sequential",
            "Dropout", "Sequential", "SimpleRNN", "Dense", "Dense"]
        assert lines[-1].startswith(f"{model.count_params():,} parameters in {len(model.weights)} arrays")

    @pytest.mark.parametrize("suffix", ["", ".weights.h5", ".h5"])
    def test_weights_alone(self, suffix, tmp_path, capsys):
        model = zoo.make(fastrnn, "GRU-both-1")
        model.save_weights(tmp_path / f"m{suffix}")
        main(["inspect", str(tmp_path / f"m{suffix}")])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].endswith(": weights alone")
        assert len(lines) == 2 + len(model.weights)
        assert lines[-1].startswith(f"{model.count_params():,} parameters")

    @pytest.mark.parametrize("content", [b"", b"PK", b"\x89HDF\r\n\x1a\n", bytes(100)])
    @pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".weights.h5", ".h5", ".onnx", ".pt", ".pkl"])
    def test_a_broken_file(self, suffix, content, tmp_path):
        (tmp_path / f"m{suffix}").write_bytes(content)
        with pytest.raises(SystemExit, match=rf"fastrnn: .*m{suffix}: "):
            main(["inspect", str(tmp_path / f"m{suffix}")])

    def test_onnx(self, tmp_path, capsys, monkeypatch):
        model = zoo.make(fastrnn, "words")
        export_onnx(model, tmp_path / "m.onnx")
        monkeypatch.setattr(OnnxModel, "__init__", None)      # nothing is built
        main(["inspect", str(tmp_path / "m.onnx")])
        lines = capsys.readouterr().out.splitlines()
        count = sum(onnx.numpy_helper.to_array(c).size for c in onnx.load(tmp_path / "m.onnx").graph.initializer)
        nodes = onnx.load(tmp_path / "m.onnx").graph.node
        assert lines[0].endswith(f"m.onnx: ONNX graph of opset 17, {len(nodes)} nodes")
        assert lines[1:3] == ["  input 'input': (None, 6) int64", f"  output 'output': {model.output_shape} float32"]
        assert sum(line.startswith("  GRU 'middle/GRU'") for line in lines) == 1
        assert any(line.split() == [f"{model.layers[0].name}/embeddings", "(11,", "4)", "float32"] for line in lines)
        assert lines[-1].startswith(f"{count:,} parameters in ")

    @pytest.mark.parametrize("suffix", [".pt", ".pth"])
    def test_pytorch(self, suffix, tmp_path, capsys):
        torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / f"m{suffix}")
        main(["inspect", str(tmp_path / f"m{suffix}")])
        assert capsys.readouterr().out.splitlines()[1:] == [
            "  weight  (2, 3)  float32", "  bias    (2,)    float32", "8 parameters in 2 arrays, 32 bytes"]

    @pytest.mark.parametrize("command", [["inspect", "m"], ["config"], ["convert", "m", "n.keras"]])
    def test_a_reader_that_has_gone(self, command, tmp_path):
        """As `fastrnn inspect FILE | head` may leave it: it ends as a program does that the closed pipe stops."""
        zoo.make(fastrnn, "words").save(tmp_path / "m")
        reader, writer = os.pipe()
        os.close(reader)
        path = os.pathsep.join([os.path.dirname(os.path.dirname(fastrnn.__file__)), os.environ.get("PYTHONPATH", "")])
        run = subprocess.run([sys.executable, "-m", "fastrnn", *command], stdout=writer, stderr=subprocess.PIPE,
                             text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path})
        os.close(writer)
        assert (run.stderr, run.returncode) == ("", 128 + signal.SIGPIPE)

    def test_no_file(self, tmp_path):
        with pytest.raises(SystemExit, match="there is no such file"):
            main(["inspect", str(tmp_path / "m.keras")])


class TestConvert:
    @pytest.mark.parametrize("target", ["n.safetensors", "n.keras", "n.weights.h5", "n.h5", "n"])
    @pytest.mark.parametrize("source", ["m.safetensors", "m.keras"])
    def test_both_ways(self, source, target, tmp_path, capsys):
        model = zoo.make(fastrnn, "words")
        model.save(tmp_path / source)
        main(["convert", str(tmp_path / source), str(tmp_path / target)])
        assert "a random batch (8, 6) through both, 40 outputs" in (out := capsys.readouterr().out)
        assert "largest difference 0\n" in out
        other = zoo.make(fastrnn, "words")
        other.load_weights(tmp_path / target)
        zoo.same_bits(other.get_weights(), model.get_weights())

    @pytest.mark.parametrize("name", ["words", "GRU-both-1", "LSTM-forward-1", "nested", "nested-words"])
    def test_to_onnx(self, name, tmp_path, capsys):
        """What the report says is so for ONNX's own runtime, too."""
        model = zoo.make(fastrnn, name)
        model.save(tmp_path / "m")
        main(["convert", str(tmp_path / "m"), str(tmp_path / "n.onnx")])
        assert float(capsys.readouterr().out.rsplit(" ", 1)[1]) <= 1e-6
        x = np.ones((2, *(5 if size is None else size for size in model.input_shape[1:])))
        session = onnxruntime.InferenceSession(tmp_path / "n.onnx")
        kind = "int64" if name.endswith("words") else "float32"
        np.testing.assert_allclose(session.run(None, {"input": x.astype(kind)})[0], model.predict(x, verbose=0),
                                   atol=1e-5)

    @pytest.mark.parametrize("save", [torch.save, save_file], ids=["pt", "safetensors"])
    @pytest.mark.parametrize("module, x", [
        (torch.nn.LSTM(3, 2, 2, bidirectional=True, batch_first=True), np.ones((1, 4, 3), "f4")),
        (torch.nn.Linear(3, 2), np.ones((1, 3), "f4")), (torch.nn.Embedding(5, 2), np.ones((1, 4), "i8")),
        (torch.nn.LayerNorm(3), np.ones((1, 3), "f4"))], ids=["LSTM", "Linear", "Embedding", "LayerNorm"])
    def test_from_pytorch(self, module, x, save, tmp_path):
        source = tmp_path / f"m.{'pt' if save is torch.save else 'safetensors'}"
        modules = torch.nn.ModuleDict({"one": module, "other": torch.nn.Linear(2, 2)})
        save(modules.state_dict(), source)
        main(["convert", str(source), str(tmp_path / "n.keras"), "--prefix", "one"])
        with torch.no_grad():
            expected = module(torch.from_numpy(x))
        expected = (expected[0] if isinstance(expected, tuple) else expected).numpy()
        np.testing.assert_allclose(load_model(tmp_path / "n.keras").predict_on_batch(x), expected, atol=1e-6)

    def test_one_module_needs_no_name(self, tmp_path, capsys):
        torch.save(torch.nn.GRU(3, 2).state_dict(), tmp_path / "m.pt")
        main(["convert", str(tmp_path / "m.pt"), str(tmp_path / "n.onnx")])
        assert "parity: a random batch (8, 16, 3) through both" in capsys.readouterr().out

    def test_from_a_checkpoint(self, tmp_path):
        module = torch.nn.GRU(3, 2, batch_first=True)
        torch.save({"epoch": 3, "model": module.state_dict()}, tmp_path / "m.pt")
        with pytest.raises(SystemExit, match="say which is wanted: key='model'"):
            main(["convert", str(tmp_path / "m.pt"), str(tmp_path / "n")])
        main(["convert", str(tmp_path / "m.pt"), str(tmp_path / "n"), "--key", "model"])
        x = np.ones((1, 4, 3), "f4")
        np.testing.assert_allclose(load_model(tmp_path / "n").predict_on_batch(x),
                                   module(torch.from_numpy(x))[0].detach().numpy(), atol=1e-6)

    @pytest.mark.parametrize("arguments, problem", [
        (["two.pt", "n"], "name one by --prefix: \"'a', 'b'\""), (["two.pt", "n", "--prefix", "c"], "no module 'c'"),
        (["m.safetensors", "n.pt"], "fastrnn.saving.to_torch"), (["m.onnx", "n.keras"], "fastrnn.saving.load_onnx"),
        (["m.safetensors", "n.keras", "--prefix", "a"], "a prefix, 'a', is for PyTorch's state dicts"),
        (["m.safetensors", "n.keras", "--key", "a"], "a key, 'a', is for PyTorch's state dicts"),
        (["two.pt", "n", "--key", "c"], "it is a state dict itself: leave out key"),
        (["m.safetensors", "n.txt"], "no model format"), (["m.safetensors", "n.tflite"], r"TensorFlow's \.tflite"),
        (["none.keras", "n.tf"], r"n\.tf: TensorFlow's \.tf"), (["m.tflite", "n.onnx"], r"TensorFlow's \.tflite"),
        (["none.pt", "n"], "No such file")])
    def test_refused(self, arguments, problem, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        zoo.make(fastrnn, "LSTM-forward-1").save("m")
        torch.save(torch.nn.ModuleDict({"a": torch.nn.Linear(2, 2), "b": torch.nn.Linear(2, 2)}).state_dict(), "two.pt")
        with pytest.raises(SystemExit, match=problem):
            main(["convert", *arguments])
        assert not [path for path in tmp_path.iterdir() if path.name.startswith("n")]

    def test_a_difference_is_told(self, tmp_path, monkeypatch, capsys):
        """A loader that gets one weight wrong does not pass."""
        zoo.make(fastrnn, "LSTM-forward-1").save(tmp_path / "m")

        def load(path):
            model = load_model(path)
            if str(path).endswith(".keras"):
                model.layers[0].bias.assign(model.layers[0].bias.value + np.float32(1e-3))
            return model

        monkeypatch.setattr(conversion, "load_model", load)
        with pytest.raises(SystemExit, match="the two models give different results"):
            main(["convert", str(tmp_path / "m"), str(tmp_path / "n.keras")])
        assert "largest difference" in capsys.readouterr().out


class TestGraphs:
    @pytest.mark.parametrize("target", ["m.safetensors", "m.h5", "m.weights.h5", "m.onnx"])
    @pytest.mark.parametrize("name", ["encoder-decoder", "words-and-numbers", "dictionaries", "two-outputs"])
    def test_converted(self, name, target, tmp_path):
        model = graph_zoo.make(fastrnn, name)
        model.save(tmp_path / "a.keras")
        assert conversion.convert(tmp_path / "a.keras", tmp_path / target).holds

    def test_inspected(self, tmp_path, capsys):
        """Each layer says what it is called on, and each time it is."""
        graph_zoo.make(fastrnn, "encoder-decoder").save(tmp_path / "m.keras")
        main(["inspect", str(tmp_path / "m.keras")])
        lines = capsys.readouterr().out.splitlines()
        assert ": Model '" in lines[0]
        assert lines[0].endswith(", input 'source' (None, None, 3), 'target' (None, None, 3), not compiled")
        assert "  InputLayer 'source': (None, None, 3)" in lines
        assert "  LSTM 'encoder': (None, 4), (None, 4), (None, 4), 128 parameters, on 'source'" in lines
        assert "  LSTM 'decoder': (None, None, 4), 128 parameters, on 'target', 'encoder' [1], 'encoder' [2]" in lines
        assert lines[-2].startswith("  output 'time_distributed")
        graph_zoo.make(fastrnn, "shared-layer").save(tmp_path / "s.keras")
        main(["inspect", str(tmp_path / "s.keras")])
        lines = capsys.readouterr().out.splitlines()
        assert "  LSTM 'encoder': (None, 4), 128 parameters, on 'a'; 'b'" in lines
        assert lines[-2] == "  output 'encoder' call 1, 'encoder' call 2"
