# SPDX-License-Identifier: Apache-2.0
"""Checkpoints as PyTorch's programs save them: a state dict under a key, beside an epoch, a loss and the like."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import fastrnn
from fastrnn.saving import ModelFileError, from_torch
from fastrnn.saving.torch import archive
from fastrnn.saving.torch.checkpoint import state_dict, state_dicts
from tests.saving import zoo


class Tagger(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(11, 3)
        self.rnn = torch.nn.LSTM(3, 5, num_layers=2, batch_first=True)
        self.out = torch.nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.rnn(self.words(x))[0])


WORDS = np.random.default_rng(0).integers(0, 11, (4, 7))
OPTIMIZERS = {"Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW, "RMSprop": torch.optim.RMSprop,
              "SGD": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9)}


def trained(optimizer: str = "Adam") -> tuple[Tagger, dict]:
    """A model after two steps, and what a program keeps of it."""
    torch.manual_seed(3)
    model = Tagger()
    rule = OPTIMIZERS[optimizer](model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(rule, 1)
    for _ in range(2):
        rule.zero_grad()
        loss = model(torch.from_numpy(WORDS)).square().mean()
        loss.backward()
        rule.step()
        scheduler.step()
    return model, {"epoch": 2, "model_state_dict": model.state_dict(), "optimizer_state_dict": rule.state_dict(),
                   "scheduler": scheduler.state_dict(), "loss": loss, "best": loss.item(), "rng": torch.get_rng_state(),
                   "args": {"lr": 0.01, "name": "tagger", "sizes": [3, 5], "betas": (0.9, 0.999), "resume": None}}


def same_layers(one: dict, two: dict) -> None:
    assert list(one) == list(two)
    for name in one:
        zoo.same_bits(one[name].get_weights(), two[name].get_weights())


class TestTaken:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_a_file(self, optimizer, tmp_path):
        """The layers are those of the state dict alone, and give what the module gives."""
        model, checkpoint = trained(optimizer)
        torch.save(checkpoint, tmp_path / "m.pt")
        layers = from_torch(tmp_path / "m.pt", key="model_state_dict")
        same_layers(layers, from_torch(model.state_dict()))
        with torch.no_grad():
            expected = model(torch.from_numpy(WORDS)).numpy()
        assert np.abs(layers["out"](layers["rnn"](layers["words"](WORDS))) - expected).max() < 1e-6

    @pytest.mark.parametrize("key", ["state_dict", "model", "module's \N{GREEK SMALL LETTER ALPHA}"])
    @pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin"])
    def test_any_key(self, key, suffix, tmp_path):
        model, _ = trained()
        torch.save({key: model.state_dict(), "epoch": 3}, tmp_path / f"m{suffix}")
        same_layers(from_torch(tmp_path / f"m{suffix}", key=key), from_torch(model.state_dict()))

    def test_a_dictionary(self):
        """As torch.load gives it; arrays too."""
        model, checkpoint = trained()
        same_layers(from_torch(checkpoint, key="model_state_dict"), from_torch(model.state_dict()))
        arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        same_layers(from_torch({"epoch": 1, "model": arrays}, key="model"), from_torch(model.state_dict()))

    def test_one_module(self, tmp_path):
        model, checkpoint = trained()
        torch.save(checkpoint, tmp_path / "m.pt")
        rnn = from_torch(tmp_path / "m.pt", prefix="rnn", key="model_state_dict")
        zoo.same_bits(rnn.get_weights(), from_torch(model.state_dict(), prefix="rnn").get_weights())

    def test_each_of_two(self, tmp_path):
        """A model and its average: the weights of the one that was asked for."""
        (one, _), (two, _) = trained(), trained("SGD")
        torch.save({"model": one.state_dict(), "average": two.state_dict()}, tmp_path / "m.pt")
        same_layers(from_torch(tmp_path / "m.pt", key="model"), from_torch(one.state_dict()))
        same_layers(from_torch(tmp_path / "m.pt", key="average"), from_torch(two.state_dict()))
        with pytest.raises(ModelFileError, match="key='model' or key='average'$"):
            from_torch(tmp_path / "m.pt")


class TestRefused:
    def test_no_key(self, tmp_path):
        """The error has the keys, and what to write."""
        _, checkpoint = trained()
        torch.save(checkpoint, tmp_path / "m.pt")
        problem = ("expected a state dict, got a dictionary with the keys 'epoch', 'model_state_dict', "
                   "'optimizer_state_dict', 'scheduler', 'loss', 'best', 'rng', 'args'; say which is wanted: "
                   "key='model_state_dict'")
        for source, place in ((tmp_path / "m.pt", f"{tmp_path}/m.pt: m/data.pkl: "), (checkpoint, "the state dict: ")):
            with pytest.raises(ModelFileError) as error:
                from_torch(source)
            assert str(error.value) == place + problem

    @pytest.mark.parametrize("key, problem", [
        ("model", "there is no key 'model'; there are 'epoch', 'model_state_dict', 'optimizer_state_dict'"),
        ("", "there is no key ''; there are 'epoch'"),
        ("epoch", r"'epoch': expected a state dict, got 2; save the tensors alone: torch.save\("),
        ("loss", "'loss': expected a state dict, got a tensor"),
        ("args", r"'args': expected 'lr' to be a tensor, got 0.01; the keys are 'lr', 'name', .*; save the tensors"),
        ("optimizer_state_dict", "'optimizer_state_dict': expected 'state' to be a tensor, got a dict; the keys are "
                                 "'state', 'param_groups'; save the tensors alone"),
    ])
    def test_other_keys(self, key, problem, tmp_path):
        _, checkpoint = trained()
        torch.save(checkpoint, tmp_path / "m.pt")
        for source in (tmp_path / "m.pt", checkpoint):
            with pytest.raises(ModelFileError, match=problem):
                from_torch(source, key=key)

    @pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
    def test_a_key_of_a_state_dict(self, name, tmp_path):
        state = trained()[0].state_dict()
        (torch.save if name == "m.pt" else save_file)(state, tmp_path / name)
        for source in (tmp_path / name, state):
            with pytest.raises(ModelFileError, match="no key 'model'; .* it is a state dict itself: leave out key"):
                from_torch(source, key="model")

    def test_a_state_dict_further_in(self, tmp_path):
        torch.save({"nets": {"a": trained()[0].state_dict()}, "epoch": 1}, tmp_path / "m.pt")
        for key in (None, "nets"):
            with pytest.raises(ModelFileError, match="to be a tensor, got a dict; the keys are .*; save the tensors"):
                from_torch(tmp_path / "m.pt", key=key)

    def test_many_keys(self):
        """What names them stays short."""
        checkpoint = {**{f"k{i}" * 100: i for i in range(1000)}, "model": trained()[0].state_dict()}
        with pytest.raises(ModelFileError, match="and 991 more; say which is wanted: key='model'") as error:
            from_torch(checkpoint)
        assert len(str(error.value)) < 1200

    def test_values_that_are_no_tensors(self):
        for value in ([1.0], 1.0, "x", None):
            with pytest.raises(ModelFileError, match="expected 'e.weight' to be a tensor"):
                from_torch({"e.weight": value})


class TestInspected:
    def test_the_state_dicts(self, tmp_path):
        """Each tensor of each, under its key; of the optimizer's nothing."""
        model, checkpoint = trained()
        torch.save({**checkpoint, "ema": {"e.weight": torch.ones(2, 2)}, "same": checkpoint["model_state_dict"]},
                   tmp_path / "m.pt")
        first, *rows, total = fastrnn.saving.inspect(tmp_path / "m.pt").splitlines()
        assert first == f"{tmp_path / 'm.pt'}: weights alone"
        assert [row.rsplit("  (")[0].strip() for row in rows] == [
            *(f"model_state_dict: {name}" for name in model.state_dict()), "ema: e.weight"]
        assert total.startswith(f"{sum(t.numel() for t in model.parameters()) + 4:,} parameters in {len(rows)} arrays")

    def test_none(self, tmp_path):
        torch.save({"epoch": 1, "optimizer": {"state": {}}}, tmp_path / "m.pt")
        with pytest.raises(ModelFileError, match="expected 'epoch' to be a tensor, got 1; the keys are 'epoch', 'opt"):
            fastrnn.saving.inspect(tmp_path / "m.pt")


