# SPDX-License-Identifier: Apache-2.0
"""HDF5 files to be fuzzed, and Keras's archives, which have one inside."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fastrnn.saving import archive, load_model, state
from fastrnn.saving.keras import weights as keras_weights
from fastrnn.saving.writing import model_config
from tests.hostile.faults import legacy_bytes
from tests.hostile.target import Json, Target, look, small_model, touch, zipped


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

    def __init__(self, make: Callable[[], Any] = small_model) -> None:
        self._model = make()
        super().__init__({"file": hdf5_tree(bytes(keras_weights.pack(self._model)))})

    def assemble(self, trees: dict[str, Json]) -> bytes:
        return hdf5_bytes(trees["file"])

    def read(self, path: Path) -> None:
        look(path)
        self._model.load_weights(path)


class Legacy(Target):
    """Keras 2's whole models."""

    suffix = ".h5"

    def __init__(self, make: Callable[[], Any] = small_model) -> None:
        model = make()
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

    def __init__(self, folder: Path, make: Callable[[], Any] = small_model) -> None:
        make().save(folder / "m.keras")
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
