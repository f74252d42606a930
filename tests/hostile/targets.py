# SPDX-License-Identifier: Apache-2.0
"""The formats to be fuzzed: each as trees of values, of which a file is made, and the way it is read."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import pickletools
import struct
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import fastrnn
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding, TimeDistributed
from fastrnn.saving import ModelFileError, archive, from_torch, inspect, keras_weights, load_model, load_onnx, state
from fastrnn.saving.onnx_export import onnx_model
from fastrnn.saving.writing import model_config
from tests.hostile import pickles
from tests.hostile.changes import Edit, edited_bytes, edited_tree
from tests.hostile.faults import legacy_bytes, tensors

Json = Any
_LATIN = "latin-1"      # bytes as text, for trees


def small_model() -> fastrnn.Sequential:
    """Each kind of place that a configuration can have, with few arrays."""
    fastrnn.utils.set_random_seed(0)
    model = fastrnn.Sequential([
        fastrnn.Input((None,)), Embedding(5, 2, name="words"),
        Bidirectional(GRU(1, use_bias=False, return_sequences=True), name="both"),
        TimeDistributed(Dense(2, use_bias=False), name="steps"), LSTM(1, use_bias=False, name="top")], name="good")
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)
    return model


class Target(ABC):
    """A format.

    Attributes:
        suffix: of its files.
        trees: what a good file is made of, as JSON has it, by name.
    """

    suffix: str

    def __init__(self, trees: dict[str, Json]) -> None:
        self.trees = trees
        self.good = self.assemble(trees)

    def make(self, changes: list[Edit]) -> bytes:
        """A file with these changes."""
        names, own = [*self.trees, ""], dict[str, list[Edit]]()
        for change in changes:
            own.setdefault(names[change.part % len(names)], []).append(change)
        edits = own.pop("", [])
        trees = {name: edited_tree(self.trees[name], changes) for name, changes in own.items()}
        return edited_bytes(self.assemble({**self.trees, **trees}) if trees else self.good, edits)

    @abstractmethod
    def assemble(self, trees: dict[str, Json]) -> bytes:
        """A file of these trees."""

    @abstractmethod
    def read(self, path: Path) -> None:
        """Read a file in each way that there is for it."""


def look(path: Path) -> None:
    """Inspect one of four files: it takes as long as to load it, and looks at less."""
    if path.stat().st_size % 4 == 0:
        inspect(path)


def touch(weights: list[np.ndarray]) -> None:
    """Read every number, some of which may lie in the file."""
    for weight in weights:
        weight.sum()


# safetensors ---------------------------------------------------------------------------------------------------------


def _split(data: bytes) -> tuple[Json, bytes]:
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8:8 + length]), data[8 + length:]


class Native(Target):
    """fastrnn's own format."""

    suffix = ".safetensors"

    def __init__(self, folder: Path) -> None:
        small_model().save(folder / "m.safetensors")
        header, self._body = _split((folder / "m.safetensors").read_bytes())
        texts = header.pop("__metadata__")
        super().__init__({"arrays": header, "texts": texts,
                          **{name: json.loads(texts.pop(name)) for name in ("config", "compile_config")}})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        texts, arrays = trees["texts"], trees["arrays"]
        if isinstance(texts, dict):
            texts = {**texts, **{name: json.dumps(trees[name]) for name in ("config", "compile_config")}}
        return tensors({"__metadata__": texts, **arrays} if isinstance(arrays, dict) else arrays, self._body)

    def read(self, path: Path) -> None:
        look(path)
        touch(load_model(path).get_weights())


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


# HDF5 ----------------------------------------------------------------------------------------------------------------


