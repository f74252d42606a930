# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files to be fuzzed."""

from __future__ import annotations

import itertools
import pickle
import pickletools
import struct
from pathlib import Path

import numpy as np

from fastrnn.saving import from_torch
from tests.hostile import pickles
from tests.hostile.faults import tensors
from tests.hostile.target import LATIN, Json, Target, look, touch, zipped


def torch_state() -> dict[str, np.ndarray]:
    """Each kind of module."""
    both = {f"lstm.{kind}_l0{end}": shape for end in ("", "_reverse") for kind, shape in
            {"weight_ih": (4, 2), "weight_hh": (4, 1), "bias_ih": (4,), "bias_hh": (4,)}.items()}
    shapes = {**both, "gru.weight_ih_l0": (3, 2), "gru.weight_hh_l0": (3, 1), "words.weight": (3, 2),
              "out.weight": (2, 1), "out.bias": (2,), "norm.weight": (2,), "norm.bias": (2,)}
    return {name: np.full(shape, 0.5, np.float32) for name, shape in shapes.items()}


def read_torch(path: Path) -> None:
    """Make all layers of a state dict."""
    look(path)
    for layer in from_torch(path).values():
        touch(layer.get_weights())


class TorchPickle(Target):
    """What torch.save writes: the pickle as its operations, and the archive's members."""

    suffix = ".pt"

    def __init__(self) -> None:
        self._members = {"m/byteorder": b"little", "m/version": b"3\n"}
        items = []
        for key, (name, array) in enumerate(torch_state().items()):
            stored = pickles.storage(key=pickles.text(str(key)), count=array.size)
            strides = tuple(step // array.itemsize for step in array.strides)
            items += [pickles.text(name), pickles.tensor(stored, 0, array.shape, strides)]
            self._members[f"m/data/{key}"] = array.tobytes()
        pkl = pickles.state(*items)
        starts = [at for _, _, at in pickletools.genops(pkl)] + [len(pkl)]
        operations = [pkl[a:b].decode(LATIN) for a, b in itertools.pairwise(starts)]
        super().__init__({"pickle": operations, "members": dict.fromkeys(["m/data.pkl", *self._members], "")})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        return zipped(trees["members"], {**self._members, "m/data.pkl": _pickle(trees["pickle"])})

    def read(self, path: Path) -> None:
        read_torch(path)


class TorchLegacy(Target):
    """What torch.save wrote before version 1.6: the pickle as its operations, the list of keys, and the counts."""

    suffix = ".ckpt"

    def __init__(self) -> None:
        self._arrays = [*torch_state().values()]
        operations = TorchPickle().trees["pickle"]
        super().__init__({"pickle": operations, "keys": [str(key) for key in range(len(self._arrays))],
                          "counts": [array.size for array in self._arrays]})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        counts = trees["counts"] if isinstance(trees["counts"], list) else []
        storages = b"".join(
            (struct.pack("<q", count) if type(count) is int and abs(count) < 1 << 63 else b"") + array.tobytes()
            for count, array in zip(counts, self._arrays))
        return pickles.legacy(_pickle(trees["pickle"]), pickle.dumps(trees["keys"], 2), storages)

    def read(self, path: Path) -> None:
        read_torch(path)


def _pickle(operations: Json) -> bytes:
    return b"".join(map(_operation, operations)) if isinstance(operations, list) else b""


def _operation(value: Json) -> bytes:
    """An operation as it is, or the one that makes this value."""
    if isinstance(value, str):
        return value.encode(LATIN) if value.isascii() or max(value) < "\u0100" else pickles.text(value)
    if isinstance(value, bool) or value is None:
        return b"\x88" if value else b"N"
    if isinstance(value, int):
        return pickles.number(value)
    return {dict: b"}", list: b"]"}.get(type(value), b"(")


class TorchTensors(Target):
    """PyTorch's state dicts as safetensors."""

    suffix = ".safetensors"

    def __init__(self) -> None:
        header: Json
        header, body = {}, b""
        for name, array in torch_state().items():
            header[name] = {"dtype": "F32", "shape": [*array.shape],
                            "data_offsets": [len(body), len(body) + array.nbytes]}
            body += array.tobytes()
        self._body = body
        super().__init__({"header": header})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        return tensors(trees["header"], self._body)

    def read(self, path: Path) -> None:
        read_torch(path)
