# SPDX-License-Identifier: Apache-2.0
"""What is done with one batch: an update of the weights, an evaluation, a prediction."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from fastrnn.training.added import Added, mean_gradient
from fastrnn.training.feeds import Batch
from fastrnn.training.objective import Objective
from fastrnn.training.plan import Plan
from fastrnn.training.watch import Watch


class Trainable(Protocol):
    """What the steps and the loop ask of a model."""

    objective: Objective
    optimizer: Any
    added: Added
    stop_training: bool
    first_epoch: int

    @property
    def trainable_weights(self) -> list[Any]: ...

    def plan(self) -> Plan:
        """What a training step needs to know; the same until the model is compiled again or changed."""

    def run(self, xs: Sequence[np.ndarray]) -> tuple[list[Any], list[Any]]:
        """The outputs for checked inputs, and the masks that reach them."""

    def all_or_none(self, run: Any, xs: Sequence[np.ndarray]) -> tuple[list[Any], list[Any]]:
        """As `run`, by a schedule."""

    def pack(self, outputs: Sequence[Any]) -> Any:
        """Outputs in the structure that the model gives."""


def train_step(model: Trainable, batch: Batch, watch: Watch | None = None) -> None:
    """One update of the weights: forward, losses, backward, optimizer; the batch is counted in the objective."""
    x, y, weight = batch
    plan = model.plan()
    schedule = plan.schedule
    outputs, masks = model.all_or_none(schedule.forward, x)
    samples = len(x[0])
    gradients: list[Any] = [None] * len(outputs)
    total, spoilt, several = 0.0, "", len(plan.losses) > 1
    for head, fused in plan.losses:
        i = head.index
        differentiate = head.loss.value_and_logits_gradient if fused else head.loss.value_and_gradient
        value, gradients[i] = differentiate(y[i], outputs[i], weight[i], masks[i])
        if several:
            head.count(value, samples)
            spoilt = spoilt if math.isfinite(value) else head.name
        if head.loss_weight is not None:
            value *= head.loss_weight
            gradients[i] = gradients[i] * head.loss_weight
        total += value
    for i in range(plan.outputs, plan.outputs + plan.added):
        value, gradients[i] = mean_gradient(outputs[i])
        total += value
    if plan.regularized:
        total += _penalties(plan)
    if watch is not None and not math.isfinite(total):
        watch.loss(total, schedule.graph, x, spoilt)
    if plan.variables:
        schedule.backward(gradients)
        if plan.regularized:
            _add_penalties(plan)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_weights)
        model.optimizer.apply(plan.variables)
    else:
        warnings.warn(f"{model}: there are no trainable weights", stacklevel=3)
    model.objective.count(total, samples)
    model.objective.update(y, outputs, weight, masks)
    for metric, values in zip(model.added.metrics, outputs[plan.outputs + plan.added :]):
        metric.update_state(values)


def test_step(model: Trainable, batch: Batch, watch: Watch | None = None) -> None:
    """Losses and metrics of a batch, counted in the objective."""
    x, y, weight = batch
    plan = model.plan()
    outputs, masks = model.all_or_none(plan.schedule.infer, x)
    samples = len(x[0])
    total, spoilt, several = 0.0, "", len(plan.losses) > 1
    for head, fused in plan.losses:
        i = head.index
        value = head.loss(y[i], outputs[i], weight[i], masks[i], fused)
        if several:
            head.count(value, samples)
            spoilt = spoilt if math.isfinite(value) else head.name
        total += value if head.loss_weight is None else value * head.loss_weight
    for i in range(plan.outputs, plan.outputs + plan.added):
        total += mean_gradient(outputs[i])[0]
    if plan.regularized:
        total += _penalties(plan)
    if watch is not None and not math.isfinite(total):
        watch.loss(total, plan.schedule.graph, x, spoilt)
    model.objective.count(total, samples)
    model.objective.update(y, outputs, weight, masks)
    for metric, values in zip(model.added.metrics, outputs[plan.outputs + plan.added :]):
        metric.update_state(values)


def predict_step(model: Trainable, batch: Batch) -> list[Any]:
    """The outputs for the inputs of a batch."""
    return model.run(batch.x)[0]


def _penalties(plan: Plan) -> float:
    """The sum of the penalties on weights."""
    total = 0.0
    for variables in plan.regularized:
        total += float(sum(v.regularizer(v.data) for v in variables))
    return total


def _add_penalties(plan: Plan) -> None:
    """Add the penalties' gradients to those of the losses."""
    for variable in plan.cleared:
        variable.gradient()[...] = 0
    for variables in plan.regularized:
        for variable in variables:
            variable.add_gradient(variable.regularizer.gradient(variable.data))
