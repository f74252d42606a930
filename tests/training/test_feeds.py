# SPDX-License-Identifier: Apache-2.0
"""How arrays and sources of batches become the batches of an epoch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastrnn import runtime
from fastrnn.training.feeds import ArrayBatches, Batch, Feed, SourceBatches, split


@pytest.fixture
def samples() -> Batch:
    x = np.arange(30, dtype="float32").reshape(10, 3)
    return Batch([x], [x[:, :1] * 2], [np.arange(10, dtype="float32")])


def numbers(batches) -> list[list[int]]:
    return [[int(w) for w in batch.weight[0]] for batch in batches]


def test_batches_in_order_are_views(samples):
    batches = list(ArrayBatches(samples, 4))
    assert numbers(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all(np.shares_memory(batch.x[0], samples.x[0]) and batch.x[0].flags.c_contiguous for batch in batches)


def test_number_of_steps(samples):
    assert [ArrayBatches(samples, size).steps for size in (1, 3, 10, 11)] == [10, 4, 1, 1]


@pytest.mark.parametrize("size", [1, 4, 10, 32])
def test_shuffled_batches_keep_rows_together(samples, size):
    runtime.set_seed(0)
    seen = []
    for batch in ArrayBatches(samples, size, shuffle=True):
        np.testing.assert_array_equal(batch.x[0], samples.x[0][batch.weight[0].astype(int)])
        np.testing.assert_array_equal(batch.y[0], samples.y[0][batch.weight[0].astype(int)])
        seen += batch.weight[0].tolist()
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
    first, second = (next(iter(batches)).x[0] for _ in range(2))
    assert np.shares_memory(first, second)
    assert not np.shares_memory(first, samples.x[0])


def test_shuffle_within_batches(samples):
    runtime.set_seed(3)
    found = numbers(ArrayBatches(samples, 4, shuffle="batch"))
    assert [sorted(batch) for batch in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert found != [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_absent_targets_and_weights(samples):
    for shuffle in (False, True):
        batch = next(iter(ArrayBatches(Batch(samples.x, [None], [None]), 4, shuffle)))
        assert batch.y == [None] and batch.weight == [None]


def test_an_epoch_is_a_pass(samples):
    feed = Feed(ArrayBatches(samples, 4))
    assert feed.steps == 3
    assert [len(list(feed.epoch())) for _ in range(2)] == [3, 3]


def test_epochs_of_a_number_of_steps_follow_each_other(samples):
    feed = Feed(ArrayBatches(samples, 4), steps=2)
    assert feed.steps == 2
    with pytest.warns(UserWarning, match="fit: the input ran out of data after 1 of 2 batches"):
        found = [numbers(feed.epoch()) for _ in range(3)]
    assert found == [[[0, 1, 2, 3], [4, 5, 6, 7]], [[8, 9]], [[0, 1, 2, 3], [4, 5, 6, 7]]]
    assert not feed.exhausted
    feed = Feed(ArrayBatches(samples, 5), steps=1)      # an epoch that ends with the pass is no reason to warn
    assert [numbers(feed.epoch())[0][0] for _ in range(3)] == [0, 5, 0]


class Indexed:
    """Batches by index, as a `Sequence` of Keras gives them."""

    def __init__(self, count=2):
        self.count = count
        self.told = []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return np.full((3, 1), index), np.full(3, index)

    def on_epoch_begin(self):
        self.told.append("begin")

    def on_epoch_end(self):
        self.told.append("end")


def test_sources():
    def convert(x, y, weight):
        return Batch([x], [y], [weight])

    indexed = Indexed()
    feed = Feed(SourceBatches(indexed, convert))
    assert feed.steps == 2
    assert [int(batch.y[0][0]) for _ in range(2) for batch in feed.epoch()] == [0, 1, 0, 1]
    assert indexed.told == ["begin", "end"] * 2

    endless = ((np.full((1, 1), i), np.full(1, i), np.ones(1)) for i in itertools.count())
    feed = Feed(SourceBatches(endless, convert), steps=2)
    assert [int(batch.y[0][0]) for _ in range(2) for batch in feed.epoch()] == [0, 1, 2, 3]

    class Again:
        def __iter__(self):
            return iter([(np.zeros((2, 1)), np.zeros(2))] * 3)

    feed = Feed(SourceBatches(Again(), convert))
    assert feed.steps is None
    assert [len(list(feed.epoch())) for _ in range(2)] == [3, 3]


def test_a_generator_runs_out():
    pairs = [(np.zeros((2, 1)), np.zeros(2))] * 3
    feed = Feed(SourceBatches(iter(pairs), lambda x, y, weight: Batch([x], [y], [weight])), steps=2)
    assert len(list(feed.epoch())) == 2
    with pytest.warns(UserWarning, match="ran out of data"):
        assert len(list(feed.epoch())) == 1
    assert feed.exhausted


def convert(x, y, weight):
    return Batch([x], [y], [weight])


def test_batches_by_index_are_shuffled():
    runtime.set_seed(0)
    feed = Feed(SourceBatches(Indexed(20), convert, shuffle=True))
    first, second = ([int(batch.y[0][0]) for batch in feed.epoch()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != list(range(20)) and first != second


def test_batches_by_index_without_end():
    class Endless(Indexed):
        __len__ = None
        num_batches = None

    feed = Feed(SourceBatches(Endless(), convert, shuffle=True), steps=3)
    assert [[int(batch.y[0][0]) for batch in feed.epoch()] for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]


def test_a_length_that_is_not_known():
    class Unknown:
        def __iter__(self):
            return iter([(np.zeros((2, 1)), np.zeros(2))] * 3)

        def __len__(self):
            raise TypeError("dataset length is unknown")

    feed = Feed(SourceBatches(Unknown(), convert), steps=2)
    assert Feed(SourceBatches(Unknown(), convert)).steps is None
    with pytest.warns(UserWarning, match="ran out of data after 1 of 2 batches"):
        assert [len(list(feed.epoch())) for _ in range(3)] == [2, 1, 2]


def test_no_batch_at_all():
    for source in iter([]), Indexed(0):
        feed = Feed(SourceBatches(source, convert), steps=2, who="evaluate")
        with pytest.raises(ValueError, match=r"evaluate: the source gave no batch; a generator"):
            list(feed.epoch())


def test_a_generator_is_left_open():
    """Where a callback ends an epoch early, the rest of it is there for the next `fit`."""
    source = ((np.full((1, 1), i), np.zeros(1)) for i in range(5))
    for expected in (0, 1), (2, 3):
        epoch = Feed(SourceBatches(source, convert)).epoch()
        assert tuple(int(next(epoch).x[0][0, 0]) for _ in range(2)) == expected
        epoch.close()


def test_what_starts_anew():
    feed = Feed(SourceBatches(Indexed(), convert), steps=1)
    again = Feed(SourceBatches(((np.full((1, 1), i), np.full(1, i)) for i in range(5)), convert), steps=1)
    found = []
    for _ in range(2):
        feed.restart()
        again.restart()
        found += [int(batch.y[0][0]) for one in (feed, again) for batch in one.epoch()]
    assert found == [0, 0, 0, 1]


def test_split_takes_the_last_samples(samples):
    first, last = split(samples, 0.25)
    assert (len(first.x[0]), len(last.x[0])) == (7, 3)  # as Keras: floor(10 * 0.75)
    assert last.weight[0].tolist() == [7, 8, 9]
    assert split(samples._replace(weight=[None]), 0.5)[1].weight == [None]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, 0.95, float("nan")])
def test_split_refuses(samples, fraction):
    with pytest.raises(ValueError, match="validation_split"):
        split(samples, fraction)


def test_split_that_leaves_no_validation(samples):
    few = Batch(*([array[:1] for array in part] for part in samples))
    with pytest.raises(ValueError, match="1 samples leaves none for training"):
        split(few, 0.5)


def test_several_arrays_stay_together():
    x, other, y = np.arange(10), -np.arange(10), np.arange(10) * 2
    runtime.set_seed(1)
    for batch in ArrayBatches(Batch([x, other], [None, y], [x, None]), 4, shuffle=True):
        assert batch.y[0] is None and batch.weight[1] is None
        for array in (-batch.x[1], batch.y[1] // 2, batch.weight[0]):
            np.testing.assert_array_equal(array, batch.x[0])
