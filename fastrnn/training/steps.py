# SPDX-License-Identifier: Apache-2.0
"""What is done with one batch: an update of the weights, an evaluation, a prediction."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

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


class Part(NamedTuple):
    """What a batch that is a part of a larger one adds to the larger one's loss.

    Attributes:
        share: of a mean over the samples.
        losses: of each output's loss, by its index: what its value and gradient are multiplied by.
        scale: what makes of this part's share of a mean the mean of the part.
    """

    share: float
    losses: Mapping[int, float]
    scale: float


def train_step(model: Trainable, batch: Batch, watch: Watch | None = None) -> None:
    """One update of the weights: forward, losses, backward, optimizer; the batch is counted in the objective."""
    plan = model.plan()
    outputs, masks = model.all_or_none(plan.schedule.forward, batch.x)
    total, gradients, spoilt = losses_of(model, plan, batch, outputs, masks)
    if plan.regularized:
        total += penalties(plan)
    if watch is not None and not math.isfinite(total):
        watch.loss(total, plan.schedule.graph, batch.x, spoilt)
    if plan.variables:
        plan.schedule.backward(gradients)
        update(model, plan)
    else:
        warnings.warn(f"{model}: there are no trainable weights", stacklevel=3)
    count(model, plan, batch, outputs, masks, total)


def test_step(model: Trainable, batch: Batch, watch: Watch | None = None) -> None:
    """Losses and metrics of a batch, counted in the objective."""
    plan = model.plan()
    outputs, masks = model.all_or_none(plan.schedule.infer, batch.x)
    total, spoilt = values_of(model, plan, batch, outputs, masks)
    if plan.regularized:
        total += penalties(plan)
    if watch is not None and not math.isfinite(total):
        watch.loss(total, plan.schedule.graph, batch.x, spoilt)
    count(model, plan, batch, outputs, masks, total)


def predict_step(model: Trainable, batch: Batch) -> list[Any]:
    """The outputs for the inputs of a batch."""
    return model.run(batch.x)[0]


def losses_of(model: Trainable, plan: Plan, batch: Batch, outputs: Sequence[Any], masks: Sequence[Any],
              part: Part | None = None) -> tuple[float, list[Any], str]:
    """The loss of a batch without penalties on weights, the gradients of the outputs, and the name of an output whose
    loss is no number, where there are several; what several outputs' losses are is counted."""
    _, y, weight = batch
    samples, total, spoilt, several = len(batch.x[0]), 0.0, "", len(plan.losses) > 1
    gradients: list[Any] = [None] * len(outputs)
    for head, fused in plan.losses:
        i = head.index
        differentiate = head.loss.value_and_logits_gradient if fused else head.loss.value_and_gradient
        value, gradients[i] = differentiate(y[i], outputs[i], weight[i], masks[i])
        if part is not None:
            value *= part.losses[i]
            gradients[i] = gradients[i] * part.losses[i]
        if several:
            head.count(value if part is None else value * part.scale, samples)
            spoilt = spoilt if math.isfinite(value) else head.name
        if head.loss_weight is not None:
            value *= head.loss_weight
            gradients[i] = gradients[i] * head.loss_weight
        total += value
    for i in range(plan.outputs, plan.outputs + plan.added):
        value, gradients[i] = mean_gradient(outputs[i])
        if part is not None:
            value *= part.share
            gradients[i] *= part.share
        total += value
    return total, gradients, spoilt


def values_of(model: Trainable, plan: Plan, batch: Batch, outputs: Sequence[Any], masks: Sequence[Any],
              part: Part | None = None) -> tuple[float, str]:
    """As `losses_of`, of outputs of inference and without gradients."""
    _, y, weight = batch
    samples, total, spoilt, several = len(batch.x[0]), 0.0, "", len(plan.losses) > 1
    for head, fused in plan.losses:
        i = head.index
        value = head.loss(y[i], outputs[i], weight[i], masks[i], fused)
        if part is not None:
            value *= part.losses[i]
        if several:
            head.count(value if part is None else value * part.scale, samples)
            spoilt = spoilt if math.isfinite(value) else head.name
        total += value if head.loss_weight is None else value * head.loss_weight
    for i in range(plan.outputs, plan.outputs + plan.added):
        value = mean_gradient(outputs[i])[0]
        total += value if part is None else value * part.share
    return total, spoilt


def update(model: Trainable, plan: Plan) -> None:
    """Change the weights by their gradients, and by those of the penalties on them."""
    if plan.regularized:
        _add_penalties(plan)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_weights)
    model.optimizer.apply(plan.variables)


def count(model: Trainable, plan: Plan, batch: Batch, outputs: Sequence[Any], masks: Sequence[Any], total: float
          ) -> None:
    """Count a batch, whose loss is `total`, in the objective and the metrics."""
    model.objective.count(total, len(batch.x[0]))
    model.objective.update(batch.y, outputs, batch.weight, masks)
    for metric, values in zip(model.added.metrics, outputs[plan.outputs + plan.added :]):
        metric.update_state(values)


def penalties(plan: Plan) -> float:
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
