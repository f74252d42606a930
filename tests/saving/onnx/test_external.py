# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs with their constants in a file beside them, as PyTorch's default exporter and onnx write them."""

from __future__ import annotations

import os
import shutil
import warnings

import numpy as np
import onnx
import pytest
import torch

import fastrnn
from fastrnn.__main__ import main
from fastrnn.saving import ModelFileError, export_onnx, inspect, load_onnx
from tests.saving.onnx.graphs import assert_same


@pytest.fixture(scope="module", params=["LSTM", "GRU", "RNN"])
def exported(request, tmp_path_factory):
    """A module, its input, and the file that `torch.onnx.export` writes without being told how."""
    torch.manual_seed(0)
    module, x = getattr(torch.nn, request.param)(3, 64), torch.randn(5, 2, 3)
    path = tmp_path_factory.mktemp(request.param) / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (x,), path, verbose=False)
    assert os.listdir(path.parent).count("m.onnx.data") == 1
    return module, x, path


class TestPyTorch:
    def test_run(self, exported):
        module, x, path = exported
        with torch.no_grad():
            y, states = module(x)
        states = list(states) if isinstance(states, tuple) else [states]
        assert_same(load_onnx(path).run(x.numpy()), [y.numpy(), *(state.numpy() for state in states)])

    def test_from_another_folder(self, exported, monkeypatch):
        """The data are looked for beside the file, not where the program runs."""
        _, x, path = exported
        expected = load_onnx(path).run(x.numpy())
        monkeypatch.chdir(path.parent)
        assert_same(load_onnx("m.onnx").run(x.numpy()), expected, 0)
        monkeypatch.chdir("/")
        assert_same(load_onnx(str(path)).run(x.numpy()), expected, 0)

    def test_inspect(self, exported, capsys):
        _, _, path = exported
        main(["inspect", str(path)])
        found = capsys.readouterr().out
        count = sum(onnx.numpy_helper.to_array(tensor).size for tensor in onnx.load(path).graph.initializer)
        assert "ONNX graph of opset" in found and f"{count:,} parameters" in found

    def test_without_its_data(self, exported, tmp_path):
        _, _, path = exported
        shutil.copy(path, tmp_path / "m.onnx")
        for call in (load_onnx, inspect):
            with pytest.raises(ModelFileError, match="in another file, 'm.onnx.data': it is not there; keep both"):
                call(tmp_path / "m.onnx")
        (tmp_path / "m.onnx.data").write_bytes((path.parent / "m.onnx.data").read_bytes()[:100])
        with pytest.raises(ModelFileError, match="not lie within the 100 bytes of 'm.onnx.data'; the file is cut off"):
            load_onnx(tmp_path / "m.onnx")

    def test_bytes_have_nothing_beside_them(self, exported):
        _, x, path = exported
        with pytest.raises(ModelFileError, match="in another file, 'm.onnx.data'; load the model by the path"):
            load_onnx(path.read_bytes())
        assert_same(load_onnx(onnx.load(path)).run(x.numpy()), load_onnx(path).run(x.numpy()), 0)


def test_every_dtype_at_any_byte(tmp_path, rng):
    """Data that onnx writes, each constant at an odd place of the file."""
    arrays = {name: rng.integers(0, 2, (3, 5)).astype(name)
              for name in ("float32", "float64", "int64", "int32", "uint8", "bool", "float16")}
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    data = b"x"
    for tensor in stored:
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "constants"), ("offset", str(len(data)))):      # the length may be left out
            tensor.external_data.add(key=key, value=value)
        data += raw + b"x"
    nodes = [onnx.helper.make_node("Identity", [name], [f"y_{name}"]) for name in arrays]
    outputs = [onnx.helper.make_empty_tensor_value_info(f"y_{name}") for name in arrays]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], outputs, stored),
                                   opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "constants").write_bytes(data)
    for got, expected in zip(load_onnx(tmp_path / "m.onnx").run({}), arrays.values(), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def test_what_onnx_moves_out(tmp_path):
    """A model of fastrnn's own whose constants onnx has moved to a file beside it."""
    model = fastrnn.Sequential([fastrnn.Input((None, 4)), fastrnn.layers.GRU(6), fastrnn.layers.Dense(2)])
    export_onnx(model, tmp_path / "whole.onnx")
    onnx.save(onnx.load(tmp_path / "whole.onnx"), tmp_path / "m.onnx", save_as_external_data=True, location="weights",
              size_threshold=0)
    x = np.ones((2, 3, 4), "float32")
    assert_same(load_onnx(tmp_path / "m.onnx").run(x), load_onnx(tmp_path / "whole.onnx").run(x), 0)
    (tmp_path / "weights").rename(tmp_path / "elsewhere")
    (tmp_path / "weights").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelFileError, match="'weights': expected a file, got a symbolic link; put the file itself"):
        load_onnx(tmp_path / "m.onnx")
