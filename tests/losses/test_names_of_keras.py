# SPDX-License-Identifier: Apache-2.0
"""Every public name of Keras's losses and metrics is there, and those that Keras 1 and 2 had."""

from __future__ import annotations

import inspect

import keras
import pytest

from fastrnn import losses, metrics

OLD_LOSSES = ["mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "kld", "KLD", "bce", "BCE", "logcosh",
              "kullback_leibler_divergence", "cosine_proximity", "Reduction"]  # fmt: skip


def names(module):
    return [name for name in dir(module) if not name.startswith("_") and not inspect.ismodule(getattr(module, name))]


@pytest.mark.parametrize("name", names(keras.losses))
def test_losses(name):
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    assert inspect.isclass(ours) == inspect.isclass(theirs)
    if name not in ("Loss", "get", "serialize", "deserialize"):
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
        assert losses.get(name) is not None


@pytest.mark.parametrize("name", OLD_LOSSES)
def test_old_names_of_losses(name):
    assert name in losses.__all__
    if name != "Reduction":
        by_name, by_function = losses.get(name), losses.get(getattr(losses, name))
        assert by_name([[0.25, 0.75]], [[0.5, 0.5]]) == by_function([[0.25, 0.75]], [[0.5, 0.5]])
    else:
        assert losses.MeanSquaredError(reduction=losses.Reduction.AUTO).reduction == "sum_over_batch_size"


@pytest.mark.parametrize("name", names(keras.metrics))
def test_metrics(name):
    ours, theirs = getattr(metrics, name), getattr(keras.metrics, name)
    assert name in metrics.__all__
    assert inspect.isclass(ours) == inspect.isclass(theirs)
    if name not in ("Metric", "get", "serialize", "deserialize"):
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


@pytest.mark.parametrize("name", [name for name in OLD_LOSSES if name not in ("cosine_proximity", "Reduction")])
def test_old_names_of_metrics(name):
    assert getattr(metrics, name) is getattr(losses, name)
    assert name in metrics.__all__
