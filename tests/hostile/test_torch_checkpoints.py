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


def deep(modules: int) -> bytes:
    """Four thousand weights, each in so many modules."""
    return b"}(" + pickles.text("w") + pickles.tensor() + b"q\0" + b"".join(
        pickles.text(f"{'a.' * modules}{i}.w") + b"h\0" for i in range(4000)) + b"u"


#: Refused with the key, and without.
REFUSED = {
    "system_as_the_state_dict": pickles.state(pickles.text("model"), pickles.symbol("os.system") + COMMAND + b"R"),
    "system_in_the_state_dict": pickles.state(
        pickles.text("model"), b"}(" + pickles.text("e.weight") + pickles.symbol("os.system") + COMMAND + b"Ru"),
    "system_of_protocol_0": beside(pickles.text("x"), b"(" + pickles.text("touch pwned") + b"ios\nsystem\n"),
    "system_by_obj": beside(pickles.text("x"), b"(" + pickles.symbol("os.system") + pickles.text("touch pwned") + b"o"),
    "an_extension": beside(pickles.text("x"), b"\x82\1"),
    "a_text_applied": beside(pickles.text("x"), pickles.text("os.system") + COMMAND + b"R"),
    "objects_without_end": beside(pickles.text("x"), b"](" + pickles.symbol("a.B") + b")\x81" * 200_000 + b"e"),
    "sets_without_end": beside(pickles.text("x"), b"(" + b"\x8f" * 200_000 + b"\x91"),
    "bytes_beyond_the_end": beside(pickles.text("x"), b"\x8e" + b"\xff" * 7 + b"\x7f"),
    "a_number_beyond_the_end": beside(pickles.text("x"), b"\x8b\xff\xff\xff\x7f"),
    "a_number_of_less_than_nothing": beside(pickles.text("x"), b"\x8b\0\0\0\x80"),
    "a_text_beyond_the_end": beside(pickles.text("x"), b"\x8d" + b"\xff" * 8),
    "storage_of_an_object_beyond_its_member": beside(
        pickles.text("x"), pickles.symbol("a.B") + pickles.group(pickles.storage(count=10**12)) + b"R"),
    "tensor_of_an_optimizer_beyond_its_storage": beside(
        pickles.text("optimizer"), b"}(" + pickles.text("m") + pickles.tensor(offset=1) + b"u"),
    "shape_bomb_of_an_optimizer": beside(
        pickles.text("optimizer"), pickles.tensor(shape=(10**6, 10**6), strides=(0, 0))),
    "values_without_end": beside(pickles.text("log"), b"]" + b"]a" * 1_000_000),
    "key_twice": beside(pickles.text("model"), STATE),
    "key_of_the_state_dict_that_is_a_tuple": pickles.state(b")", STATE),
    "tuple_as_a_key_in_the_state_dict": pickles.state(pickles.text("model"), b"}(" + b")" + pickles.tensor() + b"u"),
    "state_dict_with_a_path": pickles.state(
        pickles.text("model"), b"}(" + pickles.text("../../e.weight") + pickles.tensor() + b"u"),
    "state_dict_with_a_cursor": pickles.state(
        pickles.text("model"), b"}(" + pickles.text("\x1b[2Je.weight") + pickles.tensor() + b"u"),
    "state_dict_of_deep_modules": pickles.state(pickles.text("model"), deep(120)),
    "state_dict_of_as_deep_modules_as_allowed": pickles.state(pickles.text("model"), deep(30)),
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
    "system": beside(pickles.text("optimizer"), pickles.symbol("os.system") + COMMAND + b"R"),
    "system_behind": pickles.state(pickles.text("model"), STATE, pickles.text("x"),
                                   pickles.symbol("os.system") + COMMAND + b"R"),
    "system_as_a_key": beside(pickles.symbol("os.system") + COMMAND + b"R", pickles.number(1)),
    "system_by_attributes": beside(
        pickles.text("x"), pickles.symbol("os.system") + b")\x81}" + pickles.text("__setstate__") + b"K\1sb"),
    "a_name_alone": beside(pickles.text("loss"), pickles.symbol("builtins.print")),
    "a_module_that_is_not_loaded": beside(pickles.text("x"), pickles.symbol("antigravity.geohash") + b")R"),
    "numpy_scalar": beside(pickles.text("best"), pickles.symbol("numpy.core.multiarray.scalar") + b")R"),
    "namespace": beside(pickles.text("args"), pickles.symbol("argparse.Namespace") + b")\x81}b"),
    "items_of_an_object": beside(pickles.text("x"), pickles.symbol("a.B") + b")R(K\1K\2u(K\1e(K\1\x90"),
    "object_of_an_object": beside(pickles.text("x"), pickles.symbol("a.B") + b")R)R)\x81)}\x92"),
    "key_that_is_a_tuple": beside(b")", STATE),
    "hooks_of_a_tensor": beside(pickles.text("x"), pickles.tensor(hooks=b"}" + pickles.text("x") + b"K\1s")),
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
