# SPDX-License-Identifier: Apache-2.0
"""CTC against PyTorch, Keras, all paths and central differences; lengths, masks and what does not fit."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import fastrnn
from fastrnn import losses
from fastrnn.losses.ctc import ctc_batch_cost, ctc_batch_cost_and_gradient, ctc_loss, ctc_loss_and_gradient
from tests.losses.cases import central_differences

#: samples, steps, classes, labels
SIZES = [(1, 1, 2, 1), (4, 7, 5, 3), (5, 3, 4, 0), (8, 50, 12, 20), (3, 200, 40, 30), (2, 40, 3, 17), (3, 60, 90, 16)]


def data(N, T, C, L, dtype="float64", seed=0, blank=0):
    """Logits and labels that are not the blank, of random lengths."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, C - 1, (N, L))
    labels += labels >= blank
    x = 3 * rng.standard_normal((N, T, C)).astype(dtype)
    return labels, x, rng.integers(0, L + 1, N), rng.integers(0, T + 1, N)


def in_torch(labels, x, label_lengths, lengths, blank=0, of_logits=True):
    """Values and their sum's gradient, in float64; sequences with too few steps give 0."""
    x = torch.tensor(x.astype("float64"), requires_grad=True)
    logs = (torch.log_softmax(x, -1) if of_logits else x).transpose(0, 1)
    values = torch.nn.functional.ctc_loss(
        logs, torch.tensor(labels).reshape(len(labels), -1), torch.tensor(lengths), torch.tensor(label_lengths), blank,
        reduction="none", zero_infinity=True)
    values.sum().backward()
    return values.detach().numpy(), x.grad.numpy()


def by_all_paths(labels, logits, blank=0):
    """Minus the logarithm of the probability of every path that stands for the labels."""
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        if [c for c, _ in itertools.groupby(path) if c != blank] == list(labels):
            total += np.prod([p[t, c] for t, c in enumerate(path)])
    return -np.log(total) if total else np.inf


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("blank", [0, -1])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_values_and_gradients_are_pytorch(size, blank, dtype):
    blank %= size[2]
    labels, x, label_lengths, lengths = data(*size, dtype, blank=blank)
    expected, derivative = in_torch(labels, x, label_lengths, lengths, blank)
    values, gradient = ctc_loss_and_gradient(labels, x, label_lengths, lengths, blank, zero_infinity=True)
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(gradient, derivative, rtol=0, atol=10 * tolerance)
    assert values.dtype == gradient.dtype == dtype
    too_few = (expected == 0) & (label_lengths > 0)
    np.testing.assert_array_equal(ctc_loss(labels, x, label_lengths, lengths, blank), np.where(too_few, np.inf, values))


def test_is_the_sum_of_all_paths():
    rng = np.random.default_rng(0)
    for labels in ([], [1], [1, 2], [1, 1], [2, 2, 2], [1, 2, 1, 2], [2, 1, 2, 1, 2]):
        x = rng.standard_normal((4, 3))
        value = ctc_loss([labels], x[None], [len(labels)], [4])[0]
        assert value == pytest.approx(by_all_paths(labels, x), rel=1e-12)


@given(seed=st.integers(0, 99), N=st.integers(1, 3), T=st.integers(1, 6), C=st.integers(2, 4), L=st.integers(0, 4))
def test_gradients_are_central_differences(seed, N, T, C, L):
    labels, x, label_lengths, lengths = data(N, T, C, L, seed=seed)
    possible = np.isfinite(ctc_loss(labels, x, label_lengths, lengths))
    labels, x, label_lengths, lengths = labels[possible], x[possible], label_lengths[possible], lengths[possible]
    for logs in (False, True):
        _, gradient = ctc_loss_and_gradient(labels, x, label_lengths, lengths, log_probabilities=logs)

        def total(q, logs=logs):
            return ctc_loss_and_gradient(labels, q, label_lengths, lengths, log_probabilities=logs)[0].sum()

        np.testing.assert_allclose(gradient, central_differences(total, x), rtol=1e-6, atol=1e-7)


