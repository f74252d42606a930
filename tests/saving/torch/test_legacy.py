# SPDX-License-Identifier: Apache-2.0
"""Files that `torch.save` wrote before PyTorch 1.6, those of Python 2 among them."""

from __future__ import annotations

import itertools
import pickle
import struct
import tarfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import fastrnn
from fastrnn.saving import ModelFileError, from_torch
from fastrnn.saving.torch import archive
from tests.hostile import pickles
from tests.saving import zoo
from tests.saving.torch.test_checkpoints import same_layers
from tests.saving.torch.zoo import CELLS, TOLERANCE, N, T, inputs, module_of, nonlinearity, outputs, run


def save(value, path, protocol: int = 2) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=False, pickle_protocol=protocol)


def head() -> bytes:
    """The three pickles in front."""
    return b"".join(pickle.dumps(value, 2) for value in (
        0x1950a86a20f9469cfc6c, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 4}}))


def stored(**storages: np.ndarray) -> bytes:
    """The list of keys, and the storages."""
    return pickle.dumps([*storages], 2) + b"".join(
        struct.pack("<q", array.size) + array.tobytes() for array in storages.values())


class TestTaken:
    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_a_model(self, protocol, words, tmp_path):
        save(words.state_dict(), tmp_path / "m.pt", protocol)
        layers = from_torch(tmp_path / "m.pt", linear=["head.2"])
        same_layers(layers, from_torch(words.state_dict(), linear=["head.2"]))
        x = np.random.default_rng(0).integers(0, 11, (N, T))
        assert np.abs(run(layers, x) - outputs(words, x)).max() < TOLERANCE

    @pytest.mark.parametrize("bidirectional", [False, True])
    @pytest.mark.parametrize("cell", CELLS)
    def test_outputs(self, cell, bidirectional, tmp_path):
        module = module_of(cell, num_layers=2, bidirectional=bidirectional)
        save({"epoch": 3, "state_dict": module.state_dict()}, tmp_path / "m.pth.tar")
        model = from_torch(tmp_path / "m.pth.tar", "", nonlinearity(cell), key="state_dict")
        assert np.abs(model(inputs()) - outputs(module, inputs())).max() < TOLERANCE

    def test_every_kind_of_tensor(self, tmp_path):
        """Each dtype, views, transposes, parts of one storage, scalars and empty ones: the bits that PyTorch reads."""
        rows = torch.arange(24, dtype=torch.float32)
        value = {f"{dtype}": torch.arange(6).reshape(2, 3).to(dtype) for dtype in (
            torch.float16, torch.float32, torch.float64, torch.bfloat16, torch.int8, torch.int16, torch.int32,
            torch.int64, torch.uint8, torch.bool, torch.complex64, torch.complex128)}
        value |= {"view": rows.view(4, 6)[1:3, 2:5], "transposed": rows.view(4, 6).T, "strided": rows[1::3],
                  "scalar": rows[7], "empty": torch.ones(0, 3), "parameter": torch.nn.Parameter(rows[:2])}
        save(value, tmp_path / "m.pt")
        found, _ = archive.load(memoryview((tmp_path / "m.pt").read_bytes()), "m.pt")
        assert list(found) == list(value)
        for name, tensor in value.items():
            array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().contiguous().numpy()
            assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
            assert found[name].read().tobytes() == array.tobytes(), name

    def test_python_2(self, tmp_path):
        """An OrderedDict as a list of pairs, its names bytes, and tensors as PyTorch 0.2 wrote them."""
        def text(value: str) -> bytes:
            return b"U" + bytes([len(value)]) + value.encode()

        def tensor(key: str, *shape: int) -> bytes:
            identifier = pickles.group(text("storage"), pickles.symbol("torch.FloatStorage"), text(key),
                                       text("cuda:0"), b"\x8a\1" + bytes([int(np.prod(shape))]), b"N") + b"Q"
            return pickles.symbol("torch._utils._rebuild_tensor") + pickles.group(
                identifier, b"K\0", pickles.group(*(pickles.number(size) for size in shape)),
                pickles.group(*(pickles.number(int(np.prod(shape[i + 1:]))) for i in range(len(shape))))) + b"R"

        arrays = {"out.weight": np.arange(6, dtype="f4").reshape(2, 3), "out.bias": np.array([1, 2], "f4")}
        pairs = b"](" + b"".join(b"](" + text(name) + tensor(str(key), *array.shape) + b"e"
                                 for key, (name, array) in enumerate(arrays.items())) + b"e"
        made = pickles.symbol("collections.OrderedDict") + pairs + b"\x85R"
        state = b"\x80\x02" + made + b"}" + text("_metadata") + b"}sb."
        (tmp_path / "m.t7").write_bytes(head() + state + stored(**dict(zip("01", arrays.values()))))
        dense = from_torch(tmp_path / "m.t7", "out")
        zoo.same_bits(dense.get_weights(), [arrays["out.weight"].T, arrays["out.bias"]])
        read = torch.load(tmp_path / "m.t7", map_location="cpu")       # so it is such a file
        assert {name: tensor.tolist() for name, tensor in read.items()} == {
            name: array.tolist() for name, array in arrays.items()}

    def test_it_is_mapped(self, tmp_path):
        """A tensor that is not asked for is not read."""
        save({"model": {"e.weight": torch.ones(2, 2)}, "other": torch.ones(1 << 20)}, tmp_path / "m.pt")
        found, _ = archive.load(memoryview((tmp_path / "m.pt").read_bytes()), "m.pt")
        assert found["other"].shape == (1 << 20,) and callable(found["other"].read)


