# SPDX-License-Identifier: Apache-2.0
"""What a rank does with its share of a batch."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn.distribution import state
from fastrnn.distribution.feeds import Share
from fastrnn.distribution.gradients import Gradients
from fastrnn.distribution.tally import Tally
from fastrnn.training.feeds import Batch
from fastrnn.training.plan import Plan
from fastrnn.training.steps import Part, Trainable, count, losses_of, penalties, predict_step, update, values_of
from fastrnn.training.watch import Watch

#: Of each output's loss, by its index, what a shard weighs in the batch, None for its number of samples.
Masses = dict[int, float | None]


class Steps:
    """The steps of one rank.

    Args:
        comm: the communicator.
        tally: counts losses and metrics.
        tree: sum gradients in the order of the tree.

    Attributes:
        plan: of the model that is trained, None before.
        seconds: spent in training steps, sums over ranks included.
    """

    def __init__(self, comm: Any, tally: Tally, tree: bool) -> None:
        self._comm, self._tally, self._tree = comm, tally, tree
        self.plan: Plan | None = None
        self._gradients: Gradients | None = None
        self._seeded: list[Any] = []        # layers with a generator of random numbers of their own
        self._changing: list[Any] = []      # layers that forward passes change
        self.seconds = 0.0

    def gradients(self, model: Any) -> Gradients:
        """The gradients of a model, in one piece of memory."""
        plan = model.plan()
        if self._gradients is None or plan is not self.plan:
            self._seeded = state.seeded_layers(model)
            self._changing = [layer for layer in model.walk() if layer.changed_by_calls]
            moving = list({id(v): v for layer in self._changing for v in layer.non_trainable_weights}.values())
            self._gradients = Gradients(plan.schedule.variables, moving, self._comm, self._tree)
            self.plan = plan
        return self._gradients

    def train(self, model: Any, share: Share, watch: Watch) -> None:
        """One update of the weights, the same on every rank."""
        began = time.perf_counter()
        plan, gradients = model.plan(), self.gradients(model)
        if not plan.variables:
            warnings.warn(f"{model}: there are no trainable weights", stacklevel=3)
        before = [layer.snapshot() for layer in self._changing]
        whole = self._masses_beforehand(model, plan, share)
        for i, (number, batch) in enumerate(share.shards):
            gradients.begin()
            for layer, snapshot in zip(self._changing, before):
                layer.restore(snapshot)
            if batch is None:
                if whole is None:
                    self._whole([{}], plan)
                gradients.take(False, 0.0)
                continue
            with state.drawn_for(model, self._seeded, number):
                outputs, masks = plan.schedule.forward(batch.x)
                mass = _masses(plan, batch, masks)
                total_mass = self._whole([mass], plan) if whole is None else whole
                part = _part(plan, share.samples, batch, mass, total_mass)
                with self._tally.of(model.objective, i):
                    total, dys, spoilt = losses_of(model, plan, batch, outputs, masks, part)
                    total = total * part.scale + (penalties(plan) if plan.regularized else 0.0)
                    _check(total, watch, plan, batch, spoilt, self._comm)
                    count(model, plan, batch, outputs, masks, total)
                if plan.variables:
                    plan.schedule.backward(dys)
            gradients.take(True, part.share)
        gradients.reduce()
        if plan.variables:
            update(model, plan)
        self.seconds += time.perf_counter() - began

    def test(self, model: Any, share: Share, watch: Watch) -> None:
        """Losses and metrics of a batch."""
        plan = model.plan()
        runs: list[tuple[int, Batch, Any, Any, Masses]] = []
        for i, (_, batch) in enumerate(share.shards):
            if batch is not None:
                outputs, masks = plan.schedule.infer(batch.x)
                runs.append((i, batch, outputs, masks, _masses(plan, batch, masks)))
        whole = self._whole([mass for *_, mass in runs], plan) if self._by_mass(plan, share) else {}
        for i, batch, outputs, masks, mass in runs:
            part = _part(plan, share.samples, batch, mass, whole)
            with self._tally.of(model.objective, i):
                total, spoilt = values_of(model, plan, batch, outputs, masks, part)
                total = total * part.scale + (penalties(plan) if plan.regularized else 0.0)
                _check(total, watch, plan, batch, spoilt, self._comm)
                count(model, plan, batch, outputs, masks, total)

    def predict(self, model: Trainable, share: Share) -> list[np.ndarray]:
        """The outputs for a whole batch, on every rank."""
        mine = [predict_step(model, batch) for _, batch in share.shards if batch is not None]
        every = [outputs for rank in self._comm.allgather(mine) for outputs in rank]
        return [np.concatenate(pieces) for pieces in zip(*every)]

    # masses --------------------------------------------------------------------------------------------------------

    def _by_mass(self, plan: Plan, share: Share) -> bool:
        """Whether a loss weighs the shards by something else than their samples, which all ranks have to know. Every
        rank
        finds the same: it depends on the model, the losses, and on whether there are sample weights."""
        if any(mask for mask in plan.schedule.masked_outputs):
            return True
        for head, _ in plan.losses:
            if getattr(head.loss, "ignore_class", None) is not None or head.loss.reduction == "mean_with_sample_weight":
                return True
        return False

    def _masses_beforehand(self, model: Any, plan: Plan, share: Share) -> Mapping[int, float] | None:
        """What all shards together weigh in each loss, where that is known before the first is run through: nothing by
        another measure than samples; else, of several shards, from a pass without gradients. None: it will be known
        after the forward pass of the only shard."""
        if not self._by_mass(plan, share):
            return {}
        if len(share.shards) == 1:
            return None
        masses = []
        for _, batch in share.shards:
            if batch is not None:
                masses.append(_masses(plan, batch, plan.schedule.infer(batch.x)[1]))
        return self._whole(masses, plan)

    def _whole(self, masses: Sequence[Masses], plan: Plan) -> dict[int, float]:
        """The masses of all shards together; the sums are exact, so that their order does not matter."""
        every = [mass for rank in self._comm.allgather(masses) for mass in rank]
        return {head.index: math.fsum(mass.get(head.index) or 0.0 for mass in every) for head, _ in plan.losses}


def _masses(plan: Plan, batch: Batch, masks: Sequence[Any]) -> Masses:
    return {head.index: head.loss.mass(batch.y[head.index], batch.weight[head.index], masks[head.index])
            for head, _ in plan.losses}


def _part(plan: Plan, samples: int, batch: Batch, mass: Masses, whole: Mapping[int, float]) -> Part:
    """What a shard adds to the loss of the batch."""
    mine = len(batch.x[0])
    shares = {}
    for head, _ in plan.losses:
        own = mass[head.index]
        if head.loss.reduction == "sum":
            shares[head.index] = 1.0
        elif own is None:
            shares[head.index] = mine / samples
        else:
            shares[head.index] = own / whole[head.index] if whole[head.index] else 0.0
    return Part(mine / samples, shares, samples / mine)


def _check(total: float, watch: Watch, plan: Plan, batch: Batch, spoilt: str, comm: Any) -> None:
    """End with an error where the loss is no number: with the next sum it would be all ranks' weights that are none."""
    if math.isfinite(total):
        return
    if comm.Get_size() == 1:
        watch.loss(total, plan.schedule.graph, batch.x, spoilt)
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        watch.loss(total, plan.schedule.graph, batch.x, spoilt)
    raise FloatingPointError(f"rank {comm.Get_rank()}: {said[0].message if said else f'the loss is {total}'}")
