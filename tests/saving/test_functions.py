# SPDX-License-Identifier: Apache-2.0
"""Graphs with functions of `fastrnn.ops`: in files, in texts and copied; and files that would have them do harm."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import fastrnn
from fastrnn.models import clone_model, model_from_json
from fastrnn.saving import load_model
from tests.saving import function_zoo as zoo


@pytest.mark.parametrize("name", zoo.CASES)
def test_files_and_copies(name, tmp_path):
    xs, model = zoo.inputs(name), zoo.make(fastrnn, name)
    expected = zoo.output(model, xs)
    again = [clone_model(model), model_from_json(model.to_json()), pickle.loads(pickle.dumps(model)),
             copy.deepcopy(model)]
    for suffix in (".safetensors", ".keras", ".h5"):
        model.save(tmp_path / f"m{suffix}")
        again.append(load_model(tmp_path / f"m{suffix}"))
    for one in again:
        np.testing.assert_array_equal(zoo.output(one, xs), expected)
        assert one.to_json() == model.to_json()


def test_a_trained_model_goes_on(tmp_path, rng):
    x = fastrnn.Input((None, 3))
    h = fastrnn.layers.LSTM(4, return_sequences=True)(x)
    y = fastrnn.layers.Dense(1)(fastrnn.ops.mean(h * fastrnn.ops.softmax(h, axis=1), axis=1))
    model = fastrnn.Model(x, y)
    model.compile("adam", "mse")
    data = rng.standard_normal((8, 5, 3)).astype("float32"), rng.standard_normal((8, 1)).astype("float32")
    model.train_on_batch(*data)
    model.save(tmp_path / "m.keras")
    loaded = load_model(tmp_path / "m.keras")
    for _ in range(2):
        assert loaded.train_on_batch(*data) == model.train_on_batch(*data)


def test_options_that_are_arrays(tmp_path):
    x = fastrnn.Input((3,))
    model = fastrnn.Model(x, fastrnn.ops.clip(x, np.array([0.0, 1.0, 2.0], "float32"), x + 1))
    model.save(tmp_path / "m.keras")
    value = np.array([[-1.0, 0.5, 9.0]], "float32")
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras")(value), model(value))


# harm --------------------------------------------------------------------------------------------------------------

def changed(function, change):
    """The text of a model of one call, changed."""
    x = fastrnn.Input((3, 4), name="x")
    config = json.loads(fastrnn.Model(x, function(x)).to_json())
    change(config["config"]["layers"][-1])
    return json.dumps(config)


def softmax(change):
    return changed(fastrnn.ops.softmax, change)


@pytest.mark.parametrize(("text", "said"), [
    (lambda: softmax(lambda layer: layer.update(class_name="System")), "no operation of this name"),
    (lambda: softmax(lambda layer: layer.update(class_name="WhileLoop")), "no operation of this name"),
    (lambda: softmax(lambda layer: layer.update(class_name="VectorizedMap")), "no operation of this name"),
    (lambda: softmax(lambda layer: layer.update(class_name="FunctionCall")), "no operation of this name"),
    (lambda: softmax(lambda layer: layer.update(module="os", class_name="system")), "nothing that a file names"),
    (lambda: softmax(lambda layer: layer["config"].update(function="print")), "unknown option 'function'"),
    (lambda: softmax(lambda layer: layer["config"].update(axis={"a": 1})), "axis: expected None, a number"),
    (lambda: softmax(lambda layer: layer["config"].update(axis="x" * 1000)), "does not take config"),
    (lambda: softmax(lambda layer: layer["config"].update(axis=[[[[[[1]]]]]])), "axis: expected None, a number"),
    (lambda: softmax(lambda layer: layer["config"].update(axis=9)), ""),
    (lambda: softmax(lambda layer: layer["inbound_nodes"][0]["args"].append(3)), "at most 1 operands"),
    (lambda: softmax(lambda layer: layer["inbound_nodes"][0]["kwargs"].update(out=3)), "unexpected keyword"),
    (lambda: softmax(lambda layer: layer["inbound_nodes"][0].update(args=[[1]])), "a call on outputs"),
])
def test_hostile_names_and_arguments(text, said):
    with pytest.raises(fastrnn.saving.ModelFileError, match=said):
        model_from_json(text())


@pytest.mark.parametrize(("function", "options"), [
    (lambda x: fastrnn.ops.broadcast_to(fastrnn.ops.sum(x, axis=0), (2, 3, 4)), {"shape": [1 << 20, 1 << 20, 4]}),
    (lambda x: fastrnn.ops.tile(x, (1, 1, 2)), {"repeats": [1 << 20, 1 << 20, 1]}),
    (lambda x: fastrnn.ops.repeat(x, 2, axis=1), {"repeats": 1 << 40}),
    (lambda x: fastrnn.ops.pad(x, ((0, 0), (1, 1), (1, 1))), {"pad_width": [[0, 0], [1 << 30, 0], [1 << 30, 0]]}),
    (lambda x: fastrnn.ops.one_hot(x, 3), {"num_classes": 1 << 40}),
    (lambda x: fastrnn.ops.multi_hot(x, 3), {"num_classes": 1 << 40}),
    (lambda x: fastrnn.ops.diff(x, n=1), {"n": 1 << 40}),
    (lambda x: fastrnn.ops.diag(x[0, 0]), {"k": 1 << 30}),
    (lambda x: fastrnn.ops.einsum("abc->a", x), {"subscripts": ",".join(["abc"] * 2) + "->a"}),
])
def test_huge_results(function, options):
    with pytest.raises(fastrnn.saving.ModelFileError):
        model_from_json(changed(function, lambda layer: layer["config"].update(options)))


def test_results_that_grow_call_by_call():
    y = fastrnn.Input((4,))
    with pytest.raises(ValueError, match="would take"):
        for _ in range(40):
            y = fastrnn.ops.concatenate([y, y], axis=-1)


def test_huge_inputs():
    text = softmax(lambda layer: None).replace("[null, 3, 4]", f"[null, {1 << 30}, {1 << 30}]")
    with pytest.raises(fastrnn.saving.ModelFileError, match="elements"):
        model_from_json(text)