def test_log_probabilities_are_taken_as_they_are():
    labels, x, label_lengths, lengths = data(4, 9, 5, 3)
    logs = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
    values, _ = ctc_loss_and_gradient(labels, logs, label_lengths, lengths, log_probabilities=True)
    np.testing.assert_allclose(values, ctc_loss(labels, x, label_lengths, lengths), rtol=1e-12)
    expected, _ = in_torch(labels, x, label_lengths, lengths, of_logits=False)
    values, _ = ctc_loss_and_gradient(labels, x, label_lengths, lengths, log_probabilities=True, zero_infinity=True)
    np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_too_few_steps(dtype):
    """Infinite as in PyTorch, without a gradient; the others are as without them. Between equal labels is a blank."""
    labels, x = np.array([[1, 1, 2], [1, 2, 3]]), data(2, 3, 4, 3, dtype)[1]
    values, gradient = ctc_loss_and_gradient(labels, x, [3, 3], [3, 3])
    assert values[0] == np.inf
    assert not gradient[0].any()
    alone, derivative = ctc_loss_and_gradient(labels[1:], x[1:], [3], [3])
    assert values[1] == alone[0]
    np.testing.assert_array_equal(gradient[1], derivative[0])
    assert ctc_loss(labels, x, [1, 0], [0, 0]).tolist() == [np.inf, 0]
    assert losses.CTC()([[1, 1, 2]], x[:1]) == np.inf


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_apart_probabilities(dtype):
    """Paths of next to no probability, where a sum of probabilities would be 0, keep value and gradient."""
    labels, x, _, _ = data(2, 120, 6, 20, dtype)
    for scale in (1, 30, 1000):
        expected, derivative = in_torch(labels, x * x.dtype.type(scale), np.full(2, 20), np.full(2, 120))
        values, gradient = ctc_loss_and_gradient(labels, x * x.dtype.type(scale), [20, 20], [120, 120])
        np.testing.assert_allclose(values, expected, rtol=1e-5 if dtype == "float32" else 1e-12)
        np.testing.assert_allclose(gradient, derivative, atol=2e-3 if dtype == "float32" else 1e-9)
    x[0, 3, :] = -np.inf
    x[0, 3, 0] = 0              # a blank for certain
    assert np.isfinite(ctc_loss_and_gradient(labels, x, [20, 20], [120, 120])[0]).all()
    x[0, :, labels[0, 0]] = -np.inf
    values, gradient = ctc_loss_and_gradient(labels, x, [20, 20], [120, 120])
    assert values[0] == np.inf
    assert np.isfinite(values[1])
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_nan_is_kept_to_its_sequence(wrong):
    labels, x, _, _ = data(3, 12, 5, 4)
    whole, gradient = ctc_loss_and_gradient(labels, x, [4, 4, 4], [12, 12, 9])
    x[1, 5, 2] = wrong
    x[2, 10, 2] = wrong         # beyond its end
    values, derivative = ctc_loss_and_gradient(labels, x, [4, 4, 4], [12, 12, 9])
    assert np.isnan(values[1])
    assert np.isnan(derivative[1]).all()
    np.testing.assert_array_equal(values[[0, 2]], whole[[0, 2]])
    np.testing.assert_array_equal(derivative[[0, 2]], gradient[[0, 2]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_padding_changes_no_bit(dtype):
    labels, x, label_lengths, lengths = data(5, 30, 7, 6, dtype)
    values, gradient = ctc_loss_and_gradient(labels, x, label_lengths, lengths)
    for n in range(5):
        alone, derivative = ctc_loss_and_gradient(labels[n : n + 1, : label_lengths[n]], x[n : n + 1, : lengths[n]],
                                                  label_lengths[n : n + 1], lengths[n : n + 1])
        assert alone[0] == values[n]
        np.testing.assert_array_equal(derivative[0], gradient[n, : lengths[n]])
        assert not gradient[n, lengths[n] :].any()


# ---- the class


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"])
def test_the_class_is_keras(reduction):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((4, 12, 6)).astype("f"), rng.integers(1, 6, (4, 5))
    t[0, 3:] = t[1, 1:] = t[2] = 0
    for weight in (None, np.array([1.0, 0, 2, 3], "f")):
        expected = keras.losses.CTC(reduction=reduction)(t, x, weight)
        np.testing.assert_allclose(losses.CTC(reduction=reduction)(t, x, weight), np.asarray(expected), rtol=1e-5)
    np.testing.assert_allclose(losses.ctc(t, x), np.asarray(keras.losses.ctc(t, x)), rtol=1e-5)
    lengths = [9, 12, 0, 12], [3, 1, 0, 5]
    expected = keras.ops.ctc_loss(t, x, np.array(lengths[1]), np.array(lengths[0]))
    np.testing.assert_allclose(ctc_loss(t, x, lengths[1], lengths[0]), np.asarray(expected), rtol=1e-5)
    assert losses.CTC().get_config() == keras.losses.CTC().get_config()
    assert type(losses.get(keras.losses.serialize(keras.losses.CTC()))) is losses.CTC
    assert type(losses.get("ctc")) is type(losses.get(losses.ctc)) is losses.CTC


def test_gradient_of_the_class():
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((3, 6, 4)), np.array([[1, 2, 0], [3, 3, 1], [0, 0, 0]], "float32")
    mask = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 1, 1, 1], [0, 0, 0, 1, 0, 1]], bool)
    loss = losses.CTC()
    for given_mask in (None, mask):
        for weight in (None, np.array([1.0, 2, 0.5])):
            value, gradient = loss.value_and_gradient(t, x, weight, given_mask)
            assert value == pytest.approx(loss(t, x, weight, given_mask), rel=1e-12)
            expected = central_differences(lambda q, w=weight, m=given_mask: loss(t, q, w, m), x)
            np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(loss.gradient(t, x), central_differences(lambda q: loss.call(t, q).sum(), x), atol=1e-7)


