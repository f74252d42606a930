# SPDX-License-Identifier: Apache-2.0
"""Files of safetensors that want to do harm, entered into `FAULTS`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fastrnn.saving import locations, state
from fastrnn.saving.writing import model_config
from tests.hostile.faults import Json, fault, good_model, native_bytes, tensors


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
        arrays = {place.native: place.variable.data for place in locations.places(model)}
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
