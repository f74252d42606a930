# SPDX-License-Identifier: Apache-2.0
"""The losses and the metrics that a model is compiled with, and their averages over an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn.training.head import Head
from fastrnn.training.outputs import ABSENT, Outputs

_ONE = Outputs(["output"])


class Objective:
    """The losses and the metrics of a model, and their averages since the last `reset`.

    The loss of the model is the sum of those of the outputs, times their weights, of the penalties on the weights, and
    of what `add_loss` adds.

    Args:
        loss: name or instance of a loss, of all outputs; or one for each, in a list or a dictionary by name, where None
            is none.
        metrics: names or instances; of several outputs, for each one or a list of them, in a list or a dictionary.
        weighted_metrics: likewise.
        loss_weights: a number for each output, or one for all.
        outputs: of the model; None for one.

    Attributes:
        heads: for each output its loss and metrics.
        added: metrics that `add_metric` adds, which the steps update.
        samples: counted since the last `reset`.

    Raises:
        ValueError, TypeError: an unknown name, or something that does not fit the outputs.
    """

    def __init__(self, loss: Any = None, metrics: Any = None, weighted_metrics: Any = None, loss_weights: Any = None,
                 outputs: Outputs | None = None) -> None:
        self.outputs = outputs = outputs or _ONE
        given = zip(_losses(loss, outputs), _metrics(metrics, "metrics", outputs),
                    _metrics(weighted_metrics, "weighted_metrics", outputs), _weights(loss_weights, outputs))
        self.heads = [Head(*arguments, index, "" if outputs.single else outputs.names[index], outputs.titles[index])
                      for index, arguments in enumerate(given)]
        with_loss = [self.heads[index] for index in outputs.order(loss) if self.heads[index].has_loss]
        self.has_loss = bool(with_loss)
        self._shown = with_loss if len(with_loss) > 1 else []      # whose losses are in the logs, each by itself
        self._measured = [head for head in self.heads if any(head.given)]
        self.added: list[Any] = []
        self._named: dict[str, Any] | None = None
        self.reset()

    @property
    def metrics(self) -> list[Any]:
        """The metrics; none before the first batch is bound."""
        return [*(metric for head in self.heads for metric in (*head.plain, *head.weighted)), *self.added]

    @property
    def names(self) -> list[str]:
        """`"loss"` and the names of the other losses and of the metrics, in the order in which their values are
        returned, which is Keras's."""
        return ["loss", *self._averaged()]

    def bind(self, index: int, y_shape: Sequence[int], output_shape: Sequence[Any]) -> None:
        """Tell an output's head the shapes of targets and output; see `Head.bind`."""
        if self.heads[index].bind(y_shape, output_shape):
            self._named = None

    def add(self, metric: Any) -> None:
        """Have a metric among those of the model; who adds it updates it."""
        self.added.append(metric)
        self._named = None

    def reset(self) -> None:
        """Begin new averages."""
        self._total = 0.0
        self.samples = 0
        for head in self.heads:
            head.reset()
        for metric in self.added:
            metric.reset_state()

    def count(self, value: float, samples: int) -> None:
        """Count the model's loss over a batch."""
        self._total += value * samples
        self.samples += samples

    def update(self, y: Sequence[Any], outputs: Sequence[Any], weights: Sequence[Any], masks: Sequence[Any]) -> None:
        """Count a batch in the metrics: for each output targets, output, sample weights and mask."""
        for head in self._measured:
            index = head.index
            head.update(y[index], outputs[index], weights[index], masks[index])

    def counted(self) -> list[Any]:
        """What was counted since the last `reset`, as numbers and arrays to which those of other samples can be added;
        None where that is nothing.

        Raises:
            NotImplementedError: a metric counts in attributes of its own.
        """
        return [self._total, self.samples, *(count for one in (*self.heads, *self.metrics) for count in one.counted())]

    def recount(self, counts: Sequence[Any]) -> None:
        """Set what was counted to what `counted` gave."""
        left = iter(counts)
        self._total, self.samples = next(left), next(left)
        for one in (*self.heads, *self.metrics):
            one.recount(left)

    def values(self) -> list[Any]:
        """The averages, in the order of `names`: numbers, arrays of metrics that give some, and dictionaries."""
        return [self._loss(), *(_plain(one.result()) for one in self._averaged().values())]

    def logs(self) -> dict[str, Any]:
        """The averages by name, sorted by name as Keras gives them to callbacks and the history; where a metric gives a
        dictionary, what is in it."""
        logs: dict[str, Any] = {}
        for name, value in zip(self.names, self.values(), strict=True):
            logs.update(value if isinstance(value, dict) else {name: value})
        return dict(sorted(logs.items()))

    def _loss(self) -> float:
        return self._total / self.samples if self.samples else 0.0

    def _averaged(self) -> dict[str, Any]:
        """The heads and metrics whose results are the averages beside the model's loss, by name. Of several outputs the
        names of metrics begin with the output's, and are sorted."""
        if self._named is None:
            metrics = _distinct_names([(metric, "" if self.outputs.single else f"{head.name}_", before)
                                       for before, kind in (("", "plain"), ("weighted_", "weighted"))
                                       for head in self.heads for metric in getattr(head, kind)])
            metrics = metrics if self.outputs.single else dict(sorted(metrics.items()))
            self._named = {**{f"{head.title}_loss": head for head in self._shown}, **metrics}
            for metric in self.added:
                self._named[_free(metric.name, self._named)] = metric
        return self._named