def test_a_mask_leaves_steps_out():
    rng = np.random.default_rng(0)
    x, mask = rng.standard_normal((3, 9, 4)), rng.random((3, 9)) > 0.3
    t = np.array([[1, 0], [2, 3], [3, 1]])
    value, gradient = losses.CTC(reduction="sum").value_and_gradient(t, x, mask=mask)
    parts = [losses.CTC().value_and_gradient(t[n : n + 1], x[n : n + 1, mask[n]]) for n in range(3)]
    assert value == pytest.approx(sum(part for part, _ in parts), rel=1e-12)
    assert not gradient[~mask].any()
    for n, (_, part) in enumerate(parts):
        np.testing.assert_allclose(gradient[n, mask[n]], part[0], rtol=1e-12)


def test_batch_cost():
    """Probabilities and the last class as blank; 1e-7 is added, and what comes of it normalized."""
    labels, x, label_lengths, lengths = data(4, 9, 5, 3, blank=4)
    p = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
    values = ctc_batch_cost(labels, p, lengths[:, None], label_lengths[:, None])
    expected = ctc_loss(labels, np.log(p + 1e-7), label_lengths, lengths, 4)
    np.testing.assert_allclose(values, expected[:, None], rtol=1e-12)
    values, gradient = ctc_batch_cost_and_gradient(labels, p, lengths, label_lengths)
    possible = np.isfinite(values[:, 0])
    assert possible.any()

    def total(q):
        return ctc_batch_cost(labels, q, lengths, label_lengths)[possible].sum()

    np.testing.assert_allclose(gradient, central_differences(total, p), rtol=1e-5, atol=1e-7)


# ---- what does not fit


@pytest.mark.parametrize(("t", "p", "message"), [
    (np.ones((2, 3)), np.zeros((2, 4)), r"ctc: expected y_pred of shape \(batch, time, classes\), logits, got"),
    (np.ones(2), np.zeros((2, 4, 5)), r"ctc: expected y_true of shape \(2, labels\), padded with 0, got \(2,\)"),
    (np.ones((3, 2)), np.zeros((2, 4, 5)), r"ctc: expected y_true of shape \(2, labels\)"),
    (np.full((2, 3), 5), np.zeros((2, 4, 5)), "expected labels from 0 to 4, and 0, the blank, only behind them, got 5"),
    (np.array([[1, 2], [1, -1]]), np.zeros((2, 4, 5)), "got -1 in sequence 1"),
    (np.array([[1, 0, 2]]), np.zeros((1, 4, 5)), "only behind them, got 0 in sequence 0"),
    (np.full((1, 1), 0.5), np.zeros((1, 4, 5)), "ctc: expected y_true to hold whole numbers, got 0.5"),
    (np.full((1, 1), 1e12), np.zeros((1, 4, 5)), "ctc: expected y_true to hold whole numbers"),
])
def test_targets_that_do_not_fit(t, p, message):
    with pytest.raises(ValueError, match=message):
        losses.CTC().value_and_gradient(t, p)


