# SPDX-License-Identifier: Apache-2.0
"""The formats to be fuzzed, by name."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastrnn.saving import load_model
from tests.hostile.faults import tensors
from tests.hostile.hdf5_targets import Keras, KerasWeights, Legacy
from tests.hostile.onnx_target import Onnx, OnnxExternal
from tests.hostile.target import Json, Target, look, small_graph, small_model, touch
from tests.hostile.torch_targets import TorchLegacy, TorchPickle, TorchTensors


def _split(data: bytes) -> tuple[Json, bytes]:
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8:8 + length]), data[8 + length:]


class Native(Target):
    """fastrnn's own format."""

    suffix = ".safetensors"

    def __init__(self, folder: Path, make: Callable[[], Any] = small_model) -> None:
        make().save(folder / "m.safetensors")
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


def in_folder(make: Callable[..., Target], *args: Any) -> Callable[[], Target]:
    """A target that needs a folder to be made."""
    def target() -> Target:
        with tempfile.TemporaryDirectory() as folder:
            return make(Path(folder), *args)
    return target


TARGETS: dict[str, Callable[[], Target]] = {
    "graph.safetensors": in_folder(Native, small_graph), "graph.keras": in_folder(Keras, small_graph),
    "graph.h5": lambda: Legacy(small_graph), "graph.weights.h5": lambda: KerasWeights(small_graph),
    ".safetensors": in_folder(Native), ".keras": in_folder(Keras), ".h5": Legacy, ".weights.h5": KerasWeights,
    ".pt": TorchPickle, "legacy.pt": TorchLegacy, "torch.safetensors": TorchTensors, ".onnx": Onnx,
    "external.onnx": OnnxExternal}
