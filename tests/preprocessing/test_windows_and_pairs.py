# SPDX-License-Identifier: Apache-2.0
"""TimeseriesGenerator, skipgrams, make_sampling_table and the hashes of words against Keras 2's."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tf_keras import preprocessing as theirs

import fastrnn
from fastrnn.preprocessing import sequence, text

SERIES = np.arange(60.0).reshape(30, 2)


@pytest.mark.parametrize("options", [
    {}, {"sampling_rate": 2}, {"stride": 3}, {"start_index": 4, "end_index": 20}, {"reverse": True},
    {"batch_size": 7}, {"batch_size": 4, "stride": 3, "sampling_rate": 3, "reverse": True}, {"shuffle": True},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("data", [SERIES, SERIES[:, 0].tolist(), SERIES[:, 1]], ids=["array", "list", "line"])
def test_windows(options, data):
    targets = np.arange(30) * 10
    found = []
    for module in sequence, theirs.sequence:
        np.random.seed(3)
        batches = module.TimeseriesGenerator(data, targets, 5, **options)
        found.append([len(batches), *(array for i in range(len(batches)) for array in batches[i])])
        found[-1].append(np.array(batches.to_json(indent=1)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_takes_windows():
    batches = sequence.TimeseriesGenerator(SERIES, SERIES[:, 0], 5, batch_size=8)
    model = fastrnn.Sequential([fastrnn.Input((5, 2)), fastrnn.layers.LSTM(3), fastrnn.layers.Dense(1)])
    model.compile("adam", "mse")
    assert len(model.fit(batches, epochs=2, verbose=0).history["loss"]) == 2
    assert model.predict(batches, verbose=0).shape == (25, 1)


@pytest.mark.parametrize(("options", "message"), [
    ({"length": 0}, "length: expected 1 or more"), ({"length": 30}, "no window has a target"),
    ({"length": 3, "batch_size": 0}, "batch_size: expected 1 or more"),
    ({"length": 3, "end_index": 30}, "from 0 to 29"),
    ({"length": 3, "start_index": -1}, "from 0 to 29"), ({"length": 3, "targets": [1]}, "as many targets as steps"),
])  # fmt: skip
def test_windows_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=f"TimeseriesGenerator.*{message}"):
        sequence.TimeseriesGenerator(**{"data": SERIES, "targets": SERIES, **options})
    with pytest.raises(IndexError, match="expected an index below 1, got 1"):
        sequence.TimeseriesGenerator(SERIES, SERIES, 3)[1]
    with pytest.raises(TypeError, match="data: expected what JSON has a form for"):
        sequence.TimeseriesGenerator([object()] * 5, range(5), 3).get_config()


@pytest.mark.parametrize("options", [
    {}, {"window_size": 1, "negative_samples": 0}, {"negative_samples": 2.5, "categorical": True},
    {"shuffle": False}, {"seed": 5}, {"sampling_table": np.linspace(1, 0.2, 12)},
], ids=str)  # fmt: skip
def test_pairs(options):
    words, found = [1, 2, 0, 5, 3, 11, 0, 2, 4, 4, 9], []
    for module in sequence, theirs.sequence:
        random.seed(7)
        found.append(module.skipgrams(words, 12, **options))
    assert found[0] == found[1]


def test_pairs_that_cannot_be():
    assert sequence.skipgrams([], 5) == ([], []) == sequence.skipgrams([0, 0], 5)
    with pytest.raises(ValueError, match="vocabulary_size of 2 or more, got 1"):
        sequence.skipgrams([1, 1], 1)
    with pytest.raises(ValueError, match="negative_samples of 0 or more, got -1"):
        sequence.skipgrams([1, 1], 3, negative_samples=-1)
    with pytest.raises(ValueError, match="words below 3, which sampling_table has, got 5"):
        sequence.skipgrams([1, 5], 6, sampling_table=[1, 1, 1])


def test_probabilities():
    for size, factor in (1, 1e-5), (1000, 1e-5), (50, 0.3):
        np.testing.assert_allclose(sequence.make_sampling_table(size, factor),
                                   theirs.sequence.make_sampling_table(size, factor), rtol=1e-12)
    with pytest.raises(ValueError, match="size of 1 or more"):
        sequence.make_sampling_table(0)


@pytest.mark.parametrize("options", [{}, {"hash_function": "md5"}, {"hash_function": len}, {"lower": False},
                                     {"filters": ",", "split": "a"}, {"analyzer": list}], ids=str)  # fmt: skip
def test_hashes_of_words(options):
    words = "The cat sat, and THE dog ate!"
    assert text.hashing_trick(words, 20, **options) == theirs.text.hashing_trick(words, 20, **options)
    if "hash_function" not in options:
        assert text.one_hot(words, 9, **options) == theirs.text.one_hot(words, 9, **options)


def test_hashes_that_cannot_be():
    with pytest.raises(ValueError, match="n of 2 or more, got 1"):
        text.one_hot("a", 1)
    with pytest.raises(ValueError, match="hash_function 'md5', a function or None, got 'sha1'"):
        text.hashing_trick("a", 9, "sha1")
