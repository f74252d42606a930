# SPDX-License-Identifier: Apache-2.0
"""Files that want to do harm: one for each class of fault that loaders of models have had, in each format that it could
come in. `FAULTS` has them by name; each makes its file in a folder and gives its path."""

from __future__ import annotations

import base64
import copy
import io
import json
import marshal
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import fastrnn
from fastrnn.layers import LSTM, Bidirectional, Dense, Embedding, TimeDistributed
from fastrnn.saving import archive, hdf5, keras_weights, layouts, state
from fastrnn.saving.writing import model_config

Json = Any
WHOLE = (".safetensors", ".keras", ".h5", ".hdf5")
#: By "fault@suffix".
FAULTS: dict[str, Callable[[Path], Path]] = {}


def good_model() -> fastrnn.Sequential:
    """A model with each kind of place that a configuration can have."""
    fastrnn.utils.set_random_seed(0)
    model = fastrnn.Sequential([
        fastrnn.Input((None,)), Embedding(7, 4, name="words"),
        Bidirectional(LSTM(3, return_sequences=True), name="both"),
        TimeDistributed(Dense(2), name="steps"), LSTM(2, name="top"), Dense(1, name="out")], name="good")
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)
    return model


def write(path: Path, config: Json, training: Json, model: fastrnn.Sequential | None = None) -> Path:
    """A whole model of this configuration, with the good model's weights, in the format of the path's suffix."""
    model = model or good_model()
    optimizer = state.optimizer_arrays(model)
    suffix = path.suffix
    config, training = (text if isinstance(text, str) else json.dumps(text) for text in (config, training))
    if suffix == ".safetensors":
        arrays = {place.native: v.data for place, v in zip(layouts.places(model.layers), model.weights, strict=True)}
        arrays |= {f"optimizer/vars/{i}": array for i, array in enumerate(optimizer)}
        path.write_bytes(native_bytes(arrays, {"config": config, "compile_config": training, "random": "{}"}))
    elif suffix == ".keras":
        text = f'{config[:-1]}, "compile_config": {training}}}' if config.startswith('{"module"') else config
        with path.open("wb") as file:
            archive.write(file, {"metadata.json": b'{"keras_version": "3.8.0"}', "config.json": text.encode(),
                                 "model.weights.h5": keras_weights.pack(model, optimizer)})
    else:
        path.write_bytes(legacy_bytes(model, config, training))
    return path


def native_bytes(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """As `safetensors.write`, without its bounds."""
    header, body = {"__metadata__": metadata}, b""
    for name, array in arrays.items():
        dtype = {"f4": "F32", "f8": "F64", "i4": "I32", "i8": "I64"}[array.dtype.str[1:]]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [len(body), len(body) + array.nbytes]}
        body += array.tobytes()
    return tensors(header, body)


def legacy_bytes(model: fastrnn.Sequential, config: str, training: str) -> bytes:
    arrays: dict[str, np.ndarray] = {}
    texts: dict[str, Any] = {"": {"model_config": config, "training_config": training, "keras_version": "2.15.0"},
                             "model_weights": {"layer_names": [layer.name for layer in model.layers]}}
    for layer in model.layers:
        names = [f"{layer.name}/{i}:0" for i in range(len(layer.weights))]
        texts[f"model_weights/{layer.name}"] = {"weight_names": names}
        arrays |= {f"model_weights/{layer.name}/{name}": v.data for name, v in zip(names, layer.weights, strict=True)}
    return bytes(hdf5.write(arrays, texts))


def fault(*suffixes: str) -> Callable[[Callable[[Path, str], Path]], Any]:
    """Enter a function that makes a file, for each of these suffixes."""
    def enter(make: Callable[[Path, str], Path]) -> Callable[[Path, str], Path]:
        for suffix in suffixes:
            FAULTS[f"{make.__name__}@{suffix}"] = lambda folder, s=suffix: make(folder / f"m{s}", s)
        return make
    return enter


# configurations -----------------------------------------------------------------------------------------------------