@pytest.mark.parametrize(("arguments", "message"), [
    (([[1]], np.zeros((1, 4)), [1], [1]), r"ctc_loss: expected output of shape \(batch, time, classes\), got \(1, 4\)"),
    (([1], np.zeros((1, 4, 3)), [1], [1]), r"ctc_loss: expected target of shape \(1, labels\), got \(1,\)"),
    (([[1]], np.zeros((1, 4, 3)), [2], [1]), "ctc_loss: expected target_length from 0 to 1, got 2"),
    (([[1]], np.zeros((1, 4, 3)), [1], [5]), "ctc_loss: expected output_length from 0 to 4, got 5"),
    (([[1]], np.zeros((1, 4, 3)), [1], [-1]), "ctc_loss: expected output_length from 0 to 4, got -1"),
    (([[1]], np.zeros((1, 4, 3)), [1], [1, 2]), r"ctc_loss: expected output_length of shape \(1,\)"),
    (([[1]], np.zeros((1, 4, 3)), [1], [1], 3), "ctc_loss: expected mask_index to be one of 3 classes, got 3"),
    (([[2]], np.zeros((1, 4, 3)), [1], [1], -1), "and 2, the blank, only behind them, got 2"),
])
def test_lengths_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        ctc_loss(*arguments)


def test_empty_batches():
    values, gradient = ctc_loss_and_gradient(np.zeros((0, 3)), np.zeros((0, 4, 5)), [], [])
    assert values.shape == (0,)
    assert gradient.shape == (0, 4, 5)
    values, gradient = ctc_loss_and_gradient(np.zeros((2, 0)), np.zeros((2, 0, 5)), [0, 0], [0, 0])
    assert values.tolist() == [0, 0]


# ---- in a model


def test_training_and_files(tmp_path, rng):
    """A small speech-like model learns its labels, and is the same model in Keras."""
    x = rng.standard_normal((16, 14, 3)).astype("f")
    t = rng.integers(1, 5, (16, 3))
    t[::2, 2] = 0
    model = fastrnn.Sequential([fastrnn.layers.Input((14, 3)), fastrnn.layers.GRU(12, return_sequences=True),
                                fastrnn.layers.Dense(5)])
    model.compile(fastrnn.optimizers.Adam(0.03), losses.CTC())
    history = model.fit(x, t, epochs=30, batch_size=8, verbose=0, sample_weight=np.ones(16)).history["loss"]
    assert history[-1] < 0.5 * history[0]
    expected = model.evaluate(x, t, verbose=0)
    model.save(tmp_path / "model.keras")
    again = fastrnn.models.load_model(tmp_path / "model.keras")
    assert type(again.objective.heads[0].loss) is losses.CTC
    assert again.evaluate(x, t, verbose=0) == pytest.approx(expected, rel=1e-6)
    theirs = keras.models.load_model(tmp_path / "model.keras")
    assert theirs.evaluate(x, t, verbose=0) == pytest.approx(expected, rel=1e-4)


def test_a_layers_mask_gives_the_lengths(rng):
    x = rng.integers(1, 9, (6, 10))
    x[:, 7:] = 0
    t = rng.integers(1, 5, (6, 2))
    model = fastrnn.Sequential([fastrnn.layers.Input((10,)), fastrnn.layers.Embedding(9, 4, mask_zero=True),
                                fastrnn.layers.LSTM(4, return_sequences=True), fastrnn.layers.Dense(5)])
    model.compile("sgd", "ctc")
    found = model.evaluate(x, t, verbose=0)
    values = ctc_loss(t, model.predict(x, verbose=0), np.full(6, 2), np.full(6, 7))
    assert found == pytest.approx(values.mean(), rel=1e-5)
