# SPDX-License-Identifier: Apache-2.0
"""PyTorch's modules and files beside fastrnn's layers of them, and back."""

from __future__ import annotations

import collections
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import fastrnn
from fastrnn.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    LayerNormalization,
    SimpleRNN,
)
from fastrnn.saving import ModelFileError, from_torch, to_torch
from tests.saving import zoo

D, H, T, N = 3, 5, 7, 4
CELLS = {"LSTM": (torch.nn.LSTM, {}), "GRU": (torch.nn.GRU, {}), "RNN": (torch.nn.RNN, {}),
         "RNN-relu": (torch.nn.RNN, {"nonlinearity": "relu"})}
#: Largest difference of outputs below one: a few units in the last place of float32.
TOLERANCE = 1e-6


def module_of(cell: str, **options) -> torch.nn.Module:
    """A module of PyTorch's, the same each time."""
    torch.manual_seed(len(cell) + sum(map(int, options.values())))
    make, own = CELLS[cell]
    return make(D, H, batch_first=True, **own, **options)


def nonlinearity(cell: str) -> str:
    return "relu" if cell == "RNN-relu" else "tanh"


def outputs(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        y = module(torch.from_numpy(x))
    return (y[0] if isinstance(y, tuple) else y).numpy()


def inputs(dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N, T, D)).astype(dtype)


def same_state(one, two) -> None:
    """Two state dicts have the same names and the same bits."""
    assert list(one) == list(two)
    zoo.same_bits([tensor.numpy() for tensor in one.values()], [tensor.numpy() for tensor in two.values()])


class Words(torch.nn.Module):
    """Modules inside each other, of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(11, D, padding_idx=0)
        self.encoder = torch.nn.ModuleDict({
            "lstm": torch.nn.LSTM(D, H, num_layers=2, bidirectional=True, batch_first=True, dropout=0.5),
            "gru": torch.nn.GRU(2 * H, 4, batch_first=True)})
        self.norm = torch.nn.LayerNorm(2 * H)
        self.head = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.encoder["gru"](self.norm(self.encoder["lstm"](self.words(x))[0]))[0]
        return self.head(y)


@pytest.fixture
def words() -> Words:
    torch.manual_seed(1)
    return Words().eval()


def run(layers: dict, x: np.ndarray) -> np.ndarray:
    """The same model, of fastrnn's layers."""
    y = layers["encoder.gru"](layers["norm"](layers["encoder.lstm"](layers["words"](x))))
    return layers["head.2"](np.maximum(layers["head.0"](y), 0))


def save(state, path) -> None:
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    else:
        torch.save(state, path)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one", "both"])
@pytest.mark.parametrize("cell", CELLS)
class TestRecurrent:
    def test_there_and_back(self, cell, bidirectional, layers, bias, tmp_path):
        """PyTorch -> fastrnn -> PyTorch -> fastrnn: the same outputs, and weights that are the same bits."""
        options = {"num_layers": layers, "bidirectional": bidirectional, "bias": bias}
        module, x = module_of(cell, **options), inputs()
        torch.save(module.state_dict(), tmp_path / "m.pt")
        model = from_torch(tmp_path / "m.pt", prefix="", nonlinearity=nonlinearity(cell))
        expected = outputs(module, x)
        assert np.abs(model(x) - expected).max() < TOLERANCE
        assert [type(layer) for layer in model.layers] == [
            Bidirectional if bidirectional else {"LSTM": LSTM, "GRU": GRU}.get(cell, SimpleRNN)] * layers

        state = to_torch(model)
        back = module_of(cell, **options)
        back.load_state_dict(state)
        assert np.abs(outputs(back, x) - expected).max() < TOLERANCE
        original = module.state_dict()
        if cell != "GRU" and bias:      # where the two biases are one
            for name in [name for name in state if name.startswith("bias")]:
                assert torch.equal(state[name] + 0, torch.zeros(len(state[name]))) if name.startswith("bias_hh") else \
                    torch.equal(state[name], original[name] + original[name.replace("bias_ih", "bias_hh")])
            original = {name: state[name] if name.startswith("bias") else original[name] for name in original}
        same_state(original, state)
        again = from_torch(state, prefix="", nonlinearity=nonlinearity(cell))
        zoo.same_bits(model.get_weights(), again.get_weights())
        zoo.same_bits([model(x)], [again(x)])

    def test_it_trains_and_is_saved(self, cell, bidirectional, layers, bias, tmp_path):
        """What was loaded is a model like any other."""
        module = module_of(cell, num_layers=layers, bidirectional=bidirectional, bias=bias)
        model = from_torch(module.state_dict(), prefix="", nonlinearity=nonlinearity(cell))
        x, width = inputs(), H * (1 + bidirectional)
        model.compile("adam", "mse")
        model.fit(x, np.zeros((N, T, width)), epochs=2, verbose=0)
        model.save(tmp_path / "m")
        zoo.same_bits([model(x)], [fastrnn.saving.load_model(tmp_path / "m")(x)])
        assert not np.array_equal(module.state_dict()["weight_ih_l0"].numpy(), to_torch(model)["weight_ih_l0"].numpy())