BYTECODE = base64.b64encode(marshal.dumps(compile("__import__('os').system('touch pwned')", "x", "eval"))).decode()
UNSAFE = {"module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization",
          "registered_name": "enable_unsafe_deserialization"}


def entry(name: str, config: Json, module: str | None = "keras.layers", registered: str | None = None) -> Json:
    return {"module": module, "class_name": name, "config": config, "registered_name": registered}


def deep(levels: int, leaf: Json) -> Json:
    for _ in range(levels):
        leaf = entry("TimeDistributed", {"name": "deep", "layer": leaf})
    return leaf


class Config(dict):
    """The good configuration; `layers` are its layers."""

    @property
    def layers(self) -> list[Json]:
        return self["config"]["layers"]

    def set(self, index: int, key: str, value: Json) -> Config:
        self.layers[index]["config"][key] = value
        return self

    def put(self, layer: Json) -> Config:
        self.layers.insert(2, layer)
        return self


def _all(key: str, value: Json) -> Callable[[Config], Json]:
    return lambda c: c.set(4, key, value)


#: What to do to the good configuration: what is left is a fault.
CONFIGS: dict[str, Callable[[Config], Json]] = {
    "class_of_another_module": lambda c: c.put(entry("system", {"command": "touch pwned"}, "os")),
    "known_class_of_another_module": lambda c: c.put(entry("Dense", {"units": 2}, "antigravity")),
    "registered_class": lambda c: c.put(entry("Dense", {"units": 2}, None, "antigravity>Dense")),
    "class_path": lambda c: c.put(entry("antigravity.Dense", {"units": 2})),
    "builtin": lambda c: c.put(entry("eval", {"source": "1"}, "builtins")),
    "lambda_of_keras_3": lambda c: c.put(entry("Lambda", {"name": "l", "function": {
        "class_name": "__lambda__", "config": {"code": BYTECODE, "defaults": None, "closure": None}}})),
    "lambda_of_keras_2": lambda c: c.put(entry("Lambda", {"name": "l", "function": [BYTECODE, None, None],
                                                          "function_type": "lambda", "module": "os"})),
    "lambda_inside_a_wrapper": lambda c: c.put(entry("TimeDistributed", {"name": "t", "layer": entry("Lambda", {
        "function": [BYTECODE, None, None]})})),
    "lambda_as_activation": _all("activation", {"class_name": "__lambda__", "config": {"code": BYTECODE}}),
    "lambda_as_initializer": _all("kernel_initializer", entry("Lambda", {"function": BYTECODE}, None)),
    "unsafe_switch_as_layer": lambda c: c.put(UNSAFE),
    "unsafe_switch_as_initializer": _all("kernel_initializer", UNSAFE),
    "unsafe_switch_as_activation": _all("activation", UNSAFE),
    "unsafe_switch_as_name": _all("activation", "enable_unsafe_deserialization"),
    "function_by_name": _all("activation", {"module": "os", "class_name": "function", "config": "system",
                                            "registered_name": "system"}),
    "function_of_builtins": _all("kernel_regularizer", {"module": "builtins", "class_name": "function",
                                                        "config": "print", "registered_name": "function"}),
    "partial": _all("bias_constraint", entry("partial", {"func": "os.system"}, "functools")),
    "type_spec": _all("kernel_initializer", {"class_name": "__typespec__", "config": {"spec_name": "x"}}),
    "bytes_of_numpy": _all("kernel_initializer", entry("Constant", {"value": {
        "class_name": "__numpy__", "config": {"value": [0], "dtype": "U900000000"}}}, "keras.initializers")),
    "objects_of_numpy": _all("kernel_initializer", entry("Constant", {"value": {
        "class_name": "__numpy__", "config": {"value": [0], "dtype": "O"}}}, "keras.initializers")),
    "url_as_value": _all("kernel_initializer", "http://localhost:9/x"),
    "path_as_value": _all("kernel_initializer", "/etc/passwd"),
    "vocabulary_of_a_path": lambda c: c.put(entry("TextVectorization", {"vocabulary": "/etc/passwd"})),
    "weights_in_the_configuration": lambda c: c.set(1, "weights", [[0.0]]),
    "layer_name_that_leads_out": lambda c: c.set(4, "name", "../../../tmp/x"),
    "layer_name_that_is_absolute": lambda c: c.set(4, "name", "/etc/passwd"),
    "layer_name_of_nul": lambda c: c.set(4, "name", "a\0b"),
    "layer_name_of_escapes": lambda c: c.set(4, "name", "\x1b[2J"),
    "layer_name_without_end": lambda c: c.set(4, "name", "a" * 300_000),
    "layer_name_of_another_type": lambda c: c.set(4, "name", {"a": 1}),
    "units_bomb": _all("units", 10**9),
    "units_beyond_64_bits": _all("units", 10**30),
    "units_of_four_thousand_digits": _all("units", 10**4000),
    "negative_units": _all("units", -2),
    "units_of_another_type": _all("units", [2]),
    "embedding_bomb": lambda c: c.set(1, "input_dim", 10**12),
    "input_shape_bomb": lambda c: c["config"].update(build_input_shape=[10**9] * 7) or c,
    "input_shape_of_texts": lambda c: c["config"].update(build_input_shape=["a", "b"]) or c,
    "input_bomb": lambda c: c.set(0, "batch_shape", [None, 10**15, 10**15]),
    "layers_without_end": lambda c: c.layers.extend(c.layers[5:] * 12_000) or c,
    "deep_wrappers": lambda c: c.put(deep(100, entry("Dense", {"units": 2}))),
    "deep_wrappers_within_the_limit": lambda c: c.put(deep(9, entry("Dense", {"units": 2}))),
    "very_deep": lambda c: "[" * 200_000 + "]" * 200_000,
    "very_deep_dictionaries": lambda c: '{"a":' * 200_000 + "1" + "}" * 200_000,
    "a_layer_inside_itself": lambda c: c.put({**entry("TimeDistributed", {"name": "t", "layer": {
        "class_name": "TimeDistributed", "config": {"layer": {"shared_object_id": 7}}}}), "shared_object_id": 7}),
    "shared_object": lambda c: c.put({"shared_object_id": 1}),
    "functional_cycle": lambda c: {**c, "class_name": "Functional", "config": {"name": "f", "layers": [
        {**entry("Dense", {"units": 2, "name": "a"}), "name": "a", "inbound_nodes": [[["a", 0, 0, {}]]]}],
        "input_layers": [["a", 0, 0]], "output_layers": [["a", 0, 0]]}},
    "subclass": lambda c: {**c, "module": "antigravity", "class_name": "Sequential"},
    "no_layers": lambda c: {**c, "config": {"name": "x"}},
    "layers_of_another_type": lambda c: {**c, "config": {"name": "x", "layers": [1, 2]}},
    "a_list": lambda c: [1, 2, 3],
    "a_number": lambda c: 7,
    "no_json": lambda c: "{'a': 1}",
    "a_key_twice": lambda c: json.dumps(c).replace('"class_name"', '"class_name": "Dense", "class_name"', 1),
    "text_without_end": lambda c: {**c, "x": "a" * 5_000_000},
    "state_that_a_stack_has_no_place_for": _all("return_state", True),
    "types_mixed_up": lambda c: c.set(2, "layer", [1]),
    "wrapper_of_a_wrapper": lambda c: c.set(2, "layer", copy.deepcopy(c.layers[2])),
    "half_floats": _all("dtype", "float16"),
    "structured_dtype": _all("dtype", "f4,f4,(1000000,1000000)f8"),
    "safe_mode_off": lambda c: {**c.put(entry("Lambda", {"function": [BYTECODE, None, None]})), "safe_mode": False},
}
TRAININGS: dict[str, Callable[[Json], Json]] = {
    "optimizer_of_another_module": lambda t: {**t, "optimizer": entry("Adam", {}, "antigravity")},
    "optimizer_that_is_none": lambda t: {**t, "optimizer": entry("system", {"command": "touch pwned"}, None)},
    "loss_lambda": lambda t: {**t, "loss": {"class_name": "__lambda__", "config": {"code": BYTECODE}}},
    "loss_by_path": lambda t: {**t, "loss": "os.system"},
    "metric_bomb": lambda t: {**t, "metrics": [entry("AUC", {"num_thresholds": 10**9}, "keras.metrics")]},
    "metric_of_another_module": lambda t: {**t, "metrics": [entry("AUC", {}, "antigravity")]},
    "unsafe_switch_as_metric": lambda t: {**t, "metrics": [UNSAFE]},
    "learning_rate_of_another_type": lambda t: {**t, "optimizer": entry("Adam", {"learning_rate": entry(
        "system", {}, "os")}, "keras.optimizers")},
    "training_of_another_type": lambda t: [1],
}


