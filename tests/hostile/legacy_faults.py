# SPDX-License-Identifier: Apache-2.0
"""Files as PyTorch wrote them before version 1.6, that want to do harm, entered into `FAULTS`."""

from __future__ import annotations

import pickle
import struct
import tarfile
from pathlib import Path

import torch

from tests.hostile.faults import fault
from tests.hostile.pickle_faults import BOMB, COMMAND, PICKLES, SUFFIXES
from tests.hostile.pickles import GOOD, HEAD, group, legacy, number, state, storage, symbol, tensor, text

#: One of many that such files have.
SUFFIX = ".ckpt"
MAGIC, VERSION, MACHINE = HEAD


def _numbers(count: int, content: bytes) -> bytes:
    return struct.pack("<q", count) + content


FILES: dict[str, bytes] = {
    # the three pickles in front
    "magic_number_alone": MAGIC,
    "magic_number_that_goes_on": MAGIC[:-1] + symbol("os.system") + COMMAND + b"R.",
    "no_version": MAGIC + b".",
    "system_as_version": MAGIC + b"\x80\x02" + symbol("os.system") + COMMAND + b"R." + MACHINE + GOOD,
    "system_as_machine": MAGIC + VERSION + b"\x80\x02" + symbol("os.system") + COMMAND + b"R." + GOOD,
    "tensor_as_machine": MAGIC + VERSION + b"\x80\x02" + tensor() + b"." + GOOD,
    "memo_bomb_as_version": MAGIC + b"\x80\x02" + BOMB + b"." + MACHINE + GOOD,
    "memo_bomb_as_machine": MAGIC + VERSION + b"\x80\x02" + BOMB + b"." + GOOD,
    "big_endian": legacy(GOOD, machine=pickle.dumps({"little_endian": False}, 2)),
    "version_of_the_future": MAGIC + pickle.dumps(2002, 2) + MACHINE + GOOD,
    "version_without_end": MAGIC + b"\x80\x02" + b"N" * 3_000_000,
    # the keys
    "no_keys": legacy(GOOD, keys=b""),
    "keys_of_system": legacy(GOOD, keys=b"\x80\x02" + symbol("os.system") + COMMAND + b"R."),
    "keys_that_are_a_dict": legacy(GOOD, keys=pickle.dumps({"0": 1}, 2)),
    "keys_that_are_numbers": legacy(GOOD, keys=pickle.dumps([0], 2)),
    "keys_that_are_lists": legacy(GOOD, keys=pickle.dumps([["0"]], 2)),
    "keys_that_are_a_bomb": legacy(GOOD, keys=b"\x80\x02]" + BOMB + b"a."),
    "a_key_twice": legacy(GOOD, keys=pickle.dumps(["0", "0"], 2)),
    "a_key_too_many": legacy(GOOD, keys=pickle.dumps(["0", "1"], 2)),
    "another_key": legacy(GOOD, keys=pickle.dumps(["../0"], 2)),
    "keys_without_end": legacy(GOOD, keys=pickle.dumps([str(i) for i in range(300_000)], 2)),
    # the storages
    "no_storage": legacy(GOOD, storages=b""),
    "half_a_count": legacy(GOOD, storages=b"\4\0\0"),
    "a_count_that_lies": legacy(GOOD, storages=_numbers(3, bytes(16))),
    "a_count_of_a_terabyte": legacy(GOOD, storages=_numbers(1 << 38, bytes(16))),
    "a_count_below_zero": legacy(GOOD, storages=_numbers(-4, bytes(16))),
    "a_count_that_overflows": legacy(GOOD, storages=_numbers((1 << 62) + 4, bytes(16))),
    "storage_that_is_cut_off": legacy(GOOD, storages=_numbers(4, bytes(15))),
    "storage_with_more_behind": legacy(GOOD, storages=_numbers(4, bytes(16)) + b"cos\nsystem\n"),
    "storage_of_a_declared_terabyte": legacy(
        state(text("e.weight"), tensor(storage(count=1 << 38), shape=(1 << 19, 1 << 19), strides=(1 << 19, 1))),
        storages=_numbers(1 << 38, bytes(16))),
    "storage_of_no_elements_without_end": legacy(
        state(text("e.weight"), tensor(storage(count=0), shape=(1 << 20, 0), strides=(0, 0))),
        storages=_numbers(0, b"")),
    "storage_of_two_types": legacy(
        state(text("a"), tensor(), text("b"), tensor(storage("torch.IntStorage"), shape=(2, 2)))),
    "storage_that_is_a_part_of_another": legacy(state(text("e.weight"), tensor(group(
        text("storage"), symbol("torch.FloatStorage"), text("0"), text("cpu"), number(4),
        group(text("1"), number(1 << 40), number(4))) + b"Q"))),
    "a_module_with_its_source": legacy(state(text("e.weight"), group(
        text("module"), symbol("os.system"), text("x.py"), text("import os; os.system('touch pwned')")) + b"Q")),
    "too_many_storages": legacy(state(*(part for i in range(10_500) for part in (
        text(f"e{i}"), tensor(storage(key=text(str(i)), count=1), shape=(1, 1)))))),
    "a_storage_many_times": legacy(state(*(part for i in range(1000) for part in (
        text(f"e{i}.weight"), tensor(storage(count=1 << 22), shape=(2048, 2048), strides=(2048, 1))))),
        storages=_numbers(1 << 22, bytes(1 << 24))),
}


def _enter(name: str, data: bytes) -> None:
    def make(path: Path, suffix: str) -> Path:
        path.write_bytes(data)
        return path
    make.__name__ = f"{name}_before_1_6"
    fault(SUFFIX)(make)


for _name, _data in FILES.items():
    _enter(_name, _data)
for _name, _pkl in PICKLES.items():     # what the pickle can have is the same
    _enter(_name, legacy(_pkl))


@fault(*SUFFIXES)
def a_whole_module_before_1_6(path: Path, suffix: str) -> Path:
    torch.save(torch.nn.LSTM(2, 2), path, _use_new_zipfile_serialization=False)
    return path


@fault(*SUFFIXES)
def tar_of_version_0_1(path: Path, suffix: str) -> Path:
    (path.parent / "pickle").write_bytes(PICKLES["system"])
    with tarfile.open(path, "w") as file:
        file.add(path.parent / "pickle", "../../pickle")
    return path
