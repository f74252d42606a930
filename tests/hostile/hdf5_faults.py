# SPDX-License-Identifier: Apache-2.0
"""HDF5 files that want to do harm, by themselves and in archives, entered into `FAULTS`."""

from __future__ import annotations

import copy
import io
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import fastrnn
from fastrnn.layers import Dense
from fastrnn.saving.keras import weights as keras_weights
from fastrnn.saving.writing import model_config
from tests.hostile.config_faults import Config, entry
from tests.hostile.faults import fault, good_members, good_model, legacy_bytes, zipped


def hdf5_fault(change: Callable[[h5py.File, str, Path], None]) -> None:
    """Enter a change of a good file: called with it, the path of an array in it, and the folder."""
    for suffix in (".keras", ".h5", ".hdf5", ".weights.h5"):
        def make(path: Path, suffix: str) -> Path:
            model = good_model()
            if suffix in (".keras", ".weights.h5"):
                content, array = bytes(keras_weights.pack(model)), "layers/dense/vars/0"
            else:
                content = legacy_bytes(model, json.dumps(model_config(model)), "null")
                array = "model_weights/out/out/0:0"
            buffer = io.BytesIO(content)
            with h5py.File(buffer, "r+") as file:
                change(file, array, path.parent)
            if suffix != ".keras":
                path.write_bytes(buffer.getvalue())
                return path
            return zipped(path, list({**good_members(), "model.weights.h5": buffer.getvalue()}.items()))
        make.__name__ = change.__name__
        fault(suffix)(make)


def trap(folder: Path) -> str:
    """A pipe that nobody writes to: who opens it, waits until it is killed."""
    path = folder / "trap"
    if not path.exists():
        os.mkfifo(path)
    return str(path)


@hdf5_fault
def external_link(file: h5py.File, array: str, folder: Path) -> None:
    del file[array]
    file[array] = h5py.ExternalLink(trap(folder), "/x")


@hdf5_fault
def external_link_to_a_group(file: h5py.File, array: str, folder: Path) -> None:
    group = array.rsplit("/", 1)[0]
    del file[group]
    file[group] = h5py.ExternalLink(trap(folder), "/x")


@hdf5_fault
def soft_link(file: h5py.File, array: str, folder: Path) -> None:
    file.move(array, "elsewhere")
    file[array] = h5py.SoftLink("/elsewhere")


@hdf5_fault
def soft_link_of_a_circle(file: h5py.File, array: str, folder: Path) -> None:
    del file[array]
    file[array] = h5py.SoftLink(f"/{array}")


@hdf5_fault
def external_array(file: h5py.File, array: str, folder: Path) -> None:
    shape = file[array].shape
    del file[array]
    file.create_dataset(array, shape, "f4", external=[(trap(folder), 0, 4 * int(np.prod(shape)))])


@hdf5_fault
def virtual_array(file: h5py.File, array: str, folder: Path) -> None:
    shape = file[array].shape
    del file[array]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource(trap(folder), "x", shape)
    file.create_virtual_dataset(array, layout)


