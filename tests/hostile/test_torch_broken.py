# SPDX-License-Identifier: Apache-2.0
"""PyTorch's good files cut off, or with one byte changed, at two hundred places each: an error, or the same layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fastrnn.saving import ModelFileError, from_torch
from tests.hostile.test_broken import PLACES, in_a_child
from tests.saving import zoo

OLD = "m.ckpt"      # as PyTorch wrote it before version 1.6
NAMES = ("m.pt", "m.pth", "m.bin", "m.safetensors", OLD)


def good_file(path: Path) -> bytes:
    torch.manual_seed(0)
    modules = torch.nn.ModuleDict({"words": torch.nn.Embedding(7, 4), "rnn": torch.nn.LSTM(4, 3, bidirectional=True),
                                   "gru": torch.nn.GRU(6, 2), "out": torch.nn.Linear(2, 1)})
    if path.suffix == ".safetensors":
        save_file(modules.state_dict(), path)
    else:
        torch.save(modules.state_dict(), path, _use_new_zipfile_serialization=path.name != OLD)
    return path.read_bytes()


def loaded(path: Path, data: bytes | bytearray) -> list[np.ndarray] | None:
    """The weights of the layers in the file, or None for fastrnn's error."""
    path.write_bytes(data)
    try:
        layers = from_torch(path)
    except ModelFileError as error:
        assert str(error).startswith(str(path))
        return None
    return [weight for name in sorted(layers) for weight in layers[name].get_weights()]


@pytest.mark.parametrize("name", NAMES)
def test_cut_off(name, tmp_path):
    data = good_file(tmp_path / name)
    lengths = sorted({int(n) for n in np.linspace(0, len(data) - 1, PLACES)} - {0})
    results = in_a_child(lambda: (loaded(tmp_path / name, data[:length]) for length in lengths))
    assert results == [None] * len(lengths)


@pytest.mark.parametrize("name", NAMES)
def test_one_byte_changed(name, tmp_path):
    """The zip archive has a checksum; in the others at most the number changes that the byte belongs to."""
    data = good_file(tmp_path / name)
    original = loaded(tmp_path / name, data)
    rng = np.random.default_rng(0)
    # As many places in the structure, the pickle and the archive's directory, as in all of it.
    places = [int(place) for place in (*rng.integers(0, len(data), PLACES // 2), *rng.integers(0, 2000, PLACES // 4),
                                       *rng.integers(len(data) - 2000, len(data), PLACES // 4))]

    def work():
        for place in places:
            broken = bytearray(data)
            broken[place] ^= 1 << place % 8
            yield loaded(tmp_path / name, broken)

    results = in_a_child(work)
    assert len(results) == len(places)
    assert sum(weights is None for weights in results) > 10
    for place, weights in zip(places, results, strict=True):
        if weights is not None and name not in ("m.safetensors", OLD):
            zoo.same_bits(weights, original)
        elif weights is not None:
            assert [w.shape for w in weights] == [w.shape for w in original], f"byte {place}"
            changed = sum(int((a.view("u4") != b.view("u4")).sum()) for a, b in zip(weights, original, strict=True))
            assert changed <= 1, f"byte {place}"
