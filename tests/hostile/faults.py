# SPDX-License-Identifier: Apache-2.0
"""Files that want to do harm: one for each class of fault that loaders of models have had, in each format that it could
come in. `FAULTS` has them by name; each makes its file in a folder and gives its path."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from fastrnn.layers import LSTM, Bidirectional, Dense, Embedding, TimeDistributed
from fastrnn.saving import archive, locations, state
from fastrnn.saving.keras import hdf5
from fastrnn.saving.keras import weights as keras_weights
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
        arrays = {place.native: place.variable.data for place in locations.places(model)}
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


def tensors(header: Json, body: bytes = bytes(64), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


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