@hdf5_fault
def chunked_bomb(file: h5py.File, array: str, folder: Path) -> None:
    del file[array]
    file.create_dataset(array, (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")


@hdf5_fault
def chunks(file: h5py.File, array: str, folder: Path) -> None:
    values = file[array][()]
    del file[array]
    file.create_dataset(array, data=values, chunks=values.shape, compression="gzip")


@hdf5_fault
def array_that_was_never_written(file: h5py.File, array: str, folder: Path) -> None:
    """Terabytes of zeros, of which not one is stored."""
    del file[array]
    file.create_dataset(array, (10**6, 10**6), "f4")


@hdf5_fault
def array_of_the_right_shape_never_written(file: h5py.File, array: str, folder: Path) -> None:
    shape = file[array].shape
    del file[array]
    file.create_dataset(array, shape, "f4")


@hdf5_fault
def array_of_many_axes(file: h5py.File, array: str, folder: Path) -> None:
    del file[array]
    file.create_dataset(array, (1,) * 20, "f4", data=np.zeros((1,) * 20, "f4"))


@hdf5_fault
def array_of_records(file: h5py.File, array: str, folder: Path) -> None:
    shape = file[array].shape
    del file[array]
    file.create_dataset(array, shape, np.dtype([("a", "f4"), ("b", "S1000")]))


@hdf5_fault
def array_of_texts(file: h5py.File, array: str, folder: Path) -> None:
    shape = file[array].shape
    del file[array]
    file.create_dataset(array, shape, h5py.string_dtype())


@hdf5_fault
def array_of_references(file: h5py.File, array: str, folder: Path) -> None:
    shape = file[array].shape
    del file[array]
    file.create_dataset(array, shape, h5py.ref_dtype)


@hdf5_fault
def array_without_numbers(file: h5py.File, array: str, folder: Path) -> None:
    del file[array]
    file[array] = h5py.Empty("f4")


@hdf5_fault
def array_of_whole_numbers(file: h5py.File, array: str, folder: Path) -> None:
    values = file[array][()]
    del file[array]
    file[array] = values.astype("i4")


@hdf5_fault
def array_of_another_shape(file: h5py.File, array: str, folder: Path) -> None:
    values = file[array][()]
    del file[array]
    file[array] = values.T.copy()


@hdf5_fault
def group_in_place_of_an_array(file: h5py.File, array: str, folder: Path) -> None:
    del file[array]
    file.create_group(array)


@hdf5_fault
def array_in_place_of_a_group(file: h5py.File, array: str, folder: Path) -> None:
    group = array.rsplit("/", 1)[0]
    del file[group]
    file[group] = np.zeros(3, "f4")


@hdf5_fault
def nothing_there(file: h5py.File, array: str, folder: Path) -> None:
    del file[array]


@hdf5_fault
def a_group_inside_itself(file: h5py.File, array: str, folder: Path) -> None:
    group = array.rsplit("/", 1)[0]
    del file[array]
    file[array] = file[group]


@fault(".weights.h5", ".h5", ".hdf5")
def groups_twice_in_each_other(path: Path, suffix: str) -> Path:
    """Thirty groups, each with two links to the next one: a billion ways through them, and no array."""
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(30):
            group["b"] = group.create_group("a")
            group = group["a"]
    return path


@fault(".keras", ".h5", ".hdf5", ".weights.h5")
def root_that_is_an_array(path: Path, suffix: str) -> Path:
    """The file's first entry, which is to be the root group, leads to an array."""
    model = good_model()
    keras_3 = suffix in (".keras", ".weights.h5")
    data = bytearray(keras_weights.pack(model) if keras_3 else
                     legacy_bytes(model, json.dumps(model_config(model)), "null"))
    with h5py.File(io.BytesIO(data)) as file:
        array = file["layers/dense/vars/0" if keras_3 else "model_weights/out/out/0:0"]
        struct.pack_into("<QI", data, 64, h5py.h5o.get_info(array.id).addr, 0)
    if suffix == ".keras":
        return zipped(path, list({**good_members(), "model.weights.h5": bytes(data)}.items()))
    path.write_bytes(data)
    return path


@fault(".keras", ".h5", ".hdf5")
def arrays_on_top_of_each_other(path: Path, suffix: str) -> Path:
    """Two hundred layers whose weights are the same megabyte."""
    size, count = 512, 200
    model = fastrnn.Sequential([fastrnn.Input((size,)), Dense(size, use_bias=False, name="d0")])
    config = Config(copy.deepcopy(model_config(model)))
    config.layers.extend(entry("Dense", {**config.layers[-1]["config"], "name": f"d{i}"}) for i in range(1, count))
    if suffix == ".keras":
        buffer = io.BytesIO(bytes(keras_weights.pack(model)))
        with h5py.File(buffer, "r+") as file:
            for i in range(1, count):
                file[f"layers/dense_{i}"] = file["layers/dense"]
        return zipped(path, list({**good_members(), "config.json": json.dumps(config).encode(),
                                  "model.weights.h5": buffer.getvalue()}.items()))
    buffer = io.BytesIO(legacy_bytes(model, json.dumps(config), "null"))
    with h5py.File(buffer, "r+") as file:
        group = file["model_weights"]
        group.attrs["layer_names"] = [f"d{i}".encode() for i in range(count)]
        for i in range(1, count):
            group[f"d{i}"] = group["d0"]
    path.write_bytes(buffer.getvalue())
    return path


def _attribute(name: str, value: Any, place: str = "/") -> Callable[[Path, str], Path]:
    def make(path: Path, suffix: str) -> Path:
        model = good_model()
        buffer = io.BytesIO(legacy_bytes(model, json.dumps(model_config(model)), "null"))
        with h5py.File(buffer, "r+") as file:
            file[place].attrs[name] = value
        path.write_bytes(buffer.getvalue())
        return path
    return make


for _name, _make in {
    "configuration_of_numbers": _attribute("model_config", 7),
    "configuration_of_records": _attribute("model_config", np.zeros(3, [("a", "f4")])),
    "layer_names_of_numbers": _attribute("layer_names", np.arange(9), "model_weights"),
    "layer_names_that_lead_out": _attribute("layer_names", [b"../../x"], "model_weights"),
    "layer_names_without_end": _attribute("layer_names", np.full(60_000, b"a"), "model_weights"),
    "layer_names_twice": _attribute("layer_names", [b"out"] * 5, "model_weights"),
    "version_of_no_number": _attribute("keras_version", "a.b"),
}.items():
    _make.__name__ = _name
    fault(".h5", ".hdf5")(_make)
