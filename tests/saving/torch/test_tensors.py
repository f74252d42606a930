# SPDX-License-Identifier: Apache-2.0
"""The kinds of tensors that PyTorch's files have, and how they lie in them."""

from __future__ import annotations

import collections
import zipfile

import numpy as np
import pytest
import torch

from fastrnn.saving import ModelFileError, from_torch, to_torch
from tests.saving import zoo
from tests.saving.torch.zoo import TOLERANCE, inputs, module_of, outputs, same_state, save


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


def test_an_ordered_dict_subclass(tmp_path):
    """Attributes of a state dict other than the modules' versions are not dropped in silence."""
    state = collections.OrderedDict({"e.weight": torch.ones(2, 2)})
    state.note = "x"
    torch.save(state, tmp_path / "m.pt")
    with pytest.raises(ModelFileError, match="attributes of a dict cannot be set"):
        from_torch(tmp_path / "m.pt")
