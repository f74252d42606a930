# SPDX-License-Identifier: Apache-2.0
"""How arrays and sources of batches become the batches of an epoch."""

from __future__ import annotations

import itertools
import types

import numpy as np
import pytest

from fastrnn import runtime
from fastrnn.training import data
from fastrnn.training.data import ArrayBatches, Batch, Feed, SourceBatches
from tests.test_arrays import DLPackAlone


@pytest.fixture
def samples() -> Batch:
    x = np.arange(30, dtype="float32").reshape(10, 3)
    return Batch(x, x[:, :1] * 2, np.arange(10, dtype="float32"))


def numbers(batches) -> list[list[int]]:
    return [[int(w) for w in batch.weight] for batch in batches]


def test_batches_in_order_are_views(samples):
    batches = list(ArrayBatches(samples, 4))
    assert numbers(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all(np.shares_memory(batch.x, samples.x) and batch.x.flags.c_contiguous for batch in batches)


def test_number_of_steps(samples):
    assert [ArrayBatches(samples, size).steps for size in (1, 3, 10, 11)] == [10, 4, 1, 1]


@pytest.mark.parametrize("size", [1, 4, 10, 32])
def test_shuffled_batches_keep_rows_together(samples, size):
    runtime.set_seed(0)
    seen = []
    for batch in ArrayBatches(samples, size, shuffle=True):
        np.testing.assert_array_equal(batch.x, samples.x[batch.weight.astype(int)])
        np.testing.assert_array_equal(batch.y, samples.y[batch.weight.astype(int)])
        seen += batch.weight.tolist()
    assert sorted(seen) == list(range(10))
    assert seen != list(range(10))


def test_every_pass_is_shuffled_anew_and_repeats_with_the_seed(samples):
    batches = ArrayBatches(samples, 10, shuffle=True)
    runtime.set_seed(7)
    passes = [numbers(batches) for _ in range(3)]
    assert passes[0] != passes[1] != passes[2]
    runtime.set_seed(7)
    assert [numbers(batches) for _ in range(3)] == passes


def test_shuffled_batches_share_one_buffer(samples):
    batches = ArrayBatches(samples, 4, shuffle=True)
    first, second = (next(iter(batches)).x for _ in range(2))
    assert np.shares_memory(first, second)
    assert not np.shares_memory(first, samples.x)


def test_shuffle_within_batches(samples):
    runtime.set_seed(3)
    found = numbers(ArrayBatches(samples, 4, shuffle="batch"))
    assert [sorted(batch) for batch in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert found != [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_absent_targets_and_weights(samples):
    for shuffle in (False, True):
        batch = next(iter(ArrayBatches(Batch(samples.x, None, None), 4, shuffle)))
        assert batch.y is None and batch.weight is None


def test_an_epoch_is_a_pass(samples):
    feed = Feed(ArrayBatches(samples, 4))
    assert feed.steps == 3
    assert [len(list(feed.epoch())) for _ in range(2)] == [3, 3]


def test_epochs_of_a_number_of_steps_follow_each_other(samples):
    feed = Feed(ArrayBatches(samples, 4), steps=2)
    assert feed.steps == 2
    assert [numbers(feed.epoch()) for _ in range(3)] == [
        [[0, 1, 2, 3], [4, 5, 6, 7]], [[8, 9], [0, 1, 2, 3]], [[4, 5, 6, 7], [8, 9]]]


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


def test_sources():
    convert = Batch
    indexed = Indexed()
    feed = Feed(SourceBatches(indexed, convert))
    assert feed.steps == 2
    assert [int(batch.y[0]) for _ in range(2) for batch in feed.epoch()] == [0, 1, 0, 1]
    assert indexed.ended == 2

    endless = ((np.full((1, 1), i), np.full(1, i), np.ones(1)) for i in itertools.count())
    feed = Feed(SourceBatches(endless, convert), steps=2)
    assert [int(batch.y[0]) for _ in range(2) for batch in feed.epoch()] == [0, 1, 2, 3]

    class Again:
        def __iter__(self):
            return iter([(np.zeros((2, 1)), np.zeros(2))] * 3)

    feed = Feed(SourceBatches(Again(), convert))
    assert feed.steps is None
    assert [len(list(feed.epoch())) for _ in range(2)] == [3, 3]


def test_a_generator_runs_out():
    feed = Feed(SourceBatches(iter([(np.zeros((2, 1)), np.zeros(2))] * 3), Batch), steps=2)
    assert len(list(feed.epoch())) == 2
    with pytest.warns(UserWarning, match="ran out of data"):
        assert len(list(feed.epoch())) == 1
    assert feed.exhausted


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


def test_split_takes_the_last_samples(samples):
    first, last = data.split(samples, 0.25)
    assert (len(first.x), len(last.x)) == (7, 3)  # as Keras: floor(10 * 0.75)
    assert last.weight.tolist() == [7, 8, 9]
    assert data.split(samples._replace(weight=None), 0.5)[1].weight is None


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, 0.95, float("nan")])
def test_split_refuses(samples, fraction):
    with pytest.raises(ValueError, match="validation_split"):
        data.split(samples, fraction)


def test_split_that_leaves_no_validation(samples):
    few = Batch(*(array[:1] for array in samples))
    with pytest.raises(ValueError, match="1 samples leaves none for training"):
        data.split(few, 0.5)


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


def test_the_input_of_a_dictionary_by_its_name():
    x = np.zeros((4, 3))
    assert data.single_input({"inp": x, "other": 1}, "inp", "model") is x
    assert data.single_input([x], None, "model") is x and data.single_input(x, None, "model") is x
    with pytest.raises(ValueError, match="model: expected input 'inp', got a dictionary with 'a', 'b'"):
        data.single_input({"a": x, "b": x}, "inp", "model")
    with pytest.raises(ValueError, match="model: expected an array, got a dictionary with 'a'; its input has no name"):
        data.single_input({"a": x}, None, "model")


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, None])
def test_counts(value):
    with pytest.raises((TypeError, ValueError), match="batch_size: expected"):
        data.check_count(value, "batch_size")
    assert data.check_count(np.int64(3), "batch_size") == 3


def test_concatenate():
    parts = [np.full((2, 1), i) for i in range(3)]
    for samples in (6, None):
        assert data.concatenate(iter(parts), samples).ravel().tolist() == [0, 0, 1, 1, 2, 2]
    assert data.concatenate(iter([]), None) is None
