# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs run in this process, with the interface of `onnx.backend.base`, and without onnx.

`prepare`, `run_model`, `run_node`, `supports_device` and `is_compatible` of this module are what onnx's tools expect
of a backend. It lies here and not in `onnx/` because programs import it by this name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.saving.onnx.external import External
from fastrnn.saving.onnx.graph import OPSETS, Graph, Value, read_node
from fastrnn.saving.onnx.model import OnnxModel, load_onnx
from fastrnn.saving.onnx.protobuf import Message


def prepare(model: Any, device: str = "CPU", **kwargs: Any) -> OnnxModel:
    """As `load_onnx`; its `run` gives the outputs."""
    if not supports_device(device):
        raise ValueError(f"expected the device 'CPU', got {device!r}")
    return load_onnx(model)


def run_model(model: Any, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[np.ndarray, ...]:
    """The outputs of a model for inputs, once."""
    return prepare(model, device).run(inputs)


def run_node(node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None,
             **kwargs: Any) -> tuple[np.ndarray, ...]:
    """The outputs of one node, onnx's NodeProto, for its inputs in their order, or by name."""
    if not supports_device(device):
        raise ValueError(f"expected the device 'CPU', got {device!r}")
    opset = kwargs.get("opset_version", OPSETS[-1])
    found = read_node(Message(memoryview(node.SerializeToString()), "NodeProto", "node"), opset, External(None))
    takes = [Value(name, None, None) for name in dict.fromkeys(found.inputs) if name]
    gives = [Value(name, None, None) for name in found.outputs if name]
    return OnnxModel(Graph("NodeProto", opset, [found], {}, takes, gives)).run(inputs)


def supports_device(device: str) -> bool:
    """Whether a device is the processor, which is all there is."""
    return device.split(":")[0] == "CPU"


def is_compatible(model: Any, device: str = "CPU", **kwargs: Any) -> bool:
    """Whether a model can be run."""
    try:
        prepare(model, device)
    except ValueError:
        return False
    return True
