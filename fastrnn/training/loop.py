# SPDX-License-Identifier: Apache-2.0
"""The loop of training, of evaluation and of prediction, over any model that can be run and backpropagated."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from fastrnn.graph.schedule import Schedule
from fastrnn.training.data import Batch, Feed, concatenate
from fastrnn.training.objective import Objective
from fastrnn.training.watch import Watch

if TYPE_CHECKING:
    from fastrnn.callbacks.base import CallbackList


class Plan(NamedTuple):
    """What a training step needs to know of a model, gathered once.

    Attributes:
        schedule: what runs the model in training, forward and backward.
        variables: the variables to update.
        regularized: the layers with a regularizer among their variables.
        fused: whether the loss gives its gradient with respect to what enters the last activation.
    """

    schedule: Schedule
    variables: list[Any]
    regularized: list[Any]
    fused: bool


class Trainable(Protocol):
    """What the loop asks of a model."""

    layers: list[Any]
    objective: Objective
    optimizer: Any
    stop_training: bool

    def plan(self) -> Plan:
        """What a training step needs to know; the same until the model is compiled again or changed."""

    def run(self, xs: Sequence[np.ndarray]) -> tuple[list[Any], list[Any]]:
        """The outputs for checked inputs, and the masks that reach them."""

    def all_or_none(self, run: Any, xs: Sequence[np.ndarray]) -> tuple[list[Any], list[Any]]:
        """As `run`, by a schedule."""


def train_step(model: Trainable, batch: Batch, watch: Watch | None = None) -> None:
    """One update of the weights: forward, loss, backward, optimizer; the batch is counted in the objective."""
    x, y, weight = batch
    assert y is not None
    objective = model.objective
    plan = model.plan()
    (output,), (mask,) = model.all_or_none(plan.schedule.forward, x)
    loss = objective.loss
    differentiate = loss.value_and_logits_gradient if plan.fused else loss.value_and_gradient
    value, gradient = differentiate(y, output, weight, mask)
    for layer in plan.regularized:
        value += layer.losses()
    if watch is not None and not math.isfinite(value):
        watch.loss(value, plan.schedule.graph, x)
    if plan.variables:
        plan.schedule.backward([gradient])
        for layer in plan.regularized:
            layer.add_regularization_grads()
        model.optimizer.apply(plan.variables)
    else:
        warnings.warn(f"{model}: there are no trainable weights", stacklevel=3)
    objective.update(y, output, weight, mask, value)


def test_step(model: Trainable, batch: Batch, watch: Watch | None = None) -> None:
    """Loss and metrics of a batch, counted in the objective."""
    x, y, weight = batch
    assert y is not None
    objective = model.objective
    plan = model.plan()
    (output,), (mask,) = model.run(x)
    value = objective.loss(y, output, weight, mask, plan.fused)
    for layer in plan.regularized:
        value += layer.losses()
    if watch is not None and not math.isfinite(value):
        watch.loss(value, plan.schedule.graph, x)
    objective.update(y, output, weight, mask, value)


def fit(model: Trainable, feed: Feed, epochs: range, callbacks: CallbackList,
        validation: Feed | None, validates: Callable[[int], bool], watch: Watch) -> None:
    """Train for the given epochs.

    Args:
        model: the model.
        feed: the training batches.
        epochs: indices of the epochs to run.
        callbacks: called on the way; `model.stop_training` set by one of them ends the training.
        validation: batches to evaluate after an epoch, or None.
        validates: whether to evaluate after the epoch of an index.
        watch: warns of losses that are no numbers.
    """
    objective = model.objective
    model.stop_training = False
    logs: dict[str, float] = {}
    callbacks.on_train_begin()
    for epoch in epochs:
        objective.reset()
        callbacks.on_epoch_begin(epoch)
        watch.part = f"epoch {epoch}"
        for step, batch in enumerate(feed.epoch()):
            callbacks.on_train_batch_begin(step)
            watch.batch = step
            train_step(model, batch, watch)
            if callbacks.wants_train_logs:
                callbacks.on_train_batch_end(step, objective.logs())
            if model.stop_training:
                break
        if feed.exhausted and not objective.samples:
            break
        logs = objective.logs()
        if validation is not None and validates(epoch):
            validated = evaluate(model, validation, callbacks, watch, f"the validation of epoch {epoch}")
            logs = dict(sorted([*logs.items(), *((f"val_{name}", value) for name, value in validated.items())]))
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training or feed.exhausted:
            break
    callbacks.on_train_end(logs)


def evaluate(model: Trainable, feed: Feed, callbacks: CallbackList, watch: Watch, part: str = "the evaluation"
             ) -> dict[str, float]:
    """Loss and metrics over one epoch of `feed`, by name."""
    objective = model.objective
    watch.part = part
    objective.reset()
    callbacks.on_test_begin()
    for step, batch in enumerate(feed.epoch()):
        callbacks.on_test_batch_begin(step)
        watch.batch = step
        test_step(model, batch, watch)
        if callbacks.wants_test_logs:
            callbacks.on_test_batch_end(step, objective.logs())
    logs = objective.logs()
    callbacks.on_test_end(logs)
    return logs


def predict(model: Trainable, feed: Feed, samples: int | None, callbacks: CallbackList) -> list[Any] | None:
    """The outputs for all the samples of one epoch of `feed`, None if it has none."""

    def outputs() -> Iterator[np.ndarray]:
        for step, batch in enumerate(feed.epoch()):
            callbacks.on_predict_batch_begin(step)
            outputs, _ = model.run(batch.x)
            callbacks.on_predict_batch_end(step, {"outputs": outputs[0]})
            yield outputs[0]

    callbacks.on_predict_begin()
    whole = concatenate(outputs(), samples)
    callbacks.on_predict_end()
    return None if whole is None else [whole]
