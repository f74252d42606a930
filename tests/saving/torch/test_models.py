# SPDX-License-Identifier: Apache-2.0
"""State dicts and files of whole PyTorch models beside fastrnn's layers of them, and back."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import fastrnn
from fastrnn.layers import Activation, Dense, Embedding
from fastrnn.saving import ModelFileError, from_torch, to_torch
from tests.saving import zoo
from tests.saving.torch.zoo import TOLERANCE, H, N, T, Words, inputs, module_of, outputs, run, same_state, save


class TestModels:
    @pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.bin", "m.safetensors"])
    def test_a_file(self, name, words, tmp_path):
        save(words.state_dict(), tmp_path / name)
        layers = from_torch(str(tmp_path / name), linear=["head.2"])
        assert set(layers) == {"words", "encoder.lstm", "encoder.gru", "norm", "head.0", "head.2"}
        x = np.random.default_rng(0).integers(0, 11, (N, T))
        assert np.abs(run(layers, x) - outputs(words, x)).max() < TOLERANCE
        assert [type(layers[name]) for name in ("words", "head.0", "head.2")] == [Embedding, Dense, Dense]

    def test_inspected(self, words, tmp_path):
        torch.save(words.state_dict(), tmp_path / "m.pt")
        first, *rows, total = fastrnn.saving.inspect(tmp_path / "m.pt").splitlines()
        assert first == f"{tmp_path / 'm.pt'}: weights alone"
        assert rows[0].split(None, 1) == ["words.weight", "(11, 3)   float32"]
        assert total.startswith(f"{sum(t.numel() for t in words.state_dict().values()):,} parameters in {len(rows)} ")

    def test_load_model_says_what_to_do(self, words, tmp_path):
        torch.save(words.state_dict(), tmp_path / "m.pt")
        with pytest.raises(ModelFileError, match="make layers of them by fastrnn.saving.from_torch"):
            fastrnn.saving.load_model(tmp_path / "m.pt")

    def test_a_state_dict_and_back(self, words):
        layers = from_torch(words.state_dict(), linear=["head.2"])
        torch.manual_seed(2)
        other = Words().eval()
        other.load_state_dict(to_torch(layers))
        x = np.random.default_rng(0).integers(0, 11, (N, T))
        assert np.abs(outputs(other, x) - outputs(words, x)).max() < TOLERANCE
        for module, kept in (("words", ("weight",)), ("encoder.gru", None), ("head", None)):
            one, two = (m.get_submodule(module).state_dict() for m in (words, other))
            same_state({name: one[name] for name in kept or one}, two)

    def test_layers_of_one_model(self, words):
        """The layers can be stacked anew."""
        layers = from_torch(words.state_dict(), linear=["head.2"])
        model = fastrnn.Sequential([layers["words"], *layers["encoder.lstm"].layers, layers["norm"],
                                    *layers["encoder.gru"].layers, layers["head.0"], Activation("relu"),
                                    layers["head.2"]])
        x = np.random.default_rng(0).integers(0, 11, (N, T))
        assert np.abs(model.predict(x, verbose=0) - outputs(words, x)).max() < TOLERANCE

    def test_arrays(self, words):
        arrays = {name: tensor.numpy() for name, tensor in words.state_dict().items()}
        zoo.same_bits(from_torch(arrays, linear=["head.2"])["encoder.lstm"].get_weights(),
                      from_torch(words.state_dict(), "encoder.lstm").get_weights())

    def test_nothing_is_shared(self, words):
        """Neither with the caller's tensors, nor between modules that share a weight."""
        table = torch.ones(11, H)
        state = {"words.weight": table, "out.weight": table, "out.bias": torch.zeros(11)}
        layers = from_torch(state)
        layers["words"].embeddings.data[...] = 7
        assert table.max() == 1 and layers["out"].kernel.data.max() == 1
        given = to_torch(layers)
        given["words.weight"][...] = 3
        assert layers["words"].embeddings.data.max() == 7

    @pytest.mark.parametrize("prefix, names", [("words", ["embeddings"]), ("head.0", ["kernel", "bias"]),
                                               ("encoder.gru", ["kernel", "recurrent_kernel", "bias"])])
    def test_one_module(self, prefix, names, words):
        layer = from_torch(words.state_dict(), prefix=prefix)
        assert [variable.name for variable in layer.weights] == names
        assert layer.name == prefix

    def test_a_linear_by_its_name(self):
        assert type(from_torch({"out.weight": torch.ones(2, 3)}, linear="out")["out"]) is Dense

    def test_no_such_module(self, words):
        for prefix in ("encoder", "", "words.weight", "lstm"):
            with pytest.raises(ModelFileError, match="there is no module .*'encoder.lstm'"):
                from_torch(words.state_dict(), prefix=prefix)
        for options in ({"linear": ["heads"]}, {"nonlinearity": {"heads": "relu"}}):
            with pytest.raises(ModelFileError, match="names 'heads', and there is no such module"):
                from_torch(words.state_dict(), **options)

    def test_nonlinearities(self):
        modules = torch.nn.ModuleDict({"a": module_of("RNN"), "b": module_of("RNN-relu")})
        layers = from_torch(modules.state_dict(), nonlinearity={"b": "relu"})
        for name, module in modules.items():
            assert np.abs(layers[name](inputs()) - outputs(module, inputs())).max() < TOLERANCE
        with pytest.raises(ValueError, match="expected 'tanh' or 'relu', got 'sin'"):
            from_torch(modules.state_dict(), nonlinearity="sin")


class TestWithoutPyTorch:
    def test_reading_and_writing(self, words, tmp_path):
        """In a process that cannot import it; files load, and a state dict has arrays."""
        torch.save(words.state_dict(), tmp_path / "m.pt")
        save_file(words.state_dict(), tmp_path / "m.safetensors")
        code = (
            "import sys, numpy as np\n"
            "class Blocker:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name.split('.')[0] in ('torch', 'safetensors', 'pickle'):\n"
            "            raise ImportError(name + ' is blocked')\n"
            "sys.meta_path.insert(0, Blocker())\n"
            "for name in [name for name in sys.modules if name.split('.')[0] in ('torch', 'safetensors')]:\n"
            "    del sys.modules[name]\n"
            "from fastrnn.saving import from_torch, to_torch\n"
            "for path in sys.argv[1:]:\n"
            "    state = to_torch(from_torch(path, linear=['head.2']))\n"
            "    assert all(type(value) is np.ndarray for value in state.values())\n"
            "    print(sum(float(np.abs(value).sum()) for value in state.values()))\n"
        )
        root = os.path.dirname(os.path.dirname(fastrnn.__file__))
        ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.pt"), str(tmp_path / "m.safetensors")],
                             capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root})
        assert ran.returncode == 0, ran.stderr
        state = to_torch(from_torch(words.state_dict(), linear=["head.2"]))
        expected = sum(float(tensor.abs().sum()) for tensor in state.values())
        assert [float(line) for line in ran.stdout.split()] == pytest.approx([expected, expected], rel=1e-5)