def _enter_configs() -> None:
    for name, change in CONFIGS.items():
        def make(path: Path, suffix: str, change: Callable[[Config], Json] = change) -> Path:
            model = good_model()
            return write(path, change(Config(copy.deepcopy(model_config(model)))), state.compile_config(model), model)
        make.__name__ = name
        fault(*WHOLE)(make)
    for name, change in TRAININGS.items():
        def make_training(path: Path, suffix: str, change: Callable[[Json], Json] = change) -> Path:
            model = good_model()
            return write(path, model_config(model), change(state.compile_config(model)), model)
        make_training.__name__ = name
        fault(*WHOLE)(make_training)


_enter_configs()


@fault(".keras", ".h5", ".hdf5", ".safetensors", ".weights.h5")
def another_format_under_this_suffix(path: Path, suffix: str) -> Path:
    """What one reader refuses, handed to another one by its name."""
    other = ".h5" if suffix in (".keras", ".safetensors") else ".keras"
    config = CONFIGS["lambda_of_keras_2"](Config(model_config(good_model())))
    write(path.with_name(f"other{other}"), config, None).rename(path)
    return path


# archives -----------------------------------------------------------------------------------------------------------


def good_members() -> dict[str, bytes]:
    model = good_model()
    config = json.dumps({**model_config(model), "compile_config": state.compile_config(model)}).encode()
    return {"metadata.json": b'{"keras_version": "3.8.0"}', "config.json": config,
            "model.weights.h5": bytes(keras_weights.pack(model, state.optimizer_arrays(model)))}


