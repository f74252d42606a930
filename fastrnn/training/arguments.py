# SPDX-License-Identifier: Apache-2.0
"""From the arguments of `fit`, `evaluate` and `predict` to checked batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastrnn import arrays
from fastrnn.training import data
from fastrnn.training.alone import team
from fastrnn.training.feeds import Batch, Feed, split
from fastrnn.training.loop import Fit
from fastrnn.training.outputs import ABSENT
from fastrnn.training.watch import Watch


def fit_arguments(model: Any, x: Any, y: Any, batch_size: int | None, epochs: int, validation_split: float,
                  validation_data: Any, shuffle: bool | str, class_weight: Any, sample_weight: Any, initial_epoch: int,
                  steps_per_epoch: int | None, validation_steps: int | None, validation_batch_size: int | None,
                  validation_freq: Any) -> Fit:
    """What `Model.fit`, whose arguments these are, is to do.

    Raises:
        ValueError, TypeError: an argument does not fit the model or the others.
    """
    epochs = data.check_count(epochs, "fit: epochs", least=0)
    initial_epoch = data.check_count(initial_epoch, "fit: initial_epoch", least=0)
    if shuffle not in (True, False, "batch"):
        raise ValueError(f"fit: expected shuffle to be True, False or 'batch', got {shuffle!r}")
    validates, watch = _validates(validation_freq), Watch("fit")
    validation: Feed | None = None
    if validation_data is not None:
        val_x, val_y, val_weight = data.unpack(validation_data, "fit: validation_data")
    if data.is_source(x):
        if sample_weight is not None or (validation_split and validation_data is None):
            raise ValueError("fit: with batches from a source, sample_weight and validation_split are not supported; "
                             "yield (x, y, sample_weight), and pass validation_data")
        feed = source_feed(model, x, y, steps_per_epoch, "fit", watch, class_weight, shuffle)
    else:
        samples = batch_of(model, x, y, sample_weight, "fit", watch, class_weight)
        if validation_split and validation_data is None:
            samples, held_out = split(samples, validation_split)
            if class_weight is not None:
                held_out = held_out._replace(weight=[None] * len(held_out.weight))  # weighted in training alone
            validation = array_feed(model, held_out, validation_batch_size or batch_size, validation_steps, "fit")
        feed = array_feed(model, samples, batch_size, steps_per_epoch, "fit", shuffle)
    if validation_data is not None:
        validation = feed_of(model, val_x, val_y, val_weight, validation_batch_size or batch_size, validation_steps,
                             "fit: validation_data", watch)
    return Fit(feed, range(initial_epoch, epochs), validation, validates, watch)


def _validates(frequency: Any) -> Callable[[int], bool]:
    """Whether to evaluate after the epoch of an index, by `validation_freq`."""
    if isinstance(frequency, (list, tuple, set)):
        return lambda epoch: epoch + 1 in frequency
    every = data.check_count(frequency, "fit: validation_freq")
    return lambda epoch: (epoch + 1) % every == 0


# feeds -------------------------------------------------------------------------------------------------------------

def feed_of(model: Any, x: Any, y: Any, weight: Any, batch_size: int | None, steps: int | None, who: str,
            watch: Watch) -> Feed:
    """The batches of arrays or of a source, with targets."""
    if data.on_disk(x):
        x = data.Slices(x, y, weight, data.check_count(batch_size or 32, f"{who}: batch_size"), who)
        y = weight = None
    if data.is_source(x):
        if weight is not None:
            raise ValueError(f"{who}: with batches from a source, yield (x, y, sample_weight)")
        return source_feed(model, x, y, steps, who, watch)
    return array_feed(model, batch_of(model, x, y, weight, who, watch), batch_size, steps, who)


def array_feed(model: Any, samples: Batch, batch_size: int | None, steps: int | None, who: str,
               shuffle: bool | str = False) -> Feed:
    """The batches of checked arrays."""
    if steps is not None:
        data.check_count(steps, f"{who}: number of steps")
    count = len(samples.x[0])
    if batch_size is None:
        batch_size = 32 if steps is None else -(-count // steps)
    data.check_count(batch_size, f"{who}: batch_size")
    if model.stateful:
        _check_batches(model, count, batch_size, steps, who)
    return Feed(team().arrays(samples, batch_size, shuffle), steps, who)


def _check_batches(model: Any, samples: int, batch_size: int, steps: int | None, who: str) -> None:
    """Refuse what would come half-way to a batch of another size than the states have by then."""
    model.check_batch(min(samples, batch_size))
    left = samples % batch_size
    if left and samples > batch_size and (steps is None or steps * batch_size > samples):
        raise ValueError(f"{who}: {model} is stateful: expected whole batches of {batch_size}, got {samples}; "
                         f"leave out {left} of them, or pass another batch_size")


def source_feed(model: Any, source: Any, y: Any, steps: int | None, who: str, watch: Watch | None,
                class_weight: Any = None, shuffle: bool | str = False) -> Feed:
    """Batches from a source, which yields targets too if there is something to watch them."""
    if y is not None:
        raise ValueError(f"{who}: y must be None where x is a source of batches; it yields (x, y)")
    if steps is not None:
        data.check_count(steps, f"{who}: number of steps")

    def convert(x: Any, y: Any, weight: Any) -> Batch:
        if watch is not None:
            return batch_of(model, x, y, weight, who, watch, class_weight)
        return Batch(model.prepare(x), (), ())

    return Feed(team().source(source, convert, shuffle), steps, who)


# samples -----------------------------------------------------------------------------------------------------------

def batch_of(model: Any, x: Any, y: Any, weight: Any, who: str, watch: Watch, class_weight: Any = None) -> Batch:
    """Check and convert inputs, targets and weights that belong together."""
    xs = model.prepare(x)
    samples = len(xs[0])
    if samples == 0:
        raise ValueError(f"{who}: x has no samples: its shape is {xs[0].shape}")
    objective = model.objective
    heads, outputs = objective.heads, objective.outputs
    shapes = model.output_shapes(xs)
    if class_weight is not None:
        if weight is not None:
            raise ValueError(f"{who}: pass class_weight or sample_weight, not both")
        if not outputs.single:
            raise ValueError(f"{who}: class_weight is for models with one output, {model} has {len(heads)}: "
                             f"{', '.join(outputs.names)}; pass sample_weight for each of them")
    ys = _targets(model, y, f"{who}: y")
    weights = _weights(model, weight, samples, f"{who}: sample_weight")
    for head, shape in zip(heads, shapes):
        index = head.index
        if not head.needs_targets:
            weights[index] = None
            continue
        what = outputs.of(index, f"{who}: y")
        target = data.as_targets(ys[index], head.wants_indices, model.dtype, what)
        data.check_length(samples, target, what)
        if class_weight is not None:
            weights[index] = data.class_weights(class_weight, target, model.dtype, f"{who}: class_weight",
                                                len(shape) > 2)
        try:
            objective.bind(index, target.shape, shape)
        except ValueError as error:
            if outputs.single:
                raise
            raise ValueError(f"{what}: {error}") from None
        watch.targets(target, head.loss, what)
        ys[index] = target
    return Batch(xs, ys, weights)


def _targets(model: Any, y: Any, what: str) -> list[Any]:
    """The targets of each output as a user passes them, None for those that need none."""
    heads, outputs = model.objective.heads, model.objective.outputs
    needing = [head for head in heads if head.needs_targets]
    if not needing:
        return [None] * len(heads)
    if y is None:
        raise ValueError(f"{what} is missing; pass the targets of x")
    if outputs.single:
        return [outputs.spread(y, what)[0] if isinstance(y, Mapping) else y]
    if len(needing) < len(heads) and not isinstance(y, Mapping):
        if len(needing) == 1 and (arrays.is_array_like(y) or not isinstance(y, (list, tuple))):
            y = [y]
        if isinstance(y, (list, tuple)) and len(y) == len(needing):     # Keras too takes the targets needed alone
            y = {head.name: one for head, one in zip(needing, y)}
    found = outputs.spread(y, what)
    missing = [head.name for head in needing if found[head.index] is None or found[head.index] is ABSENT]
    if missing:
        raise ValueError(f"{what}: expected targets of {', '.join(repr(head.name) for head in needing)}, got none of "
                         f"{', '.join(map(repr, missing))}; pass them, or compile with None as their losses")
    return [found[head.index] if head.needs_targets else None for head in heads]


def _weights(model: Any, weight: Any, samples: int, what: str) -> list[Any]:
    """The sample weights of each output, or None; those of one array hold for all."""
    outputs = model.objective.outputs
    count = len(outputs.names)
    if weight is None:
        return [None] * count
    if isinstance(weight, Mapping) or (not outputs.single and _is_list_of_arrays(weight)):
        given = outputs.spread(weight, what)
    else:
        given = [data.single_weight(weight, samples)] * count
    return [None if one is None or one is ABSENT
            else data.as_weights(one, samples, model.dtype, outputs.of(index, what)) for index, one in enumerate(given)]


def _is_list_of_arrays(weight: Any) -> bool:
    return isinstance(weight, (list, tuple)) and any(
        one is None or isinstance(one, (list, tuple, Mapping)) or getattr(one, "ndim", 0) > 0 for one in weight)