class TestLayerNorm:
    @pytest.mark.parametrize("shape", [(D,), (T, D)])
    def test_there_and_back(self, shape):
        module = torch.nn.LayerNorm(shape)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
        layer = from_torch(module.state_dict(), prefix="")
        assert np.abs(layer(inputs()) - outputs(module, inputs())).max() < TOLERANCE
        same_state(module.state_dict(), to_torch(layer))

    def test_without_bias(self):
        """Not told from RMSNorm, which is something else."""
        with pytest.raises(ModelFileError, match="no module that fastrnn has"):
            from_torch(torch.nn.LayerNorm(3, bias=False).state_dict())
        layer = LayerNormalization(center=False)
        layer.build((None, 3))
        torch.nn.LayerNorm(3, bias=False).load_state_dict(to_torch(layer))


class TestProjections:
    """proj_size: another LSTM and a Dense, of the same outputs."""

    @pytest.mark.parametrize("bias", [True, False])
    @pytest.mark.parametrize("layers", [1, 2])
    @pytest.mark.parametrize("bidirectional", [False, True])
    @pytest.mark.parametrize("size", [1, 2, 4])
    def test_outputs(self, size, bidirectional, layers, bias, tmp_path):
        module = module_of("LSTM", proj_size=size, num_layers=layers, bidirectional=bidirectional, bias=bias)
        torch.save(module.state_dict(), tmp_path / "m.pt")
        model = from_torch(tmp_path / "m.pt", prefix="")
        assert np.abs(model(inputs()) - outputs(module, inputs())).max() < TOLERANCE
        assert [layer.units for layer in model.layers if isinstance(layer, Dense)] == [
            size * (1 + bidirectional)] * layers
        with pytest.raises(ValueError, match="give to_torch a dictionary"):
            to_torch(model)

    def test_double(self):
        """Exact but for rounding, which in float32 is all that differs."""
        module = module_of("LSTM", proj_size=2, num_layers=2, bidirectional=True).double()
        model = from_torch(module.state_dict(), prefix="")
        assert np.abs(model(inputs("float64")) - outputs(module, inputs("float64"))).max() < 1e-14

    def test_memory(self):
        """A small file must not become a large layer."""
        state = torch.nn.LSTM(1, 400, proj_size=1).state_dict()
        with pytest.raises(ModelFileError, match="proj_size 1 is too small for 400 units"):
            from_torch(state)


class TestLayouts:
    """Each rule by itself, where the outputs cannot hide it."""

    def test_minus_zero_biases_stay(self):
        layer = LSTM(2, return_sequences=True)
        layer.build((None, None, 1))
        layer.bias.assign(np.full(8, -0.0))
        again = from_torch(to_torch(layer), prefix="")
        zoo.same_bits([layer.bias.data], [again.layers[0].bias.data])

    def test_gates(self):
        """Gate by gate, i, f, g, o to i, f, c, o and r, z, n to z, r, h."""
        for cell, order in (("LSTM", (0, 1, 2, 3)), ("GRU", (1, 0, 2)), ("RNN", (0,))):
            state = module_of(cell).state_dict()
            kernel, recurrent, bias = from_torch(state, prefix="").get_weights()
            for to, gate in enumerate(order):
                columns, rows = slice(to * H, (to + 1) * H), slice(gate * H, (gate + 1) * H)
                assert np.array_equal(kernel[:, columns].T, state["weight_ih_l0"][rows])
                assert np.array_equal(recurrent[:, columns].T, state["weight_hh_l0"][rows])
                one, two = (state[f"bias_{kind}_l0"][rows].numpy() for kind in ("ih", "hh"))
                expected = [one, two] if cell == "GRU" else one + two
                assert np.array_equal(bias[..., columns], expected)


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