def zipped(path: Path, members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name), content, method)
    return path


def patched(path: Path, pattern: bytes, offset: int, content: bytes, last: bool = True) -> Path:
    """Bytes put at an offset from a signature of the archive."""
    data = bytearray(path.read_bytes())
    at = (data.rindex(pattern) if last else data.index(pattern)) + offset
    data[at:at + len(content)] = content
    path.write_bytes(data)
    return path


@fault(".keras")
def zip_bomb_of_weights(path: Path, suffix: str) -> Path:
    """Half a gigabyte of zeros in half a megabyte."""
    return zipped(path, list({**good_members(), "model.weights.h5": bytes(1 << 29)}.items()), zipfile.ZIP_DEFLATED)


@fault(".keras")
def zip_bomb_of_configuration(path: Path, suffix: str) -> Path:
    return zipped(path, list({**good_members(), "config.json": b" " * (1 << 28)}.items()), zipfile.ZIP_DEFLATED)


@fault(".keras")
def zip_bomb_that_lies(path: Path, suffix: str) -> Path:
    """A member that declares a hundred bytes and unfolds to a quarter of a gigabyte."""
    members = good_members()
    members = {"metadata.json": members["metadata.json"], "config.json": b" " * (1 << 28)}
    zipped(path, list(members.items()), zipfile.ZIP_DEFLATED)
    return patched(path, b"PK\x01\x02", 24, struct.pack("<I", 100))


@fault(".keras")
def member_that_leads_out(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), ("../../pwned", b"x")])


@fault(".keras")
def member_that_is_absolute(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), ("/tmp/pwned", b"x")])


@fault(".keras")
def member_of_another_system(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), ("..\\pwned", b"x"), ("c:\\pwned", b"x")])


@fault(".keras")
def member_twice(path: Path, suffix: str) -> Path:
    members = good_members()
    return zipped(path, [*members.items(), ("config.json", members["config.json"])])