def test_plain_values_are_as_saved(tmp_path):
    """All of a checkpoint is read as PyTorch's own restricted reader does it."""
    _, checkpoint = trained()
    torch.save(checkpoint, tmp_path / "m.pt")
    found, place = archive.load(memoryview((tmp_path / "m.pt").read_bytes()), "m.pt")
    expected = torch.load(tmp_path / "m.pt", weights_only=True)
    assert place == "m/data.pkl" and list(found) == list(expected)

    def compare(one, two) -> None:
        if isinstance(two, torch.Tensor):
            assert one.read().tobytes() == two.detach().numpy().tobytes() and one.shape == tuple(two.shape)
        elif isinstance(two, dict):
            assert list(one) == list(two)
            for key in two:
                compare(one[key], two[key])
        else:
            assert repr(one) == repr(two)

    compare(found, expected)


def test_which_are_state_dicts():
    good = {"e.weight": np.ones(2)}
    found = {"a": good, "b": {}, "c": {**good, "x": 1}, "d": {1: np.ones(2)}, 5: {"e.weight": np.ones(2)}, "e": [good],
             "f": good, "g": dict(good)}
    assert state_dicts(found) == ["a", "g"]     # f is a
    assert state_dict(found, "f", "m.pt", "") is good
    for value in (None, 1, [good], pickle):
        assert state_dicts(value) == []
