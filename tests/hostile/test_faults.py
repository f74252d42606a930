# SPDX-License-Identifier: Apache-2.0
"""Each hostile file is refused with fastrnn's error: nothing runs, nothing else is opened, at little cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import fastrnn
from fastrnn.saving import to_torch
from tests.hostile import (
    archive_faults,
    config_faults,
    functional_faults,
    hdf5_faults,
    legacy_faults,
    pickles,
    tensor_faults,
    torch_faults,
)
from tests.hostile.faults import FAULTS, good_model

#: What enters files into `FAULTS`.
ENTERED = (config_faults, functional_faults, archive_faults, hdf5_faults, tensor_faults, torch_faults, legacy_faults)
#: A second, and beside twice the weights, which are small here, 64 MB.
SECONDS, MEMORY = 1.0, 64 << 20


def ways(name: str) -> list[str]:
    """How a file is loaded, by its suffix."""
    of_torch = (*torch_faults.SUFFIXES, legacy_faults.SUFFIX)
    return {"weights.h5": ["weights"], **{suffix.removeprefix("."): ["torch"] for suffix in of_torch},
            "safetensors": ["load", "torch"]}.get(
        name.rpartition("@")[2].removeprefix("."), ["load"])


#: Each fault, and how its file is loaded; and inspected, which some of them pass: it looks at less.
CASES = [(name, how) for name in FAULTS for how in ways(name)]
INSPECTED = [(name, "inspect") for name in FAULTS]


def probe(files: list[tuple[str, str]], folder: Path) -> list[dict]:
    """What each of the files did, loaded in a process of its own."""
    model = good_model()
    warm = []
    for name, save, how in [("g.safetensors", "save", "load"), ("g.keras", "save", "load"),
                            ("g.weights.h5", "save_weights", "weights"), ("g.h5", "save_weights", "weights")]:
        getattr(model, save)(folder / name)
        warm += [(str(folder / name), how), (str(folder / name), "inspect")]
    warm.append((str(pickles.write(folder / "g.pt", pickles.members(pickles.GOOD))), "torch"))
    (folder / "g.ckpt").write_bytes(pickles.legacy(pickles.GOOD))
    warm.append((str(folder / "g.ckpt"), "torch"))
    root = os.path.dirname(os.path.dirname(fastrnn.__file__))
    run = subprocess.run([sys.executable, str(Path(__file__).with_name("probe.py"))], cwd=folder, text=True,
                         input=json.dumps({"warm": warm, "files": files}), capture_output=True,
                         env={**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"})
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[tuple[str, str], dict]:
    folder = tmp_path_factory.mktemp("hostile")
    paths = {}
    for i, name in enumerate(FAULTS):
        (folder / str(i)).mkdir()
        paths[name] = str(FAULTS[name](folder / str(i)))
    cases = CASES + INSPECTED
    return dict(zip(cases, probe([(paths[name], how) for name, how in cases], folder), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_refused(case, results):
    result = results[case]
    assert result["error"] is not None, "the file was loaded"
    assert result["error"][0] == "ModelFileError", result
    assert len(result["error"][1]) < 2500
    assert f"m{case[0].split('@')[1]}: " in result["error"][1], "the error does not name the file"
    assert_harmless(result)


@pytest.mark.parametrize("case", INSPECTED, ids=lambda case: case[0])
def test_inspected(case, results):
    result = results[case]
    assert result["error"] is None or result["error"][0] == "ModelFileError", result
    assert_harmless(result)


def assert_harmless(result: dict) -> None:
    assert result["events"] == []
    assert result["seconds"] < SECONDS, result
    assert result["memory"] < MEMORY, result


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".pt"])
def test_a_large_good_file(suffix, tmp_path):
    """Loading takes at most twice the weights, and 64 MB."""
    layers = fastrnn.layers
    model = fastrnn.Sequential([fastrnn.Input((None,)), layers.Embedding(100_000, 200), layers.LSTM(16)])
    if suffix == ".pt":
        torch.save(to_torch({"words": model.layers[0], "rnn": model.layers[1]}), tmp_path / "m.pt")
    else:
        model.save(tmp_path / f"m{suffix}")
    [result] = probe([(str(tmp_path / f"m{suffix}"), ways(suffix)[0])], tmp_path)
    assert (result["error"], result["events"]) == (None, [])
    assert result["memory"] < 2 * 4 * model.count_params() + MEMORY
    assert result["seconds"] < SECONDS


def test_a_good_file_does_nothing_else_either(tmp_path):
    """The hook sees what it is there for: what is loaded opens one file."""
    model = good_model()
    for name in ("m.safetensors", "m.keras"):
        model.save(tmp_path / name)
    pickles.write(tmp_path / "m.pt", pickles.members(pickles.GOOD))
    (tmp_path / "m.ckpt").write_bytes(pickles.legacy(pickles.GOOD))
    files = [("m.safetensors", "load"), ("m.keras", "load"), ("m.pt", "torch"), ("m.ckpt", "torch")]
    found = probe([(str(tmp_path / name), how) for name, how in files], tmp_path)
    assert [(result["error"], result["events"]) for result in found] == [(None, [])] * 4, found