def hdf5_tree(data: bytes) -> Json:
    """What is in an HDF5 file: by path, the shape and dtype of arrays, and texts that a reader looks for in groups."""
    tree: Json = {}

    def visit(path: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            tree[path] = {"shape": list(item.shape), "dtype": item.dtype.str}
            return
        texts = {name: [text.decode() for text in value] if isinstance(value, np.ndarray) else str(value)
                 for name, value in item.attrs.items() if name != "name"}
        if texts:
            tree[path] = texts

    with h5py.File(io.BytesIO(data)) as file:
        visit("/", file)
        file.visititems(visit)
    return tree


def hdf5_bytes(tree: Json) -> bytes:
    """A file of such a tree, as far as HDF5 can hold it: a text is a soft link, a number a link to another file, a
    list a link to the group around it."""
    with h5py.File("m", "w", driver="core", backing_store=False) as file:
        links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
        links.set_create_intermediate_group(True)
        # Arrays first: they make the groups that they lie in.
        items = tree.items() if isinstance(tree, dict) else ()
        for path, item in sorted(items, key=lambda item: not (isinstance(item[1], dict) and "shape" in item[1])):
            with contextlib.suppress(Exception):
                _put(file, path, item, links)
        file.flush()
        return file.id.get_file_image()


def _put(file: h5py.File, path: str, item: Json, links: Any) -> None:
    if isinstance(item, str):
        file[path] = h5py.SoftLink(item)
    elif isinstance(item, (bool, int, float)):
        file[path] = h5py.ExternalLink("trap", "/x")
    elif isinstance(item, list):
        file[path] = file[path.rpartition("/")[0] or "/"]
    elif item is None:
        file[path] = h5py.Empty("f4")
    elif item.keys() == {"shape", "dtype"}:
        dtype, shape = np.dtype(item["dtype"]), tuple(item["shape"])
        # By HDF5's own calls, which take a tenth of the time.
        space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
        array = h5py.h5d.create(file.id, path.encode(), h5py.h5t.py_create(dtype, logical=True), space, None, links)
        if np.prod(shape, dtype=float) < 1e4:
            array.write(h5py.h5s.ALL, h5py.h5s.ALL, np.full(shape, 0.5).astype(dtype))
    elif "shape" in item:
        shape = item["shape"]
        # Of a size that is given: h5py looks for one without end where a shape is odd.
        file.create_dataset(path, shape, item.get("dtype", "f4"), chunks=(1,) * len(shape), compression="gzip")
    else:
        group = file.require_group(path)
        for name, value in item.items():
            group.attrs[name] = np.array(value, "S") if value and isinstance(value, list) else value


class KerasWeights(Target):
    """Keras's weights, `.weights.h5`."""

    suffix = ".weights.h5"

    def __init__(self) -> None:
        self._model = small_model()
        super().__init__({"file": hdf5_tree(bytes(keras_weights.pack(self._model)))})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        return hdf5_bytes(trees["file"])

    def read(self, path: Path) -> None:
        look(path)
        self._model.load_weights(path)


class Legacy(Target):
    """Keras 2's whole models."""

    suffix = ".h5"

    def __init__(self) -> None:
        model = small_model()
        data = legacy_bytes(model, json.dumps(model_config(model)), json.dumps(state.compile_config(model)))
        tree = hdf5_tree(data)
        super().__init__({"file": tree, **{name: json.loads(tree["/"].pop(name))
                                           for name in ("model_config", "training_config")}})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        tree = trees["file"]
        if isinstance(tree, dict) and isinstance(tree.get("/"), dict):
            texts = {name: json.dumps(trees[name]) for name in ("model_config", "training_config")}
            tree = {**tree, "/": {**tree["/"], **texts}}
        return hdf5_bytes(tree)

    def read(self, path: Path) -> None:
        look(path)
        touch(load_model(path).get_weights())


class Keras(Target):
    """Keras 3's whole models."""

    suffix = ".keras"

    def __init__(self, folder: Path) -> None:
        small_model().save(folder / "m.keras")
        found = archive.Archive(memoryview((folder / "m.keras").read_bytes()), "m.keras")
        self._members = {name: bytes(found.read(name, 1 << 20)) for name in found.names}
        config = json.loads(self._members["config.json"])
        training = config.pop("compile_config")
        self._weights = hdf5_tree(self._members["model.weights.h5"])
        super().__init__({"members": dict.fromkeys(self._members, ""), "weights": self._weights, "config": config,
                          "training": training})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        config, weights = trees["config"], trees["weights"]
        if isinstance(config, dict):
            config = {**config, "compile_config": trees["training"]}
        members = {**self._members, "config.json": json.dumps(config).encode()}
        if weights is not self._weights:
            members["model.weights.h5"] = hdf5_bytes(weights)
        return zipped(trees["members"], members)

    def read(self, path: Path) -> None:
        look(path)
        touch(load_model(path).get_weights())


def zipped(names: Json, members: dict[str, bytes]) -> bytes:
    """An archive of members by these names; what is said for a name, is put in place of it."""
    buffer = io.BytesIO()
    with contextlib.suppress(Exception):
        archive.write(buffer, {name: members.get(name, b"") if text == "" else json.dumps(text).encode()
                               for name, text in names.items()})
    return buffer.getvalue()


# PyTorch -------------------------------------------------------------------------------------------------------------


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
        pickle = pickles.state(*items)
        starts = [at for _, _, at in pickletools.genops(pickle)] + [len(pickle)]
        operations = [pickle[a:b].decode(_LATIN) for a, b in itertools.pairwise(starts)]
        super().__init__({"pickle": operations, "members": dict.fromkeys(["m/data.pkl", *self._members], "")})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        pickle = b"".join(map(_operation, trees["pickle"])) if isinstance(trees["pickle"], list) else b""
        return zipped(trees["members"], {**self._members, "m/data.pkl": pickle})

    def read(self, path: Path) -> None:
        read_torch(path)


def _operation(value: Json) -> bytes:
    """An operation as it is, or the one that makes this value."""
    if isinstance(value, str):
        return value.encode(_LATIN) if value.isascii() or max(value) < "\u0100" else pickles.text(value)
    if isinstance(value, bool) or value is None:
        return b"\x88" if value else b"N"
    if isinstance(value, int):
        return pickles.number(value)
    return {dict: b"}", list: b"]"}.get(type(value), b"(")


# ONNX ----------------------------------------------------------------------------------------------------------------

#: The messages in a message, by the number of their field.
_DIMENSION: dict[int, Any] = {}
_TENSOR: dict[int, Any] = {}
_VALUE = {2: {1: {2: {1: _DIMENSION}}}}
_ATTRIBUTE = {5: _TENSOR}
_MODEL = {7: {1: {5: _ATTRIBUTE}, 5: _TENSOR, 11: _VALUE, 12: _VALUE}, 8: {}}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def protobuf_tree(data: bytes, inside: dict[int, Any]) -> list[Json]:
    """A message's fields, each as its number, the kind in which it is stored, and its value."""
    fields, at = [], 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: Json
        if kind == 0:
            value, at = _varint(data, at)
        else:
            size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            part, at = data[at:at + size], at + size
            value = protobuf_tree(part, inside[number]) if number in inside and kind == 2 else part.decode(_LATIN)
        fields.append([number, kind, value])
    return fields


def _number(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def protobuf_bytes(fields: Json) -> bytes:
    """A message of such fields; a value says its kind itself, if it is not the one that is stored."""
    parts = []
    for field in fields if isinstance(fields, list) else ():
        if not isinstance(field, list) or len(field) < 3 or not all(isinstance(n, int) for n in field[:2]):
            continue
        number, kind, value = field[:3]
        if isinstance(value, int):
            parts += [_number((number & 0xffff) << 3 | kind & 7), _number(value)]
        elif isinstance(value, float):
            parts += [_number((number & 0xffff) << 3 | 5), np.float32(value).tobytes()]
        else:
            content = value.encode(_LATIN, "replace") if isinstance(value, str) else protobuf_bytes(value)
            size = _number(len(content)) if kind not in (1, 5) else b""
            parts += [_number((number & 0xffff) << 3 | (kind & 7 or 2)), size, content]
    return b"".join(parts)


class Onnx(Target):
    """ONNX graphs, which are run too."""

    suffix = ".onnx"

    def __init__(self) -> None:
        fastrnn.utils.set_random_seed(0)
        model = fastrnn.Sequential([fastrnn.Input((None,)), Embedding(5, 2),
                                    Bidirectional(LSTM(1, return_sequences=True)), GRU(1), Dense(1)])
        data = onnx_model(model).SerializeToString()
        tree = protobuf_tree(data, _MODEL)
        assert protobuf_bytes(tree) == data
        super().__init__({"model": tree})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        return protobuf_bytes(trees["model"])

    def read(self, path: Path) -> None:
        model = load_onnx(path)
        x = np.array([[1, 2, 0]])
        try:
            model.run([x for _ in model.inputs])
        except ModelFileError:
            raise
        except ValueError as error:     # the file declares another input
            assert ": input " in str(error), error


def in_folder(make: Callable[[Path], Target]) -> Callable[[], Target]:
    """A target that needs a folder to be made."""
    def target() -> Target:
        with tempfile.TemporaryDirectory() as folder:
            return make(Path(folder))
    return target


TARGETS: dict[str, Callable[[], Target]] = {
    ".safetensors": in_folder(Native), ".keras": in_folder(Keras), ".h5": Legacy, ".weights.h5": KerasWeights,
    ".pt": TorchPickle, "torch.safetensors": TorchTensors, ".onnx": Onnx}
