# SPDX-License-Identifier: Apache-2.0
"""The loop of training, of evaluation and of prediction, over any model that can be run and backpropagated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from fastrnn.training.alone import team
from fastrnn.training.data import Whole
from fastrnn.training.feeds import Feed
from fastrnn.training.steps import Trainable
from fastrnn.training.watch import Watch

if TYPE_CHECKING:
    from fastrnn.callbacks.callback_list import CallbackList


class Fit(NamedTuple):
    """What a training is made of.

    Attributes:
        feed: the training batches.
        epochs: indices of the epochs to run.
        validation: batches to evaluate after an epoch, or None.
        validates: whether to evaluate after the epoch of an index.
        watch: warns of losses that are no numbers.
    """

    feed: Feed
    epochs: range
    validation: Feed | None
    validates: Callable[[int], bool]
    watch: Watch


def fit(model: Trainable, run: Fit, callbacks: CallbackList) -> None:
    """Train; `model.stop_training` set by one of the callbacks ends it, `model.first_epoch` set when it begins lets it
    begin there."""
    feed, epochs, validation, validates, watch = run
    objective, workers = model.objective, team()
    model.stop_training = False
    logs: dict[str, float] = {}
    model.first_epoch = epochs.start
    callbacks.on_train_begin()
    workers.begin(model)
    watched, read = workers.any(callbacks.watches_batches), workers.any(callbacks.wants_train_logs)
    for epoch in range(model.first_epoch, epochs.stop):
        workers.reset(objective)
        callbacks.on_epoch_begin(epoch)
        watch.part = f"epoch {epoch}"
        for step, batch in enumerate(feed.epoch()):
            callbacks.on_train_batch_begin(step)
            watch.batch = step
            workers.train_step(model, batch, watch)
            if watched:
                callbacks.on_train_batch_end(step, workers.logs(objective) if read else None)
            if workers.stops(model, watched):
                break
        if feed.exhausted and not objective.samples:
            break
        logs = workers.logs(objective)
        if validation is not None and validates(epoch):
            validated = evaluate(model, validation, callbacks, watch, f"the validation of epoch {epoch}")
            if not validation.exhausted or objective.samples:
                logs = dict(sorted([*logs.items(), *((f"val_{name}", value) for name, value in validated.items())]))
        callbacks.on_epoch_end(epoch, dict(logs))       # what callbacks add to it is the epoch's, not the training's
        workers.end_epoch(model)
        if model.stop_training or feed.exhausted:
            break
    if epochs:
        model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def evaluate(model: Trainable, feed: Feed, callbacks: CallbackList, watch: Watch, part: str = "the evaluation"
             ) -> dict[str, float]:
    """Losses and metrics over one epoch of `feed`, by name."""
    objective, workers = model.objective, team()
    watch.part = part
    workers.reset(objective)
    feed.restart()
    callbacks.on_test_begin()
    read = workers.any(callbacks.wants_test_logs)
    for step, batch in enumerate(feed.epoch()):
        callbacks.on_test_batch_begin(step)
        watch.batch = step
        workers.test_step(model, batch, watch)
        callbacks.on_test_batch_end(step, workers.logs(objective) if read else None)
    logs = workers.logs(objective)
    callbacks.on_test_end(logs)
    return logs


def predict(model: Trainable, feed: Feed, samples: int | None, callbacks: CallbackList) -> list[Any] | None:
    """The outputs for all the samples of one epoch of `feed`, None if it has none."""
    workers = team()
    callbacks.on_predict_begin()
    whole = Whole(samples)
    for step, batch in enumerate(feed.epoch()):
        callbacks.on_predict_batch_begin(step)
        outputs = workers.predict_step(model, batch)
        callbacks.on_predict_batch_end(step, {"outputs": model.pack(outputs)})
        whole.add(outputs)
    callbacks.on_predict_end()
    return whole.arrays()
