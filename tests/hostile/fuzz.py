# SPDX-License-Identifier: Apache-2.0
"""Fuzz the readers: `python -m tests.hostile.fuzz FORMAT RUNS`.

Good files are changed in their structure (values of the configuration and of the header) and in their bytes, and read.
A model, or fastrnn's error; anything else is a fault. The input of a run that ended the process lies in
`last-FORMAT` of the corpus, in which what was found is kept, and tried first the next time.
"""

from __future__ import annotations

import copy
import io
import json
import mmap
import resource
import struct
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from fastrnn.saving import ModelFileError, archive, state
from fastrnn.saving.reading import READERS, build
from fastrnn.saving.writing import model_config
from tests.hostile import faults

CORPUS = Path(__file__).with_name("corpus")

#: Values that have been faults somewhere.
ODD = [None, True, -1, 0, 1, 2**31, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, "", "a", "Lambda", "os.system", "../../x",
       "/etc/passwd", "\0", "relu", "hard_sigmoid", "float64", "GRU", "Dense", "O", [], {}, [[]], [None, None, 4],
       {"class_name": "Dense", "config": {"units": 2}}, {"class_name": "__lambda__", "config": {"code": "x"}}]
_number = st.integers(0, 2**32)
_odd = st.one_of(st.sampled_from(ODD), st.integers(-10, 10), st.text(max_size=5))
#: Where in a tree of values (taken modulo its size), what to do there, and the value to do it with.
_tree_edits = st.lists(st.tuples(_number, st.sampled_from(["set", "delete", "copy", "key"]), _odd), max_size=3)
#: Where in the bytes, what to do there, and the byte to do it with.
_byte_edits = st.lists(st.tuples(_number, st.sampled_from(["set", "flip", "cut", "insert", "number"]),
                                 st.integers(0, 255)), max_size=4)


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree: its dictionary or list, and the key."""
    found, rest = [], [value]
    while rest:
        outer = rest.pop()
        keys = list(outer) if isinstance(outer, dict) else list(range(len(outer)))
        found += [(outer, key) for key in keys]
        rest += [outer[key] for key in keys if isinstance(outer[key], (dict, list))]
    return found


def edit_tree(tree: Any, edits: list[tuple[int, str, Any]]) -> Any:
    """A copy of the tree, changed."""
    tree = json.loads(json.dumps(tree))
    for where, what, value in edits:
        places = nodes(tree)
        if not places:
            break
        outer, key = places[where % len(places)]
        if what == "delete":
            del outer[key]
        elif what == "copy":
            other, name = places[where // 7 % len(places)]
            outer[key] = copy.deepcopy(other[name])
        elif what == "key" and isinstance(outer, dict):
            outer[str(value)] = outer.pop(key)
        else:
            outer[key] = copy.deepcopy(value)
    return tree


def edit_bytes(data: bytes, edits: list[tuple[int, str, int]]) -> bytes:
    """The bytes, changed."""
    changed = bytearray(data)
    for where, what, value in edits:
        # Every other place in the first and the last two thousand bytes, where the structure is.
        size = len(changed)
        if not size:
            break
        at = [where % size, where % min(size, 2000), size - 1 - where % min(size, 2000)][where // 7 % 3]
        if what == "set":
            changed[at] = value
        elif what == "flip":
            changed[at] ^= 1 << value % 8
        elif what == "cut":
            del changed[at:at + value % 64 if value % 2 else size]
        elif what == "insert":
            changed[at:at] = bytes([value]) * (value % 16)
        else:
            number = struct.pack("<Q", [0, 1, 2**16, 2**31, 2**32 - 1, 2**48, 2**63, 2**64 - 1][value % 8])
            changed[at:at + 8] = number[:len(changed[at:at + 8])]
    return bytes(changed)


class Target:
    """A format, and the making of a changed file of it."""

    def __init__(self, suffix: str) -> None:
        model = faults.good_model()
        self.suffix = suffix
        self.config = json.loads(json.dumps(model_config(model)))
        self.training = json.loads(json.dumps(state.compile_config(model)))
        self._path = Path(tempfile.mkdtemp()) / f"m{suffix}"
        self._good = self._write(self.config, self.training)
        self._model = model

    def _write(self, config: Any, training: Any) -> bytes:
        return faults.write(self._path, config, training).read_bytes()

    def make(self, config: list, training: list, header: list, edits: list) -> bytes:
        """A file with these changes."""
        data = self._good
        if self.suffix in (".safetensors", ".keras") and (config or training or header):
            data = self._reassembled(edit_tree(self.config, config), edit_tree(self.training, training), header)
        elif config or training:
            text, new = (json.dumps(t).encode() for t in (self.config, edit_tree(self.config, config)))
            # A configuration in HDF5 keeps its length, so that it can be put in place of the old one.
            data = data.replace(text, new.ljust(len(text))) if len(new) <= len(text) else data
        return edit_bytes(data, edits)

    def _reassembled(self, config: Any, training: Any, edits: list) -> bytes:
        if self.suffix == ".keras":
            members = {**self._members, "config.json": json.dumps({**config, "compile_config": training}
                                                                  if isinstance(config, dict) else config).encode()}
            buffer = io.BytesIO()
            archive.write(buffer, members)
            return buffer.getvalue()
        (length,) = struct.unpack("<Q", self._good[:8])
        header = json.loads(self._good[8:8 + length])
        header["__metadata__"] |= {"config": json.dumps(config), "compile_config": json.dumps(training)}
        return faults.tensors(edit_tree(header, edits), self._good[8 + length:])

    @property
    def _members(self) -> dict[str, bytes]:
        if not hasattr(self, "_kept"):
            self._kept = faults.good_members()
        return self._kept


def run(suffix: str, runs: int, seed: int = 0) -> None:
    """Read `runs` changed files of a format."""
    target, read = Target(suffix), READERS[suffix]
    CORPUS.mkdir(exist_ok=True)
    last_path = CORPUS / f"last-{suffix[1:]}"
    size = 1 << 20
    with last_path.open("w+b") as file:
        file.truncate(size)
        last = mmap.mmap(file.fileno(), size)
    outcomes = {"model": 0, "error": 0}
    slowest = 0.0

    # An example is up to five files: each kind of change by itself, and all of them.
    @hypothesis.seed(seed)
    @settings(max_examples=max(1, runs // 3), deadline=None, suppress_health_check=list(HealthCheck), derandomize=False,
              phases=[Phase.reuse, Phase.generate, Phase.shrink],
              database=DirectoryBasedExampleDatabase(CORPUS / suffix[1:]))
    @given(_tree_edits, _tree_edits, _tree_edits, _byte_edits)
    def attempt(config: list, training: list, header: list, edits: list) -> None:
        for changes in ((config, [], [], []), ([], training, [], []), ([], [], header, []), ([], [], [], edits),
                        (config, training, header, edits)):
            data = target.make(*changes) if any(changes) else b""
            if data:
                one(data)

    def one(data: bytes) -> None:
        nonlocal slowest
        last[:8 + min(len(data), size - 8)] = struct.pack("<Q", len(data)) + data[:size - 8]
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            build(read(memoryview(bytearray(data)), "fuzz"))
            outcomes["model"] += 1
        except ModelFileError as error:
            assert str(error).startswith("fuzz: ")
            outcomes["error"] += 1
        slowest = max(slowest, time.perf_counter() - start)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 64 << 10, f"took {grown >> 10} MB"

    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    warnings.simplefilter("ignore")
    attempt()
    last.close()
    last_path.unlink()
    print(f"{suffix}: {sum(outcomes.values())} files, {outcomes['model']} models, {outcomes['error']} refused, slowest "
          f"{slowest * 1e3:.0f} ms, at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
