# SPDX-License-Identifier: Apache-2.0
"""Graphs with functions of `ops`, from Keras to fastrnn and back, and from fastrnn to Keras."""

from __future__ import annotations

import importlib
import inspect

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers.core.function_call import FunctionCall
from fastrnn.layers.table import operations
from fastrnn.saving import load_model
from tests.saving import function_zoo as zoo

#: What the classes of Keras are called on that are called on more than fastrnn's.
_MORE = {"Einsum": ["kwargs"]}
_FUNCTIONS = {name: cls for name, cls in operations.objects.items() if issubclass(cls, FunctionCall)}


@pytest.mark.parametrize("name", zoo.CASES)
def test_there_and_back(name, tmp_path):
    xs, theirs = zoo.inputs(name), zoo.make(keras, name)
    expected = zoo.output(theirs, xs)
    theirs.save(tmp_path / "a.keras")
    ours = load_model(tmp_path / "a.keras")
    np.testing.assert_allclose(zoo.output(ours, xs), expected, rtol=2e-4, atol=1e-5)
    ours.save(tmp_path / "b.keras")
    back = keras.saving.load_model(tmp_path / "b.keras")
    np.testing.assert_allclose(zoo.output(back, xs), expected, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("name", zoo.CASES)
def test_ours_in_keras(name, tmp_path):
    xs, ours = zoo.inputs(name), zoo.make(fastrnn, name)
    ours.save(tmp_path / "a.keras")
    theirs = keras.saving.load_model(tmp_path / "a.keras")
    np.testing.assert_allclose(zoo.output(theirs, xs), zoo.output(ours, xs), rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_the_table_is_that_of_keras(name):
    """Each class is where it says, is called on what Keras's is, and takes no options that Keras's does not."""
    cls = _FUNCTIONS[name]
    theirs = getattr(importlib.import_module(cls.keras_module), name)
    parameters = inspect.signature(theirs.call).parameters
    given = [one for one in list(parameters)[1:] if one not in _MORE.get(name, [])]
    assert len(given) == len(cls.operands)
    assert set(cls.options) - set(inspect.signature(theirs.__init__).parameters) <= {
        "initial", "negative_slope", "max_value", "threshold"}