@fault(".keras")
def member_that_is_a_link(path: Path, suffix: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in good_members().items():
            info = zipfile.ZipInfo(name)
            if name == "config.json":
                info.external_attr, content = 0o120777 << 16, b"/etc/passwd"
            file.writestr(info, content)
    return path


@fault(".keras")
def members_without_end(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), *((f"{i}", b"") for i in range(20_000))])


@fault(".keras")
def member_name_without_end(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), ("a" * 60_000, b"")])


@fault(".keras")
def encrypted_member(path: Path, suffix: str) -> Path:
    return patched(zipped(path, list(good_members().items())), b"PK\x01\x02", 8, b"\x01\x00")


@fault(".keras")
def unknown_compression(path: Path, suffix: str) -> Path:
    return zipped(path, list(good_members().items()), zipfile.ZIP_LZMA)


@fault(".keras")
def member_beyond_the_end(path: Path, suffix: str) -> Path:
    return patched(zipped(path, list(good_members().items())), b"PK\x01\x02", 42, struct.pack("<I", 1 << 30))


@fault(".keras")
def members_on_top_of_each_other(path: Path, suffix: str) -> Path:
    """The directory says that the weights begin where the configuration does."""
    zipped(path, list(good_members().items()))
    return patched(path, b"PK\x01\x02", 42, struct.pack("<I", 0))


@fault(".keras")
def checksum(path: Path, suffix: str) -> Path:
    zipped(path, list(good_members().items()))
    return patched(path, b"PK\x01\x02", 16, b"\0\0\0\0")


@fault(".keras")
def missing_weights(path: Path, suffix: str) -> Path:
    return zipped(path, list(good_members().items())[:2])


@fault(".keras")
def weights_in_pickles(path: Path, suffix: str) -> Path:
    return zipped(path, [*list(good_members().items())[:2], ("model.weights.npz", b"x")])


@fault(".keras")
def version_of_the_future(path: Path, suffix: str) -> Path:
    return zipped(path, list({**good_members(), "metadata.json": b'{"keras_version": "4.0"}'}.items()))


@fault(".keras")
def metadata_of_nothing(path: Path, suffix: str) -> Path:
    return zipped(path, list({**good_members(), "metadata.json": b"null"}.items()))


@fault(".keras")
def metadata_that_is_a_list(path: Path, suffix: str) -> Path:
    return zipped(path, list({**good_members(), "metadata.json": b"[]"}.items()))


# HDF5 ---------------------------------------------------------------------------------------------------------------


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


# safetensors --------------------------------------------------------------------------------------------------------


