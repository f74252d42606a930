# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that want to do harm: what lies beside the state dict is held to the same bounds and the same tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastrnn
from tests.hostile import pickles
from tests.hostile.pickle_faults import BOMB, COMMAND
from tests.hostile.test_faults import assert_harmless

STATE = b"}(" + pickles.text("e.weight") + pickles.tensor() + b"u"
#: 4,900 tensors of one storage in one dictionary.
LARGE = (b"}(" + pickles.text("w0") + pickles.tensor() + b"q\0"
         + b"".join(pickles.text(f"w{i}") + b"h\0" for i in range(1, 4900)) + b"u")


def beside(*items: bytes) -> bytes:
    """A checkpoint with a good state dict under "model", and these names and values."""
    return pickles.state(*items, pickles.text("model"), STATE)


#: Refused with the key, and without.
REFUSED = {
    "system": beside(pickles.text("optimizer"), pickles.symbol("os.system") + COMMAND + b"R"),
    "system_behind": pickles.state(pickles.text("model"), STATE, pickles.text("x"),
                                  pickles.symbol("os.system") + COMMAND + b"R"),
    "a_name_alone": beside(pickles.text("loss"), pickles.symbol("builtins.print")),
    "numpy_scalar": beside(pickles.text("best"), pickles.symbol("numpy.core.multiarray.scalar")),
    "namespace": beside(pickles.text("args"), pickles.symbol("argparse.Namespace") + b")\x81"),
    "tensor_of_an_optimizer_beyond_its_storage": beside(
        pickles.text("optimizer"), b"}(" + pickles.text("m") + pickles.tensor(offset=1) + b"u"),
    "shape_bomb_of_an_optimizer": beside(
        pickles.text("optimizer"), pickles.tensor(shape=(10**6, 10**6), strides=(0, 0))),
    "values_without_end": beside(pickles.text("log"), b"]" + b"]a" * 1_000_000),
    "key_twice": beside(pickles.text("model"), STATE),
    "key_that_is_a_tuple": beside(b")", STATE),
    "state_dict_with_a_path": pickles.state(
        pickles.text("model"), b"}(" + pickles.text("../../e.weight") + pickles.tensor() + b"u"),
    "state_dict_with_a_cursor": pickles.state(
        pickles.text("model"), b"}(" + pickles.text("\x1b[2Je.weight") + pickles.tensor() + b"u"),
    "state_dict_inside_itself": b"\x80\x02}q\0" + pickles.text("model") + b"h\0s.",
    "memo_bomb_as_a_state_dict": pickles.state(pickles.text("model"), BOMB),
    "memo_bomb_in_a_state_dict": pickles.state(
        pickles.text("model"), b"}(" + pickles.text("e.weight") + BOMB + b"u"),
    "a_storage_as_a_state_dict": pickles.state(pickles.text("model"), pickles.storage()),
    "one_large_dictionary_under_many_keys": b"\x80\x02}(" + pickles.text("a") + LARGE + b"q\1u" + b"".join(
        b"(" + b"".join(pickles.text(f"k{i}") + b"h\1" for i in range(k, k + 2000)) + b"u"
        for k in range(0, 30_000, 2000)) + b".",
    "keys_without_end": b"\x80\x02}" + b"".join(
        b"(" + b"".join(pickles.text(f"{i}" * 8) + STATE for i in range(k, k + 1000)) + b"u"
        for k in range(0, 5000, 1000)) + b".",
}
#: Good with the key alone.
GOOD = {
    "plain": beside(pickles.text("epoch"), pickles.number(3)),
    "memo_bomb": beside(pickles.text("x"), BOMB),
    "itself_inside": b"\x80\x02}q\0(" + pickles.text("x") + b"h\0" + pickles.text("model") + STATE + b"u.",
    "keys_that_move_the_cursor": beside(pickles.text("\x1b[2J\n" * 99), STATE),
}

CODE = """
import json, sys, time
sys.path.append(sys.argv[1])
import numpy as np, fastrnn
from tests.hostile import probe
from fastrnn.saving import from_torch, inspect
probe.load = lambda path, how: inspect(path) if how == "inspect" else from_torch(path, key=json.loads(how))
probe.main()
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[tuple[str, str], dict]:
    """What each file did, loaded by its key, without, and inspected, in a process of its own."""
    folder = tmp_path_factory.mktemp("checkpoints")
    cases = []
    for name, pkl in {**REFUSED, **GOOD}.items():
        pickles.write(folder / f"{name}.pt", pickles.members(pkl))
        cases += [(name, how) for how in ('"model"', "null", "inspect")]
    files = [(str(folder / f"{name}.pt"), how) for name, how in cases]
    warm = [(str(folder / "plain.pt"), '"model"'), (str(folder / "plain.pt"), "inspect")]
    package, tests = Path(fastrnn.__file__).parents[1], Path(__file__).parents[2]  # two folders for an installed wheel
    ran = subprocess.run([sys.executable, "-c", CODE, str(tests)], cwd=folder, text=True, capture_output=True,
                         input=json.dumps({"warm": warm, "files": files}),
                         env={**os.environ, "PYTHONPATH": str(package), "OPENBLAS_NUM_THREADS": "1"})
    assert ran.returncode == 0, ran.stderr
    return dict(zip(cases, map(json.loads, ran.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("how", ['"model"', "null"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, how, results):
    result = results[name, how]
    kind, text = result["error"]
    assert kind == "ModelFileError", result
    assert f"{name}.pt: " in text and len(text) < 2500 and text.isprintable()
    assert_harmless(result)


@pytest.mark.parametrize("name", REFUSED | GOOD)
def test_inspected(name, results):
    result = results[name, "inspect"]
    assert result["error"] is None or result["error"][0] == "ModelFileError", result
    assert_harmless(result)


@pytest.mark.parametrize("name", GOOD)
def test_taken_by_the_key_alone(name, results):
    """Nothing but the state dict is made anything of."""
    assert results[name, '"model"']["error"] is None, results[name, '"model"']
    kind, text = results[name, "null"]["error"]
    assert kind == "ModelFileError" and "key='model'" in text and text.isprintable()
    for how in ('"model"', "null"):
        assert_harmless(results[name, how])
