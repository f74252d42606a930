# SPDX-License-Identifier: Apache-2.0
"""Good files cut off, or with one byte changed, at two hundred places each: an error, or a whole model."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

import fastrnn
from fastrnn.saving import ModelFileError, load_model, state
from fastrnn.saving.writing import model_config
from tests.hostile.faults import good_model, legacy_bytes
from tests.saving import zoo

PLACES = 200
NAMES = ("m.safetensors", "m.keras", "m.h5", "m.hdf5", "m.weights.h5", "w.h5", "w.safetensors")


def good_file(folder: Path, name: str, model: fastrnn.Sequential) -> bytes:
    if name in ("m.h5", "m.hdf5"):
        return legacy_bytes(model, json.dumps(model_config(model)), json.dumps(state.compile_config(model)))
    (model.save if name in ("m.safetensors", "m.keras") else model.save_weights)(folder / name)
    return (folder / name).read_bytes()


def loaded(path: Path) -> list[np.ndarray] | None:
    """The weights in the file, or None for fastrnn's error; after an error in `load_weights` the old ones are there."""
    try:
        if path.name.startswith("m.") and path.name != "m.weights.h5":
            return load_model(path).get_weights()
        other = good_model()
        before = [w + 1 for w in other.get_weights()]
        other.set_weights(before)
        try:
            other.load_weights(path)
        except ModelFileError:
            zoo.same_bits(before, other.get_weights())
            raise
        return other.get_weights()
    except ModelFileError:
        return None


def in_a_child(work) -> list:
    """What `work` yields, in a process of its own, so that a crash is a failure of this test and not the end of all."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "wb") as file:
            for result in work():
                pickle.dump(result, file)
                file.flush()
        os._exit(0)
    os.close(writer)
    results = []
    with os.fdopen(reader, "rb") as file:
        while True:
            try:
                results.append(pickle.load(file))
            except EOFError:
                break
    status = os.waitpid(child, 0)[1]
    assert status == 0, f"the process ended with status {status} after {len(results)} places"
    return results


@pytest.mark.parametrize("name", NAMES)
def test_cut_off(name, tmp_path):
    data = good_file(tmp_path, name, good_model())
    lengths = sorted({int(n) for n in np.linspace(0, len(data) - 1, PLACES)})

    def work():
        for length in lengths:
            (tmp_path / name).write_bytes(data[:length])
            yield loaded(tmp_path / name)

    results = in_a_child(work)
    assert len(results) == len(lengths)
    # What Keras's HDF5 has behind its last array is padding, if anything.
    wrong = [length for length, weights in zip(lengths, results, strict=True) if weights is not None]
    assert name.endswith(("h5", "hdf5")) or not wrong
    for weights in results:
        if weights is not None:
            zoo.same_bits(weights, good_model().get_weights())


@pytest.mark.parametrize("name", NAMES)
def test_one_byte_changed(name, tmp_path):
    """Where the format has a checksum, an error or the same bits; else at most the number that the byte belongs to."""
    model = good_model()
    data = good_file(tmp_path, name, model)
    rng = np.random.default_rng(0)
    # As many places in the structure at the file's begin as in all of it.
    places = [*rng.integers(0, len(data), PLACES // 2), *rng.integers(0, min(len(data), 6000), PLACES // 2)]

    def work():
        for place in places:
            broken = bytearray(data)
            broken[place] ^= 1 << int(place % 8)
            (tmp_path / name).write_bytes(broken)
            yield loaded(tmp_path / name)

    results = in_a_child(work)
    assert len(results) == len(places)
    assert sum(weights is None for weights in results) > 10
    for place, weights in zip(places, results, strict=True):
        if weights is not None:
            original = model.get_weights()
            assert [w.shape for w in weights] == [w.shape for w in original]
            changed = sum(int((a.view("u4") != b.view("u4")).sum()) for a, b in zip(weights, original, strict=True))
            assert changed <= (0 if name.endswith(".keras") else 1), f"byte {place}"