def tensors(header: Json, body: bytes = bytes(64), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def _tensor(dtype: Json = "F32", shape: Json = (16,), offsets: Json = (0, 64)) -> Json:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


SAFETENSORS: dict[str, Callable[[], bytes]] = {
    "header_of_100_mb": lambda: tensors(b"{" + b" " * 100_000_000 + b"}"),
    "header_beyond_the_end": lambda: tensors({}, length=1 << 20),
    "header_of_2_to_the_63": lambda: tensors({}, length=1 << 63),
    "header_of_2_to_the_64": lambda: tensors({}, length=(1 << 64) - 1),
    "header_of_nothing": lambda: tensors(b""),
    "header_that_is_no_text": lambda: tensors(b"\xff\xfe{}"),
    "header_that_is_a_list": lambda: tensors([1, 2]),
    "header_that_is_deep": lambda: tensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "header_of_many_arrays": lambda: tensors({str(i): _tensor(shape=[0], offsets=[0, 0]) for i in range(30_000)}),
    "overlapping_offsets": lambda: tensors({"a": _tensor(), "b": _tensor(shape=[8], offsets=[32, 64])}),
    "the_same_offsets": lambda: tensors({"a": _tensor(), "b": _tensor()}),
    "a_hole": lambda: tensors({"a": _tensor(shape=[8], offsets=[0, 32]), "b": _tensor(shape=[4], offsets=[48, 64])}),
    "bytes_behind": lambda: tensors({"a": _tensor(shape=[8], offsets=[0, 32])}),
    "offsets_beyond_the_end": lambda: tensors({"a": _tensor(shape=[1 << 40], offsets=[0, 1 << 42])}),
    "offsets_backwards": lambda: tensors({"a": _tensor(offsets=[64, 0])}),
    "negative_offsets": lambda: tensors({"a": _tensor(offsets=[-64, 0])}),
    "offsets_of_fractions": lambda: tensors({"a": _tensor(offsets=[0.0, 64.0])}),
    "offsets_of_booleans": lambda: tensors({"a": _tensor(shape=[], offsets=[False, True])}),
    "offsets_beyond_64_bits": lambda: tensors({"a": _tensor(shape=[1 << 70], offsets=[0, 1 << 72])}),
    "size_lie": lambda: tensors({"a": _tensor(shape=[1 << 30])}),
    "shape_that_overflows": lambda: tensors({"a": _tensor(shape=[1 << 32, 1 << 32, 16])}),
    "negative_shape": lambda: tensors({"a": _tensor(shape=[-4, -4])}),
    "shape_of_many_axes": lambda: tensors({"a": _tensor(shape=[1] * 100 + [16])}),
    "shape_of_texts": lambda: tensors({"a": _tensor(shape=["16"])}),
    "unknown_dtype": lambda: tensors({"a": _tensor(dtype="O")}),
    "dtype_of_a_list": lambda: tensors({"a": _tensor(dtype=["F32"])}),
    "more_keys": lambda: tensors({"a": {**_tensor(), "path": "/etc/passwd"}}),
    "name_that_leads_out": lambda: tensors({"../../x": _tensor()}),
    "name_without_end": lambda: tensors({"a" * 100_000: _tensor()}),
    "name_twice": lambda: tensors(b'{"a":{"dtype":"F32","shape":[16],"data_offsets":[0,64]},"a":'
                                  b'{"dtype":"F32","shape":[16],"data_offsets":[0,64]}}'),
    "metadata_of_numbers": lambda: tensors({"__metadata__": {"config": 1}, "a": _tensor()}),
    "no_model": lambda: tensors({"a": _tensor()}),
    "seven_bytes": lambda: bytes(7),
}
for _name, _content in SAFETENSORS.items():
    def _make_tensors(path: Path, suffix: str, content: Callable[[], bytes] = _content) -> Path:
        path.write_bytes(content())
        return path
    _make_tensors.__name__ = _name
    fault(".safetensors")(_make_tensors)


def _arrays(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[Path, str], Path]:
    def make(path: Path, suffix: str) -> Path:
        model = good_model()
        arrays = {place.native: v.data for place, v in zip(layouts.places(model.layers), model.weights, strict=True)}
        arrays |= {f"optimizer/vars/{i}": array for i, array in enumerate(state.optimizer_arrays(model))}
        change(arrays)
        path.write_bytes(native_bytes(arrays, {"config": json.dumps(model_config(model)),
                                               "compile_config": json.dumps(state.compile_config(model))}))
        return path
    return make


for _name, _change in {
    "array_left_out": lambda a: a.pop("dense/kernel"),
    "array_too_many": lambda a: a.update(extra=np.zeros(3, "f4")),
    "array_in_other_numbers": lambda a: a.update({"dense/kernel": a["dense/kernel"].astype("f8")}),
    "array_in_whole_numbers": lambda a: a.update({"dense/kernel": a["dense/kernel"].astype("i4")}),
    "optimizer_array_left_out": lambda a: a.pop("optimizer/vars/9"),
    "optimizer_array_of_another_shape": lambda a: a.update({"optimizer/vars/9": np.zeros((5, 5), "f4")}),
    "iterations_below_zero": lambda a: a.update({"optimizer/vars/0": np.int64(-1).reshape(())}),
    "iterations_of_an_array": lambda a: a.update({"optimizer/vars/0": np.zeros(9, "i8")}),
}.items():
    _make_arrays = _arrays(_change)
    _make_arrays.__name__ = _name
    fault(".safetensors")(_make_arrays)
