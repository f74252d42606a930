# SPDX-License-Identifier: Apache-2.0
"""How what users pass as data becomes arrays."""

from __future__ import annotations

import types

import numpy as np
import pytest

from fastrnn.training import data
from tests.test_arrays import DLPackAlone


class Indexed:
    """Batches by index, as a `Sequence` of Keras gives them."""

    def __init__(self):
        self.ended = 0

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.full((3, 1), index), np.full(3, index)

    def on_epoch_end(self):
        self.ended += 1


def test_what_is_a_source():
    sources = [iter([1]), (i for i in [1]), Indexed(), range(3)]
    assert all(map(data.is_source, sources))
    assert not any(map(data.is_source, [np.zeros(3), [1, 2], (1, 2), "text", 1.0, None, np.float32(1), {"inp": 1},
                                        memoryview(b"bytes"), types.MappingProxyType({}), DLPackAlone(np.zeros(3))]))


def test_unpack():
    assert data.unpack((1, 2), "") == (1, 2, None)
    assert data.unpack([1, 2, 3], "") == (1, 2, 3)
    assert data.unpack((1,), "") == data.unpack(1, "") == (1, None, None)
    with pytest.raises(ValueError, match=r"validation_data: expected \(x, y\) or \(x, y, sample_weight\), got 4 items"):
        data.unpack((1, 2, 3, 4), "validation_data")


@pytest.mark.parametrize("y", [[0, 2, 1, 2], [[0], [2], [1], [2]], [0.0, 2.0, 1.0, 2.0], np.eye(3)[[0, 2, 1, 2]]])
def test_class_weights(y):
    weights = data.class_weights({0: 0.5, 2: 4}, np.asarray(y), "float32", "class_weight")
    assert weights.dtype == np.float32
    assert weights.tolist() == [0.5, 4, 1, 4]


@pytest.mark.parametrize("given", [{"0": 1}, {0: None}, {0: "a"}, {0: [1, 2]}, {0: np.nan}, {0.5: 1}], ids=str)
def test_class_weights_that_are_none(given):
    with pytest.raises(ValueError, match="class_weight: expected a finite number for each class index, got"):
        data.class_weights(given, np.zeros(3, "int32"), "float32", "class_weight")


def test_class_weights_refuse():
    with pytest.raises(TypeError, match="class_weight: expected a dictionary"):
        data.class_weights([1, 2], np.zeros(3), "float32", "class_weight")
    for y in (np.zeros((3, 2, 4)), [[1, 1, 0]], [[0, 0, 0]], [[0.9, 0.1]], [[0, 2, 1, 0]], [[2, -1]], [0.5, 1],
              [np.nan], np.zeros((3, 0))):
        with pytest.raises(ValueError, match="class_weight: expected targets with one class a sample.*sample_weight"):
            data.class_weights({}, np.asarray(y), "float32", "class_weight")
    with pytest.raises(ValueError, match=r"got time steps of shape \(2, 2\); pass sample_weight"):
        data.class_weights({}, np.eye(2), "float32", "class_weight", per_step=True)


def test_weights_of_samples_and_of_time_steps():
    assert data.as_weights([1, 2], 2, "float32", "w").tolist() == [1, 2]
    assert data.as_weights([[1], [2]], 2, "float32", "w").shape == (2,)
    assert data.as_weights(np.ones((2, 3)), 2, "float64", "w").dtype == np.float64
    for shape, found in (((2, 3, 1), (2, 3)), ((2, 1, 1), (2,)), ((1, 1, 1), (1,))):
        assert data.as_weights(np.ones(shape), shape[0], "float32", "w").shape == found
    for bad in (np.ones(3), np.ones((2, 3, 2)), np.ones((2, 1, 3)), np.float32(1), np.array(["a", "b"])):
        with pytest.raises(ValueError, match="w:"):
            data.as_weights(bad, 2, "float32", "w")


def test_targets_that_are_indices():
    for y in ([1, 2], np.array([1.0, 2.0], "float16"), np.array([1, 2], ">i2"), np.array([1, 2], "uint8")):
        found = data.as_targets(y, True, "float32", "y")
        assert found.dtype == np.intp and found.tolist() == [1, 2]
    assert data.as_targets([0.5, 1.0], True, "float32", "y").tolist() == [0.5, 1.0]  # refused by the loss
    assert data.as_targets([True, False], False, "float32", "y").dtype == np.float32
    for bad in (["a"], np.array([1], object)):
        with pytest.raises(ValueError, match="y:"):
            data.as_targets(bad, True, "float32", "y")


def test_a_list_of_one_array_is_that_array():
    x = np.zeros((4, 3))
    assert data.single_array([x]) is x and data.single_array((x,)) is x
    assert data.single_array([[1, 2]]) == [[1, 2]]


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, None])
def test_counts(value):
    with pytest.raises((TypeError, ValueError), match="batch_size: expected"):
        data.check_count(value, "batch_size")
    assert data.check_count(np.int64(3), "batch_size") == 3


def test_a_list_of_one_array_of_weights_is_that_array():
    weight = np.ones(3)
    assert data.single_weight([weight], 3) is weight and data.single_weight(weight, 3) is weight
    assert data.single_weight([2.0], 1) == [2.0] and data.single_weight([[1, 2]], 1) == [[1, 2]]


@pytest.mark.parametrize("samples", [6, None])
def test_whole_arrays_of_pieces(samples):
    whole = data.Whole(samples)
    for i in range(3):
        whole.add([np.full((2, 1), i), np.full((2, 3), -i)])
    first, second = whole.arrays()
    assert first.ravel().tolist() == [0, 0, 1, 1, 2, 2] and second[:, 2].tolist() == [0, 0, -1, -1, -2, -2]


def test_one_piece_is_not_copied():
    whole, piece = data.Whole(2), np.zeros((2, 1))
    whole.add([piece])
    assert whole.arrays()[0] is piece


def test_no_piece_came():
    assert data.Whole(None).arrays() is None
