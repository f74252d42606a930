# SPDX-License-Identifier: Apache-2.0
"""Lambda: its arguments, its mask, and lambdas in files."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import Embedding, Input, Lambda


def test_arguments_and_training():
    layer = Lambda(lambda x, factor, training=None: x * factor + (1 if training else 0), arguments={"factor": 3})
    np.testing.assert_array_equal(layer(np.ones((1, 2))), [[3, 3]])
    np.testing.assert_array_equal(layer(np.ones((1, 2)), training=True), [[4, 4]])


def test_mask():
    x = Input((None,), dtype="int32")
    table = Embedding(5, 2, mask_zero=True)(x)
    assert not Lambda(lambda t: t + 0)(table).masked
    assert Lambda(lambda t: t + 0, mask=lambda inputs, mask: mask)(table).masked


def test_a_lambda_is_saved_as_keras_has_it_and_its_code_never_run(tmp_path):
    x = Input((3,))
    model = fastrnn.Model(x, Lambda(lambda t: t * 2 + 1, name="twice")(x))
    path = tmp_path / "model.keras"
    model.save(path)
    inputs = np.arange(6, dtype="float32").reshape(2, 3)
    theirs = keras.models.load_model(path, safe_mode=False)
    np.testing.assert_allclose(theirs.predict(inputs, verbose=0), inputs * 2 + 1)
    with pytest.raises(ValueError, match="Lambda 'twice' holds a program, which is never run; pass its function by "
                                         "custom_objects, as 'twice'"):
        fastrnn.saving.load_model(path)
    again = fastrnn.saving.load_model(path, custom_objects={"twice": lambda t: t * 2 + 1})
    np.testing.assert_allclose(again.predict(inputs, verbose=0), inputs * 2 + 1)


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="expected a function, got 3"):
        Lambda(3)
