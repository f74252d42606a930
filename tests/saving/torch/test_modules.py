# SPDX-License-Identifier: Apache-2.0
"""Each of PyTorch's modules beside fastrnn's layers of it, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fastrnn
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, LayerNormalization, SimpleRNN
from fastrnn.saving import ModelFileError, from_torch, to_torch
from tests.saving import zoo
from tests.saving.torch.zoo import CELLS, TOLERANCE, D, H, N, T, inputs, module_of, nonlinearity, outputs, same_state


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


class TestCells:
    """One step of PyTorch's, called for each, beside a layer of all steps."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
    @pytest.mark.parametrize("kind, options", [
        ("LSTMCell", {}), ("GRUCell", {}), ("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"})])
    def test_there_and_back(self, kind, options, bias, dtype, tmp_path):
        torch.manual_seed(1)
        cell = getattr(torch.nn, kind)(D, H, bias=bias, dtype=dtype, **options)
        x, state = inputs(str(dtype).removeprefix("torch.")), None
        expected = np.empty((N, T, H), x.dtype)
        with torch.no_grad():
            for t in range(T):
                state = cell(torch.from_numpy(x[:, t]), state)
                expected[:, t] = state[0] if kind == "LSTMCell" else state
        torch.save(torch.nn.ModuleDict({"decoder": cell}).state_dict(), tmp_path / "m.pt")
        model = from_torch(tmp_path / "m.pt", "decoder", **options)
        assert [type(layer) for layer in model.layers] == [{"L": LSTM, "G": GRU, "R": SimpleRNN}[kind[0]]]
        assert model(x).dtype == x.dtype
        assert np.abs(model(x) - expected).max() < (TOLERANCE if dtype == torch.float32 else 1e-14)

        back = getattr(torch.nn, kind)(D, H, bias=bias, dtype=dtype, **options)     # which has no number of a layer
        back.load_state_dict({name.removesuffix("_l0"): tensor for name, tensor in to_torch(model).items()})
        with torch.no_grad():
            first = back(torch.from_numpy(x[:, 0]))
        assert np.abs((first[0] if kind == "LSTMCell" else first).numpy() - expected[:, 0]).max() < TOLERANCE

    def test_beside_others(self):
        """A decoder of two cells and what is around them."""
        modules = torch.nn.ModuleDict({"cells": torch.nn.ModuleList([torch.nn.LSTMCell(D, H), torch.nn.LSTMCell(H, H)]),
                                       "out": torch.nn.Linear(H, 2)})
        layers = from_torch(modules.state_dict())
        assert list(layers) == ["cells.0", "cells.1", "out"]
        x, states = inputs(), [None, None]
        with torch.no_grad():
            for t in range(T):
                h = torch.from_numpy(x[:, t])
                for k, cell in enumerate(modules["cells"]):
                    states[k] = cell(h, states[k])
                    h = states[k][0]
            expected = modules["out"](h).numpy()
        y = layers["out"](layers["cells.1"](layers["cells.0"](x)))
        assert np.abs(y[:, -1] - expected).max() < TOLERANCE


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

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("seed", range(20))
    def test_half(self, seed, dtype, tmp_path):
        """The product of two weights is not rounded to what they are stored as."""
        torch.manual_seed(seed)
        module = torch.nn.LSTM(D, H, 2, batch_first=True, bidirectional=True, proj_size=2).to(dtype)
        torch.save(module.state_dict(), tmp_path / "m.pth")
        model = from_torch(tmp_path / "m.pth", prefix="")
        assert np.abs(model(inputs()) - outputs(module.float(), inputs())).max() < TOLERANCE

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
