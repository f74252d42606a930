# SPDX-License-Identifier: Apache-2.0
"""Decoding of CTC against Keras, TensorFlow and the sum over all paths."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from fastrnn.losses.ctc import ctc_batch_cost, ctc_loss
from fastrnn.losses.ctc_decoding import ctc_decode, ctc_decode_probabilities


def logits(N, T, C, seed=0, dtype="float32", scale=2.0):
    return (scale * np.random.default_rng(seed).standard_normal((N, T, C))).astype(dtype)


def labels_of(row):
    return [int(label) for label in row if label >= 0]


@pytest.mark.parametrize("merge_repeated", [True, False])
@pytest.mark.parametrize("mask_index", [0, 2, None])
def test_greedy_is_keras(mask_index, merge_repeated):
    x, lengths = logits(6, 12, 4), np.array([12, 0, 1, 7, 12, 3])
    arguments = {"strategy": "greedy", "merge_repeated": merge_repeated, "mask_index": mask_index}
    paths, scores = ctc_decode(x, lengths, **arguments)
    expected, expected_scores = keras.ops.ctc_decode(x, lengths, **arguments)
    np.testing.assert_array_equal(paths, np.asarray(expected))
    np.testing.assert_allclose(scores, np.asarray(expected_scores), rtol=1e-6)
    assert paths.dtype == np.int32
    assert scores.dtype == np.float32


@pytest.mark.parametrize("mask_index", [0, 3, None])
def test_a_search_is_keras(mask_index):
    x, lengths = logits(4, 9, 4), np.array([9, 1, 6, 9])
    arguments = {"strategy": "beam_search", "beam_width": 6, "top_paths": 3, "mask_index": mask_index}
    paths, scores = ctc_decode(x, lengths, **arguments)
    expected, expected_scores = keras.ops.ctc_decode(x, lengths, **arguments)
    np.testing.assert_array_equal(paths, np.asarray(expected))
    np.testing.assert_allclose(scores, np.asarray(expected_scores), rtol=1e-5)


def test_a_wide_search_finds_the_best_labels_and_their_probability():
    x = logits(5, 5, 3, dtype="float64")
    paths, scores = ctc_decode(x, np.full(5, 5), "beam_search", beam_width=200, top_paths=4)
    every = [labels for n in range(6) for labels in itertools.product([1, 2], repeat=n)]
    for n in range(5):
        padded = np.zeros((len(every), 5), int)
        for row, labels in zip(padded, every, strict=True):
            row[: len(labels)] = labels
        x_n, lengths = np.repeat(x[n : n + 1], len(every), 0), np.full(len(every), 5)
        values = -ctc_loss(padded, x_n, [len(labels) for labels in every], lengths)
        best = np.argsort(-values)[:4]
        np.testing.assert_allclose(scores[n], values[best], rtol=1e-12)
        assert [labels_of(paths[k, n]) for k in range(4)] == [list(every[b]) for b in best]


def test_what_is_dropped_and_comes_again_is_the_same_beginning():
    """A narrow search over many steps gives no labels twice."""
    x = logits(1, 60, 4, scale=0.5)
    paths, scores = ctc_decode(x, [60], "beam_search", beam_width=8, top_paths=8)
    found = [tuple(labels_of(path)) for path in paths[:, 0]]
    assert len(set(found)) == 8
    assert (np.diff(scores[0]) <= 0).all()
    exact = -ctc_loss([found[0]], x, [len(found[0])], [60])
    assert scores[0, 0] <= exact[0] + 1e-4


def test_fewer_labels_than_asked_for():
    paths, scores = ctc_decode(logits(1, 1, 2), [1], "beam_search", beam_width=5, top_paths=4)
    assert np.isfinite(scores[0, :2]).all()
    assert np.isneginf(scores[0, 2:]).all()
    assert (paths[2:] == -1).all()
    paths, scores = ctc_decode(logits(1, 3, 2), [0], "beam_search", beam_width=5)
    assert scores[0, 0] == 0
    assert (paths == -1).all()


def test_probabilities_are_keras_2():
    """That is TensorFlow, with the last class as the blank, and of a search runs of one label as one."""
    from keras.src.legacy import backend as K  # which imports TensorFlow

    z = logits(5, 10, 4)
    p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    lengths = np.array([10, 3, 8, 10, 1])
    t, label_lengths = np.random.default_rng(0).integers(0, 3, (5, 4)), np.array([3, 1, 4, 2, 1])
    values = ctc_batch_cost(t, p, lengths[:, None], label_lengths[:, None])
    expected = K.ctc_batch_cost(t, p, lengths[:, None], label_lengths[:, None]).numpy()
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    for arguments in ({"greedy": True}, {"greedy": False, "beam_width": 7, "top_paths": 2}):
        labels, scores = ctc_decode_probabilities(p, lengths, **arguments)
        expected, expected_scores = K.ctc_decode(p, lengths, **arguments)
        assert len(labels) == len(expected)
        for got, want in zip(labels, expected, strict=True):
            np.testing.assert_array_equal(got, want.numpy())
        np.testing.assert_allclose(scores, expected_scores.numpy(), rtol=1e-4)


@pytest.mark.parametrize(("arguments", "message"), [
    (([[1.0]], [1]), r"ctc_decode: expected inputs of shape \(batch, time, classes\), got \(1, 1\)"),
    ((np.zeros((1, 2, 3)), [3]), "ctc_decode: expected sequence_lengths from 0 to 2, got 3"),
    ((np.zeros((1, 2, 3)), [2], "best"), "expected strategy to be 'greedy' or 'beam_search', got 'best'"),
    ((np.zeros((1, 2, 3)), [2], "beam_search", 2, 3), "expected top_paths from 1 to beam_width, 2, got 3"),
    ((np.zeros((1, 2, 3)), [2], "greedy", 2, 1, True, 3), "expected mask_index to be one of 3 classes, got 3"),
])
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        ctc_decode(*arguments)