def _plain(result: Any) -> Any:
    """What a metric gives as a number, or where it is several an array or a dictionary."""
    if isinstance(result, Mapping):
        return {name: _plain(value) for name, value in result.items()}
    if type(result) is float:
        return result
    return float(result) if np.size(result) == 1 and np.ndim(result) == 0 else np.asarray(result)


def _distinct_names(metrics: Sequence[tuple[Any, str, str]]) -> dict[str, Any]:
    """Metrics by name, which begins with that of the output; where one is taken, a weighted metric gets `weighted_`
    before its own, then any a number."""
    named: dict[str, Any] = {}
    for metric, output, before in metrics:
        name = output + metric.name
        named[name if name not in named else _free(output + before + metric.name, named)] = metric
    return named


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, with a number where it is taken."""
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _losses(loss: Any, outputs: Outputs) -> list[Any]:
    """The loss of each output."""
    if not _is_structure(loss):
        return [loss] * len(outputs.names)
    found = outputs.spread(loss, "compile: loss")
    missing = [name for name, one in zip(outputs.names, found) if one is ABSENT]
    if missing and not outputs.by_key:
        raise ValueError(f"compile: loss: expected {outputs.expected()}, got a dictionary without "
                         f"{', '.join(map(repr, missing))}; give None to an output without a loss")
    found = [None if one is ABSENT else one for one in found]
    for index, one in enumerate(found):
        if _is_structure(one):
            raise ValueError(f"compile: {outputs.of(index, 'loss')}: expected one loss, got {one!r}")
    return found


def _weights(given: Any, outputs: Outputs) -> list[float | None]:
    """The factor of each output's loss."""
    found = [given] * len(outputs.names) if not _is_structure(given) else outputs.spread(given, "compile: loss_weights")
    for index, weight in enumerate(found):
        if weight is not None and weight is not ABSENT and (isinstance(weight, bool) or not hasattr(weight, "__float__")
                                                            or getattr(weight, "shape", ()) != ()):
            raise TypeError(f"compile: {outputs.of(index, 'loss_weights')}: expected a number, got {weight!r}")
    return [None if weight in (None, ABSENT) else float(weight) for weight in found]


def _metrics(given: Any, what: str, outputs: Outputs) -> list[list[Any]]:
    """The metrics of each output: names and instances."""
    if not given and (given is None or isinstance(given, (list, tuple, dict))):
        return [[] for _ in outputs.names]
    if not _is_structure(given):
        raise TypeError(f"compile: expected {what} to be a list, got {given!r}; write {what}=[{given!r}]")
    if outputs.single:
        return [_flat(given)]
    found = outputs.spread(given, f"compile: {what}")
    return [[] if one is None or one is ABSENT else _flat(one) if isinstance(one, (list, tuple)) else [one]
            for one in found]


def _flat(metrics: Any) -> list[Any]:
    """Names and instances out of lists and dictionaries, one in the other."""
    if isinstance(metrics, (list, tuple)):
        return [item for part in metrics for item in _flat(part)]
    if _is_structure(metrics):
        return [item for key in sorted(metrics) for item in _flat(metrics[key])]
    return [metrics]


def _is_structure(given: Any) -> bool:
    """Whether it holds one for each output; a configuration is a dictionary too."""
    return isinstance(given, (list, tuple)) or (isinstance(given, Mapping) and "class_name" not in given)