class TestNames:
    """What a file is, its bytes say, to each of the ways to read one."""

    @pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
    @pytest.mark.parametrize("name", ["m.model", "m.pkl", "m.ckpt", "m.pth.tar", "m.t7", "m.ckpt.best", "m", "m.keras",
                                      "m.h5", "m.onnx", "m.safetensors", "m.pt"])
    def test_of_pytorch(self, name, old, tmp_path):
        path = tmp_path / name
        state = torch.nn.LSTM(3, 2).state_dict()
        torch.save(state, path, _use_new_zipfile_serialization=not old)
        zoo.same_bits(from_torch(path, prefix="").get_weights(), from_torch(state, prefix="").get_weights())
        assert fastrnn.saving.inspect(path).startswith(f"{path}: weights alone\n  weight_ih_l0  (8, 3)  float32\n")
        assert fastrnn.saving.convert(path, tmp_path / "n.safetensors").holds
        zoo.same_bits(fastrnn.saving.load_model(tmp_path / "n").get_weights(),
                      from_torch(state, prefix="").get_weights())

    @pytest.mark.parametrize("name", ["m.pt", "m.bin", "m.model"])
    def test_safetensors(self, name, tmp_path):
        path, state = tmp_path / name, torch.nn.LSTM(3, 2).state_dict()
        save_file(state, path)
        zoo.same_bits(from_torch(path, prefix="").get_weights(), from_torch(state, prefix="").get_weights())
        assert fastrnn.saving.inspect(path).startswith(f"{path}: weights alone\n")
        assert fastrnn.saving.convert(path, tmp_path / "n.safetensors").holds

    def test_others(self, tmp_path):
        """A file of another kind is none of PyTorch's, whatever its name."""
        model = zoo.make(fastrnn, "LSTM-forward-1")
        for name in ("m.keras", "m.safetensors"):
            model.save(tmp_path / name)
            for suffix in (".pt", ".ckpt"):
                path = (tmp_path / name).rename(tmp_path / f"m{suffix}")
                with pytest.raises(ModelFileError, match=f"m{suffix}: .*(is it a PyTorch file|load it by load_model)"):
                    from_torch(path)
                path.rename(tmp_path / name)

    @pytest.mark.parametrize("suffix", [".ckpt", ".model", ".pkl", ".pt", ""])
    def test_load_model_says_what_to_do(self, suffix, tmp_path):
        save(torch.nn.LSTM(3, 2).state_dict(), tmp_path / f"m{suffix}")
        with pytest.raises(ModelFileError, match="make layers of them by fastrnn.saving.from_torch"):
            fastrnn.saving.load_model(tmp_path / f"m{suffix}")
        if suffix:
            with pytest.raises(ModelFileError, match="make layers of them by fastrnn.saving.from_torch"):
                zoo.make(fastrnn, "LSTM-forward-1").load_weights(tmp_path / f"m{suffix}")


