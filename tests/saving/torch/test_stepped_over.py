# SPDX-License-Identifier: Apache-2.0
"""Checkpoints with objects of any class beside the state dict: none is made, and the state dict is read."""

from __future__ import annotations

import argparse
import collections
import datetime
import enum
import json
import pathlib
import random
import warnings

import numpy as np
import pytest
import torch

import fastrnn
from fastrnn.saving import ModelFileError, from_torch
from tests.saving.torch.test_checkpoints import same_layers, trained


class Config:
    """A program's own class, whose objects nothing here may make."""

    made = 0

    def __init__(self) -> None:
        self.lr = 0.1
        self.inner = [self, {"x": np.ones(3)}]

    def __setstate__(self, state: dict) -> None:
        Config.made += 1


class Color(enum.Enum):
    RED = 1


def quantized() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # deprecated
        return torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)


#: What programs keep beside a state dict.
BESIDE = {
    "float64": np.float64(0.5), "array": np.ones((3, 4)), "texts": np.array(["a", "b"]),
    "numpy_random": np.random.get_state(), "generator": np.random.default_rng(0).bit_generator.state,
    "random": random.Random(0).getstate(),
    "namespace": argparse.Namespace(lr=0.1, betas=(0.9, 0.99), nested=argparse.Namespace(a=[1])),
    "date": datetime.datetime(2024, 1, 2), "set": {1, 2}, "frozenset": frozenset(["a"]), "bytes": b"\0\xff",
    "complex": 1j, "large": 2**100, "path": pathlib.PurePosixPath("a/b"), "class": Config, "object": Config(),
    "function": json.dumps, "enum": Color.RED, "dtype": torch.float32, "device": torch.device("cpu"),
    "size": torch.Size([1, 2]), "sparse": torch.eye(3).to_sparse(), "complex64": torch.ones(2, dtype=torch.complex64),
    "quantized": quantized(), "module": torch.nn.LSTM(2, 2),
    "parameter": torch.nn.Parameter(torch.ones(2)), "parameters": torch.nn.ParameterList([torch.ones(2)]),
    "loss": torch.nn.CrossEntropyLoss(), "tuple_keys": {(1, 2): 3, (3, 4): 5}, "odd_keys": {None: 1, 1.5: 2, True: 3},
    "object_keys": {Config: 1, Color.RED: 2}, "counter": collections.Counter("abca"), "long_text": "x" * 100_000,
    "defaultdict": collections.defaultdict(list, a=[1]), "float8": torch.ones(2).to(torch.float8_e4m3fn),
}  # fmt: skip


class TestSteppedOver:
    """What is not asked for is not made, and does not matter."""

    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    @pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
    def test_beside_a_state_dict(self, old, protocol, tmp_path):
        """Each alone, and all at once; the same layers."""
        model, _ = trained()
        expected, state = from_torch(model.state_dict()), model.state_dict()
        for beside in [*({name: value} for name, value in BESIDE.items()), BESIDE]:
            path = tmp_path / "m.pt"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.save({**beside, "model": state, "after": beside}, path, pickle_protocol=protocol,
                           _use_new_zipfile_serialization=not old)
            same_layers(from_torch(path, key="model"), expected)
            assert "\n  model: rnn.weight_ih_l0 " in fastrnn.saving.inspect(path)
            with pytest.raises(ModelFileError, match="say which is wanted: key='model'"):
                from_torch(path)
        assert Config.made == 0

    def test_what_lightning_saves(self, tmp_path):
        """Classes as keys, hyperparameters in a class of their own, and the suffix of its own."""
        model, checkpoint = trained()
        torch.save({"pytorch-lightning_version": "2.4.0", "epoch": 2, "state_dict": model.state_dict(),
                    "callbacks": {Config: {"best": torch.ones(1), "dir": pathlib.PurePosixPath("x")}},
                    "optimizer_states": [checkpoint["optimizer_state_dict"]],
                    "hyper_parameters": collections.OrderedDict(config=Config())}, tmp_path / "last.ckpt")
        same_layers(from_torch(tmp_path / "last.ckpt", key="state_dict"), from_torch(model.state_dict()))

    def test_hooks(self, tmp_path):
        """A tensor with a backward hook, and one with attributes."""
        model, _ = trained()
        odd = torch.nn.Parameter(torch.ones(2))
        odd.note = "x"
        torch.save({"odd": odd, "model": model.state_dict(), "state": {"e.weight": odd}}, tmp_path / "m.pt")
        same_layers(from_torch(tmp_path / "m.pt", key="model"), from_torch(model.state_dict()))
        with pytest.raises(ModelFileError, match="'e.weight' to be a tensor, got a value of 'torch._utils._reb"):
            from_torch(tmp_path / "m.pt", key="state")


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
def test_asked_for(old, tmp_path):
    """What is asked for must be a state dict, and the error says what it is."""
    model, _ = trained()
    torch.save({"args": argparse.Namespace(lr=1), "net": model,
                "weights": torch.nn.ParameterDict({"a": model.out.bias}),
                "mixed": {**model.state_dict(), "best": np.float64(1)}, "odd": {**model.state_dict(), None: 1}},
               tmp_path / "m.pt", _use_new_zipfile_serialization=not old)
    for key, problem in [
            ("args", "'args': expected a state dict, got a value of 'argparse.Namespace', which is not made; save"),
            ("net", r"got a value of '.*Tagger', which is not made; save the tensors alone: torch.save"),
            ("weights", "got a value of 'torch.nn.modules.container.ParameterDict'"),
            ("mixed", "'mixed': expected 'best' to be a tensor, got a value of 'numpy.*scalar', which is not made"),
            ("odd", "expected a name of 1 to 255 characters, got <None as a key>")]:
        with pytest.raises(ModelFileError, match=problem):
            from_torch(tmp_path / "m.pt", key=key)
    torch.save(model, tmp_path / "m.pt", _use_new_zipfile_serialization=not old)
    with pytest.raises(ModelFileError, match="expected a state dict, got a value of '.*Tagger'"):
        from_torch(tmp_path / "m.pt")
