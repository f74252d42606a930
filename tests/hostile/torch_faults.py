# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files that want to do harm as archives, entered into `FAULTS`."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import torch

from tests.hostile.faults import fault, good_model, tensors
from tests.hostile.pickle_faults import PICKLES, SUFFIXES
from tests.hostile.pickles import (
    GOOD,
    members,
    state,
    storage,
    tensor,
    text,
    write,
)


@fault(*SUFFIXES)
def a_storage_many_times(path: Path, suffix: str) -> Path:
    """A thousand weights that share sixteen megabytes."""
    size = 4 << 20
    one = tensor(storage(count=size), shape=(2048, 2048), strides=(2048, 1))
    pkl = state(*(part for i in range(1000) for part in (text(f"e{i}.weight"), one)))
    return write(path, members(pkl, **{"0": bytes(4 * size)}))


@fault(*SUFFIXES)
def zip_bomb_of_a_storage(path: Path, suffix: str) -> Path:
    """Half a gigabyte of zeros in half a megabyte."""
    size = 1 << 27
    pkl = state(text("e.weight"), tensor(storage(count=size), shape=(1 << 14, 1 << 13), strides=(1 << 13, 1)))
    return write(path, members(pkl, **{"0": bytes(4 * size)}), zipfile.ZIP_DEFLATED)


@fault(*SUFFIXES)
def zip_bomb_of_the_pickle(path: Path, suffix: str) -> Path:
    return write(path, members(GOOD[:-1] + b"N" * (1 << 28)), zipfile.ZIP_DEFLATED)


@fault(*SUFFIXES)
def zip_bomb_of_the_byte_order(path: Path, suffix: str) -> Path:
    return write(path, {**members(GOOD), "m/byteorder": b"little" + b" " * (1 << 28)}, zipfile.ZIP_DEFLATED)


@fault(*SUFFIXES)
def another_byte_order(path: Path, suffix: str) -> Path:
    return write(path, {**members(GOOD), "m/byteorder": b"middle"})


@fault(*SUFFIXES)
def member_that_leads_out(path: Path, suffix: str) -> Path:
    return write(path, {**members(GOOD), "m/../../../tmp/pwned": b"x"})


@fault(*SUFFIXES)
def absolute_member(path: Path, suffix: str) -> Path:
    return write(path, {**members(GOOD), "/tmp/pwned": b"x"})


@fault(*SUFFIXES)
def folders_that_lead_out(path: Path, suffix: str) -> Path:
    return write(path, {f"../{name}": content for name, content in members(GOOD).items()})


@fault(*SUFFIXES)
def two_pickles(path: Path, suffix: str) -> Path:
    return write(path, {**members(GOOD), "other/data.pkl": GOOD})


@fault(*SUFFIXES)
def the_pickle_twice(path: Path, suffix: str) -> Path:
    with zipfile.ZipFile(write(path, members(GOOD)), "a") as file:
        file.writestr("m/data.pkl", PICKLES["system"])
    return path


@fault(*SUFFIXES)
def no_pickle(path: Path, suffix: str) -> Path:
    return write(path, {name: content for name, content in members(GOOD).items() if not name.endswith("pkl")})


@fault(*SUFFIXES)
def a_program(path: Path, suffix: str) -> Path:
    """TorchScript."""
    return write(path, {**members(GOOD), "m/constants.pkl": b"\x80\x02).", "m/code/m.py": b"import os"})


def _patched(path: Path, name: str, offset: int, form: str, value: int) -> Path:
    """A number of a member's entry in the archive's directory set to another value."""
    data = bytearray(write(path, members(GOOD)).read_bytes())
    at = data.index(name.encode(), data.index(b"PK\1\2")) - 46
    struct.pack_into(form, data, at + offset, value)
    path.write_bytes(data)
    return path


@fault(*SUFFIXES)
def storage_of_a_declared_terabyte(path: Path, suffix: str) -> Path:
    return _patched(path, "m/data/0", 24, "<I", 0xFFFFFFF0)


@fault(*SUFFIXES)
def storage_at_another_member(path: Path, suffix: str) -> Path:
    return _patched(path, "m/data/0", 42, "<I", 0)


@fault(*SUFFIXES)
def storage_beyond_the_end(path: Path, suffix: str) -> Path:
    return _patched(path, "m/data/0", 42, "<I", 0x7FFFFFFF)


@fault(*SUFFIXES)
def storage_with_another_checksum(path: Path, suffix: str) -> Path:
    return _patched(path, "m/data/0", 16, "<I", 7)


@fault(*SUFFIXES)
def encrypted(path: Path, suffix: str) -> Path:
    return _patched(path, "m/data/0", 8, "<H", 1)


@fault(*SUFFIXES)
def a_whole_module(path: Path, suffix: str) -> Path:
    torch.save(torch.nn.LSTM(2, 2), path)
    return path


@fault(*SUFFIXES)
def a_pickle_alone(path: Path, suffix: str) -> Path:
    path.write_bytes(PICKLES["system"])
    return path


@fault(*SUFFIXES)
def a_good_file_behind_other_bytes(path: Path, suffix: str) -> Path:
    """As a file that is two formats at once: what is read must be what a check has seen."""
    buffer = io.BytesIO()
    torch.save({"e.weight": torch.ones(2, 2)}, buffer)
    path.write_bytes(PICKLES["system"] + buffer.getvalue())
    return path


@fault(*SUFFIXES)
def more_members_than_allowed(path: Path, suffix: str) -> Path:
    return write(path, {**members(GOOD), **{f"m/data/{i}": b"" for i in range(1, 10_001)}})


@fault(*SUFFIXES)
def a_keras_file_under_this_suffix(path: Path, suffix: str) -> Path:
    """What one reader refuses, handed to another one by its name."""
    good_model().save(path.with_name("other.keras"))
    return path.with_name("other.keras").rename(path)


@fault(*SUFFIXES)
def tensors_that_overlap_under_this_suffix(path: Path, suffix: str) -> Path:
    """What another reader would refuse is refused here, too: the file is taken for what its bytes say."""
    entry = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    path.write_bytes(tensors({"e.weight": entry, "f.weight": entry}, bytes(16)))
    return path


@fault(".keras", ".h5", ".hdf5", ".safetensors", ".weights.h5")
def a_program_as_pickle_under_this_suffix(path: Path, suffix: str) -> Path:
    return write(path, members(PICKLES["system"]))


@fault(".keras", ".h5", ".hdf5", ".safetensors", ".weights.h5")
def a_program_as_pickle_alone_under_this_suffix(path: Path, suffix: str) -> Path:
    path.write_bytes(PICKLES["system"])
    return path