class TestNumbers:
    """What kinds of tensors a file can have."""

    @pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
    def test_dtypes(self, dtype, suffix, tmp_path):
        module = module_of("LSTM").to(getattr(torch, dtype))
        save(module.state_dict(), tmp_path / f"m{suffix}")
        model = from_torch(tmp_path / f"m{suffix}", prefix="")
        expected = "float64" if dtype == "float64" else "float32"
        assert model.dtype == model.layers[0].dtype == expected
        wide = module.to(getattr(torch, expected))
        x = inputs(expected)
        assert np.abs(model(x) - outputs(wide, x)).max() < TOLERANCE
        same_state({"w": wide.state_dict()["weight_hh_l0"]}, {"w": to_torch(model)["weight_hh_l0"]})
        zoo.same_bits(from_torch(module.state_dict(), prefix="").get_weights(), model.get_weights())

    @pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8", "bool"])
    def test_whole_numbers_are_no_weights(self, dtype, tmp_path):
        torch.save({"e.weight": torch.ones(4, 3).to(getattr(torch, dtype))}, tmp_path / "m.pt")
        with pytest.raises(ModelFileError, match=f"m.pt: .*expected float32, got {dtype}"):
            from_torch(tmp_path / "m.pt")

    def test_counters_are_read(self, tmp_path):
        """Files with other tensors than those that are wanted load by the prefix."""
        norm = torch.nn.BatchNorm1d(3)
        torch.save({**{f"n.{k}": v for k, v in norm.state_dict().items()}, "e.weight": torch.eye(3)}, tmp_path / "m.pt")
        assert np.array_equal(from_torch(tmp_path / "m.pt", "e").get_weights()[0], np.eye(3))
        with pytest.raises(ModelFileError, match="module 'n': weights .*running_mean.*no module that fastrnn has"):
            from_torch(tmp_path / "m.pt")

    def test_views(self, tmp_path):
        """Transposed, strided and shifted tensors, and many of one storage."""
        flat = torch.arange(200, dtype=torch.float32)
        views = {"transposed": flat[:12].view(3, 4).T, "strided": flat[100:180].view(8, 10)[::2, 1::3],
                 "shifted": flat[7:13].view(2, 3), "whole": flat.view(20, 10), "row": flat.view(2, 100)[1:],
                 "one": torch.ones(1, 1), "parameter": torch.nn.Parameter(flat[:4].view(2, 2))}
        torch.save({f"{name}.weight": view for name, view in views.items()}, tmp_path / "m.pt")
        for name, layer in from_torch(tmp_path / "m.pt").items():
            zoo.same_bits([views[name].detach().contiguous().numpy()], layer.get_weights())

    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_pickle_protocols(self, protocol, words, tmp_path):
        torch.save(words.state_dict(), tmp_path / "m.pt", pickle_protocol=protocol)
        zoo.same_bits(from_torch(tmp_path / "m.pt", "encoder.lstm").get_weights(),
                      from_torch(words.state_dict(), "encoder.lstm").get_weights())

    def test_other_byte_order(self, words, tmp_path):
        """What a big-endian machine would have written."""
        torch.save(words.state_dict(), tmp_path / "little.pt")
        with zipfile.ZipFile(tmp_path / "little.pt") as old, zipfile.ZipFile(tmp_path / "m.pt", "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if "/data/" in name:
                    content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
                new.writestr(name, b"big" if name.endswith("byteorder") else content)
        zoo.same_bits(from_torch(tmp_path / "m.pt", "encoder.lstm").get_weights(),
                      from_torch(words.state_dict(), "encoder.lstm").get_weights())

    def test_many_layers_of_one_storage(self, tmp_path):
        """As cuDNN leaves them: each weight is a part of one long row."""
        state = module_of("LSTM", num_layers=3).state_dict()
        row = torch.cat([tensor.flatten() for tensor in state.values()])
        parts = torch.split(row, [tensor.numel() for tensor in state.values()])
        torch.save({name: part.view(tensor.shape) for part, (name, tensor) in zip(parts, state.items())},
                   tmp_path / "m.pt")
        zoo.same_bits(from_torch(tmp_path / "m.pt", "").get_weights(), from_torch(state, "").get_weights())


def lstm(**changes) -> dict:
    """An LSTM's state dict with weights changed, or, for None, left out."""
    state = module_of("LSTM", num_layers=2, bidirectional=True).state_dict()
    return {f"rnn.{name}": value for name, value in {**state, **changes}.items() if value is not None}


class TestRefused:
    @pytest.mark.parametrize("state, problem", [
        (lstm(bias_hh_l1=None), "module 'rnn': weight 'bias_hh_l1' is missing"),
        (lstm(weight_ih_l1_reverse=None), "'weight_ih_l1_reverse' is missing"),
        (lstm(weight_ih_l0=None), "expected matrices weight_ih_l0 and weight_hh_l0"),
        (lstm(weight_ih_l3=torch.ones(4 * H, 2 * H)), "is missing"),
        (lstm(weight_ih_l9999=torch.ones(4 * H, 2 * H)), "is missing"),
        (lstm(weight=torch.ones(2, 2)), "module 'rnn': weight 'weight' belongs to nothing"),
        (lstm(weight_ih_l1=torch.ones(4 * H, H)), r"'weight_ih_l1': expected shape \(20, 10\), got \(20, 5\)"),
        (lstm(weight_hh_l0=torch.ones(2 * H, H)), r"'weight_hh_l0': expected shape \(20, 5\), got \(10, 5\)"),
        (lstm(weight_hh_l0=torch.ones(4 * H, 3)), r"expected weight_hh_l0 of \(4 H, H\)"),
        (lstm(weight_hh_l0=torch.ones(4 * H)), "expected matrices"),
        (lstm(bias_ih_l0=torch.ones(4 * H, dtype=torch.int32)), "expected float32, got int32"),
        (lstm(weight_hr_l0=torch.ones(2, 5)), r"'weight_hh_l0': expected|missing"),
        (lstm(weight_hr_l0=torch.ones(H, H)), "weight 'weight_hr_l0_reverse' is missing"),
        (lstm(weight_hr_l1=torch.ones(H, H)), "weight 'weight_hr_l1' belongs to nothing"),
        (torch.nn.LSTMCell(2, 2).state_dict(), "single steps"),
        (torch.nn.Conv1d(2, 2, 2).state_dict(), "no module that fastrnn has"),
        (torch.nn.BatchNorm1d(2).state_dict(), "no module that fastrnn has"),
        (torch.nn.MultiheadAttention(2, 1).state_dict(), "no module that fastrnn has"),
        (torch.nn.Bilinear(2, 2, 2).state_dict(), "no module that fastrnn has"),
        (torch.nn.PReLU().state_dict(), "no module that fastrnn has"),
        ({"out.weight": torch.ones(2, 3), "out.bias": torch.ones(3)}, r"'bias': expected shape \(2,\), got \(3,\)"),
        ({"out.weight": torch.ones(2, 3), "out.bias": torch.ones(2), "out.scale": torch.ones(1)}, "'scale' belongs to"),
        ({"e.weight": torch.ones(0, 3)}, "axis of length 0"),
        ({"e.weight": np.array([["a"]])}, "expected float32, got str"),
        ({"e.weight": np.ones((2, 2), complex)}, "expected float32, got complex128"),
        ({7: torch.ones(2, 2)}, "expected a name"),
        ({"../e.weight": torch.ones(2, 2)}, "looks like a path"),
    ])
    def test_state_dicts(self, state, problem):
        with pytest.raises(ModelFileError, match=problem):
            from_torch(state)

    def test_other_values(self, words, tmp_path):
        """Checkpoints with a state dict inside are in `test_torch_checkpoints.py`."""
        for value in (words, [1, 2], torch.ones(2), {"a": torch.ones(2, requires_grad=True), "b": "text"},
                      torch.device("cpu")):
            torch.save(value, tmp_path / "m.pt")
            with pytest.raises(ModelFileError, match=r"m.pt: .*torch.save\(model.state_dict\(\), path\)"):
                from_torch(tmp_path / "m.pt")

    def test_other_files(self, words, tmp_path):
        torch.save(words.state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
        with pytest.raises(ModelFileError, match="old.pt: expected a zip archive"):
            from_torch(tmp_path / "old.pt")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
        with pytest.raises(ModelFileError, match="script.pt: TorchScript files hold programs"):
            from_torch(tmp_path / "script.pt")
        zoo.make(fastrnn, "LSTM-forward-1").save(tmp_path / "own.safetensors")
        with pytest.raises(ModelFileError, match="own.safetensors: .*load it by load_model"):
            from_torch(tmp_path / "own.safetensors")
        zoo.make(fastrnn, "LSTM-forward-1").save(tmp_path / "m.keras")
        with pytest.raises(ModelFileError, match="expected a file .pt, .pth, .bin or .safetensors, got '.keras'"):
            from_torch(tmp_path / "m.keras")
        with pytest.raises(FileNotFoundError):
            from_torch(tmp_path / "none.pt")

    @pytest.mark.parametrize("layer, problem", [
        (lambda: LSTM(2, recurrent_activation="hard_sigmoid"), "recurrent_activation: expected 'sigmoid'"),
        (lambda: LSTM(2, activation="relu"), "activation: expected 'tanh'"),
        (lambda: SimpleRNN(2, activation="sigmoid"), "activation: expected 'tanh' or 'relu'"),
        (lambda: GRU(2, reset_after=False), "reset_after: expected True"),
        (lambda: GRU(2, go_backwards=True), "go_backwards: expected False"),
        (lambda: Bidirectional(GRU(2), merge_mode="sum"), "merge_mode: expected 'concat'"),
        (lambda: Bidirectional(GRU(2, go_backwards=True)), "go_backwards: expected False"),
        (lambda: LayerNormalization(scale=False), "got scale=False"),
        (lambda: LayerNormalization(axis=1), "axis=1"),
        (lambda: LayerNormalization(axis=[1]), r"axis=\[1\]"),
        (lambda: Dropout(0.5), "PyTorch's modules are made of"),
        (lambda: fastrnn.Sequential([LSTM(2, return_sequences=True), LSTM(3)]), "all of one kind"),
        (lambda: fastrnn.Sequential([LSTM(2, return_sequences=True), GRU(2)]), "all of one kind"),
        (lambda: fastrnn.Sequential([LSTM(2, return_sequences=True), LSTM(2, use_bias=False)]), "all of one kind"),
        (lambda: fastrnn.Sequential([LSTM(2, return_sequences=True), Bidirectional(LSTM(2))]), "all of one kind"),
        (lambda: fastrnn.Sequential([LSTM(2), Dense(2)]), "give to_torch a dictionary"),
    ])
    def test_layers_that_pytorch_does_not_have(self, layer, problem):
        made = layer()
        with pytest.raises(ValueError, match="build the layer before to_torch"):
            to_torch(made)
        made.build((None, 3, 2))
        with pytest.raises(ValueError, match=problem):
            to_torch({"a": made})

    def test_no_layers(self):
        with pytest.raises(ValueError, match="expected layers, got 7"):
            to_torch({"a": 7})


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


def test_an_ordered_dict_subclass(tmp_path):
    """Attributes of a state dict other than the modules' versions are not dropped in silence."""
    state = collections.OrderedDict({"e.weight": torch.ones(2, 2)})
    state.note = "x"
    torch.save(state, tmp_path / "m.pt")
    with pytest.raises(ModelFileError, match="attributes of a dict cannot be set"):
        from_torch(tmp_path / "m.pt")