class TestRefused:
    def test_tar(self, tmp_path):
        """PyTorch 0.1."""
        (tmp_path / "storages").write_bytes(b"x")
        with tarfile.open(tmp_path / "m.pt", "w") as file:
            file.add(tmp_path / "storages", "storages")
        with pytest.raises(ModelFileError, match="m.pt: files of PyTorch 0.1, tar archives, are not read; load"):
            from_torch(tmp_path / "m.pt")

    def test_a_pickle_alone(self, tmp_path):
        (tmp_path / "m.pkl").write_bytes(pickle.dumps({"e.weight": np.ones((2, 2))}))
        with pytest.raises(ModelFileError, match=r"m.pkl: expected what torch.save writes: a zip archive, or, before"):
            from_torch(tmp_path / "m.pkl")

    @pytest.mark.parametrize("tail, problem", [
        (pickles.state(pickles.text("e.weight"), pickles.tensor()) + stored(**{"0": np.ones(3, "f4")}),
         "expected the 4 elements of storage '0'"),
        (pickles.GOOD + stored(**{"0": np.ones(4, "f4")}) + b"x", "expected the file to end here"),
        (pickles.GOOD + stored(**{"0": np.ones(4, "f4")})[:-1], "expected the file to end here"),
        (pickles.GOOD + stored(**{"1": np.ones(4, "f4")}), "expected a list of the keys of all storages"),
        (pickles.GOOD + stored(), "expected a list of the keys of all storages"),
        (pickles.GOOD + stored(**{"0": np.ones(4, "f4"), "1": np.ones(4, "f4")}), "expected a list of the keys"),
        (pickles.GOOD + pickle.dumps(["0", "0"], 2), "expected a list of the keys"),
        (pickles.GOOD + pickle.dumps(None, 2), "expected a list of the keys"), (pickles.GOOD, "keys, from .*cut off"),
        (pickles.state(pickles.text("a"), pickles.tensor(), pickles.text("b"),
                       pickles.tensor(pickles.storage("torch.IntStorage"))), "storage '0' is declared twice"),
        (pickles.state(pickles.text("a"), pickles.tensor(pickles.storage(count=10**9))), "larger than the whole file"),
        (pickles.state(pickles.text("a"), pickles.tensor(pickles.storage(count=-1))), "expected a count of elements"),
        (pickles.state(pickles.text("a"), pickles.tensor(pickles.group(
            pickles.text("storage"), pickles.symbol("torch.FloatStorage"), pickles.text("0"), pickles.text("cpu"),
            pickles.number(4), pickles.group(pickles.text("1"), b"K\0", b"K\4")) + b"Q")), "a part of another one"),
    ])
    def test_broken(self, tail, problem, tmp_path):
        (tmp_path / "m.pt").write_bytes(head() + tail)
        with pytest.raises(ModelFileError, match=problem):
            from_torch(tmp_path / "m.pt")

    @pytest.mark.parametrize("change, problem", [
        ({0: pickle.dumps(0x1950a86a20f9469cfc6c, 2)[:-1] + b"0"}, "expected the first pickle to be a number"),
        ({1: pickle.dumps(1002, 2)}, "expected version 1001 of the format, got 1002"),
        ({1: pickle.dumps(None, 2)}, "expected version 1001 of the format, got None"),
        ({2: pickle.dumps({"little_endian": False}, 2)}, "little-endian"), ({2: pickle.dumps([], 2)}, "little-endian"),
        ({2: pickles.tensor()}, "is not made|nothing that is kept outside"),
    ])
    def test_other_heads(self, change, problem, tmp_path):
        parts = dict(enumerate(pickle.dumps(value, 2) for value in (
            0x1950a86a20f9469cfc6c, 1001, {"protocol_version": 1001, "little_endian": True}))) | change
        (tmp_path / "m.pt").write_bytes(b"".join(itertools.chain(parts.values(), [pickles.GOOD])))
        with pytest.raises(ModelFileError, match=problem):
            from_torch(tmp_path / "m.pt")
