# SPDX-License-Identifier: Apache-2.0
"""Modules that fastrnn has no layer for, left out by `ignore`."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fastrnn.saving import ModelFileError, from_torch
from tests.saving.torch.test_checkpoints import same_layers
from tests.saving.torch.zoo import TOLERANCE, N, T


class Crnn(torch.nn.Module):
    """Convolutions in front of a recurrent network, as for speech and music."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.front = torch.nn.ModuleDict({
            "convs": torch.nn.Sequential(torch.nn.Conv1d(3, 4, 3, padding=1), torch.nn.BatchNorm1d(4),
                                         torch.nn.PReLU(4), torch.nn.Conv1d(4, 4, 3, padding=1, bias=False)),
            "dense": torch.nn.Linear(4, 5)})
        self.bn1 = torch.nn.BatchNorm1d(4)
        self.rnn = torch.nn.GRU(5, 6, batch_first=True, bidirectional=True)
        self.attention = torch.nn.MultiheadAttention(12, 2)
        self.out = torch.nn.Linear(12, 2)

    def convolved(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn1(self.front["convs"](x * self.scale)).transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.rnn(self.front["dense"](self.convolved(x)))[0])


def crnn() -> Crnn:
    torch.manual_seed(0)
    return Crnn().eval()


#: What is left.
KEPT = ["front.dense", "rnn", "attention.out_proj", "out"]
IGNORE = ["scale", "front.convs", "bn1", "attention.in_proj_weight", "attention.in_proj_bias"]


class TestLeftOut:
    @pytest.mark.parametrize("name", ["m.pt", "m.ckpt", "m.safetensors", None])
    def test_one_call(self, name, tmp_path):
        """What the error says is what loads all the rest, which gives what the module gives."""
        model = crnn()
        source = model.state_dict() if name is None else tmp_path / name
        if name:
            (save_file if name.endswith("safetensors") else torch.save)(model.state_dict(), source)
        with pytest.raises(ModelFileError, match="no module that fastrnn has a layer for: LSTM, GRU, RNN, ") as error:
            from_torch(source)
        ignore = ast.literal_eval(str(error.value).rpartition("ignore=")[2])
        assert sorted(ignore) == sorted(IGNORE)     # safetensors files have an order of their own
        layers = from_torch(source, ignore=ignore)
        assert sorted(layers) == sorted(KEPT)
        x = torch.from_numpy(np.random.default_rng(0).standard_normal((N, 3, T)).astype("f4"))
        with torch.no_grad():
            expected, inner = model(x).numpy(), model.convolved(x).numpy()
        y = layers["out"](layers["rnn"](layers["front.dense"](inner)))
        assert np.abs(y - expected).max() < TOLERANCE

    @pytest.mark.parametrize("ignore, kept", [
        (["scale", "front.convs*", "bn*", "attention*"], ["front.dense", "rnn", "out"]),
        (["scale", "front.*", "bn?", "attention.*"], ["rnn", "out"]),
        (["", "front", "bn1", "attention.in_*"], ["rnn", "attention.out_proj", "out"]),
        (["", "front.convs.*", "bn1", "attention"], ["front.dense", "rnn", "out"]), ("[!r]*", ["rnn"])])
    def test_patterns(self, ignore, kept):
        state = crnn().state_dict()
        same_layers(from_torch(state, ignore=ignore), {name: from_torch(state, name) for name in kept})

    def test_one_pattern(self):
        state = {**torch.nn.ModuleDict({"rnn": torch.nn.LSTM(2, 2), "bn": torch.nn.BatchNorm1d(2)}).state_dict()}
        assert list(from_torch(state, ignore="bn")) == ["rnn"]

    def test_values_that_are_no_tensors(self, tmp_path):
        """Beside the weights in one dictionary."""
        state = {**torch.nn.LSTM(2, 2).state_dict(), "epoch": 3, "config": {"a": 1}, "best": np.float64(0.5)}
        torch.save(state, tmp_path / "m.pt")
        for source in (state, tmp_path / "m.pt"):
            assert list(from_torch(source, ignore=["epoch", "config", "best"])) == [""]
        with pytest.raises(ModelFileError, match="expected 'epoch' to be a tensor, got 3"):
            from_torch(state)

    def test_with_a_key_and_a_prefix(self, tmp_path):
        torch.save({"net": crnn().state_dict(), "epoch": 1}, tmp_path / "m.pt")
        same_layers(from_torch(tmp_path / "m.pt", key="net", ignore=IGNORE),
                    from_torch(crnn().state_dict(), ignore=IGNORE))
        assert len(from_torch(tmp_path / "m.pt", "rnn", key="net", ignore=["bn1"]).layers) == 1

    def test_signs_of_patterns(self):
        """In a name they are that name, too."""
        state = {"a[0].weight": torch.ones(2, 2, 2), "b.weight": torch.ones(2, 2)}
        assert list(from_torch(state, ignore=["a[0]"])) == ["b"]


class TestRefused:
    @pytest.mark.parametrize("ignore, problem", [
        (["bn2"], "ignore names 'bn2', and there is no such module; there are '', 'front.convs.0', "),
        (["bn1", "convs.*"], re.escape("ignore names 'convs.*', and there is no such module")),
        (["*"], "expected a state dict with weights, got one without"),
        (["bn1"], "module '': weights 'scale', 'scale' of shape"), (["rn"], "no such module"),
        (["p" * 9999], "no such module")])
    def test_names(self, ignore, problem):
        with pytest.raises(ModelFileError, match=problem) as error:
            from_torch(crnn().state_dict(), ignore=ignore)
        assert len(str(error.value)) < 1200

    def test_a_prefix_that_is_left_out(self):
        with pytest.raises(ModelFileError, match="there is no module 'rnn' with weights of its own"):
            from_torch(crnn().state_dict(), "rnn", ignore=["rnn"])

    def test_many_modules(self):
        """The way out stays short where one pattern stands for many."""
        state = {f"convs.{i}.weight": torch.ones(1, 1, 1) for i in range(2000)}
        with pytest.raises(ModelFileError) as error:
            from_torch({**state, "out.weight": torch.ones(1, 1), "out.bias": torch.ones(1)})
        assert str(error.value).endswith("ignore=['convs']")
        state = {f"conv{i}.weight": torch.ones(1, 1, 1) for i in range(50)}
        with pytest.raises(ModelFileError) as error:
            from_torch(state)
        assert ast.literal_eval(str(error.value).rpartition("ignore=")[2]) == [f"conv{i}" for i in range(50)]
        with pytest.raises(ModelFileError, match="expected at most 32 modules inside each other, got 'a.a.a"):
            from_torch({"a." * 33 + "weight": torch.ones(1, 1)}, ignore=["b"])
        with pytest.raises(ModelFileError) as error:
            from_torch({"norm.scale": torch.ones(1), "a.out.weight": torch.ones(1, 1)})
        assert str(error.value).endswith("ignore=['norm']")
