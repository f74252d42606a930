# SPDX-License-Identifier: Apache-2.0
"""Modules of PyTorch's that tests of their files share, and what compares them."""

from __future__ import annotations

import numpy as np
import torch
from safetensors.torch import save_file

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


def run(layers: dict, x: np.ndarray) -> np.ndarray:
    """The same model, of fastrnn's layers."""
    y = layers["encoder.gru"](layers["norm"](layers["encoder.lstm"](layers["words"](x))))
    return layers["head.2"](np.maximum(layers["head.0"](y), 0))


def save(state, path) -> None:
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    else:
        torch.save(state, path)
