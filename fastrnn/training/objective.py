# SPDX-License-Identifier: Apache-2.0
"""The loss and the metrics that a model is compiled with, and their averages over an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import losses
from fastrnn import metrics as metrics_module


class Objective:
    """The loss and the metrics of a model, and their averages since the last `reset`.

    The loss is averaged over the batches, each weighted by its number of samples. Masked time steps count in neither
    kind of metric; sample weights count in the loss and in `weighted_metrics`.

    Args:
        loss: name or instance of a loss, or None.
        metrics: names or instances.
        weighted_metrics: names or instances.

    Raises:
        ValueError, TypeError: an unknown name, or `metrics` that is not a list.
    """

    def __init__(self, loss: Any = None, metrics: Any = None, weighted_metrics: Any = None) -> None:
        self._named_loss = loss if isinstance(loss, str) and loss.lower() in ("crossentropy", "ce") else None
        self.loss: Any = None if self._named_loss else losses.get(loss)
        self._given = _as_list(metrics, "metrics"), _as_list(weighted_metrics, "weighted_metrics")
        self._plain: list[Any] = []
        self._weighted: list[Any] = []
        self._named: dict[str, Any] = {}
        self._kind: str | None = None
        self._fits: tuple[Sequence[int], ...] = ()    # shapes, the samples aside, that the loss can take
        for given in (*self._given[0], *self._given[1]):    # which metric may depend on shapes; that it is one does not
            if given is None:
                raise ValueError("compile: expected a metric, got None")
            if not metrics_module.needs_shapes(given):
                metrics_module.get(given)
        self.reset()

    @property
    def has_loss(self) -> bool:
        """Whether a loss was given."""
        return self.loss is not None or self._named_loss is not None

    @property
    def wants_indices(self) -> bool:
        """Whether the targets are class indices."""
        return self._named_loss is None and isinstance(self.loss, losses.SparseCategoricalCrossentropy)

    def bind(self, y_shape: Sequence[int], output_shape: Sequence[Any]) -> None:
        """Make what needs the shapes of targets and outputs: names like "accuracy" stand for one of several metrics.

        Nothing changes where other shapes ask for the same.

        Raises:
            ValueError: the loss cannot take targets of that shape.
        """
        kind = losses.kind_of_targets(y_shape, output_shape)
        if kind != self._kind:
            self._choose(kind, y_shape, output_shape)
        shapes = y_shape[1:], output_shape[1:]
        if shapes != self._fits:
            if isinstance(self.loss, losses.Loss):
                self.loss.check_shapes(y_shape, output_shape)
            self._fits = shapes

    def _choose(self, kind: str, y_shape: Sequence[int], output_shape: Sequence[Any]) -> None:
        """Make the loss and the metrics of targets of a kind."""
        if self._named_loss:
            self.loss = losses.get(self._named_loss, y_shape, output_shape)
        plain, weighted = ([metrics_module.get(given, y_shape, output_shape) for given in group]
                           for group in self._given)
        self._named = _distinct_names(plain, weighted)
        self._plain, self._weighted, self._kind = plain, weighted, kind

    @property
    def metrics(self) -> list[Any]:
        """The metrics; none before `bind`."""
        return [*self._plain, *self._weighted]

    @property
    def names(self) -> list[str]:
        """`"loss"` and the names of the metrics, in the order in which their values are returned."""
        return ["loss", *self._named]

    def reset(self) -> None:
        """Begin new averages."""
        self._total = 0.0
        self.samples = 0
        for metric in self._named.values():
            metric.reset_state()

    def update(self, y: np.ndarray, output: np.ndarray, weight: np.ndarray | None, mask: np.ndarray | None,
               value: float) -> None:
        """Count a batch: its targets, outputs, weights, mask and loss."""
        self._total += value * len(output)
        self.samples += len(output)
        if self._plain:
            counted = losses.masked_weight(None, mask)
            for metric in self._plain:
                metric.update_state(y, output, counted)
        if self._weighted:
            counted = losses.masked_weight(weight, mask)
            for metric in self._weighted:
                metric.update_state(y, output, counted)

    def values(self) -> list[float]:
        """The averages, in the order of `names`."""
        loss = self._total / self.samples if self.samples else 0.0
        return [loss, *(float(metric.result()) for metric in self._named.values())]

    def logs(self) -> dict[str, float]:
        """The averages by name, sorted by name as Keras gives them to callbacks and the history."""
        return dict(sorted(zip(self.names, self.values(), strict=True)))


def _distinct_names(plain: Sequence[Any], weighted: Sequence[Any]) -> dict[str, Any]:
    """The metrics by name; where one is taken, a weighted metric gets `weighted_` before it, then any a number."""
    named: dict[str, Any] = {}
    for metric, prefix in [*((metric, "") for metric in plain), *((metric, "weighted_") for metric in weighted)]:
        name = metric.name if metric.name not in named else prefix + metric.name
        number = 0
        while name in named:
            number += 1
            name = f"{prefix}{metric.name}_{number}"
        named[name] = metric
    return named


def _as_list(metrics: Any, what: str) -> Sequence[Any]:
    """`metrics` as a flat list: names and instances, or None for none."""
    if metrics is None:
        return []
    if not isinstance(metrics, (list, tuple)):
        raise TypeError(f"compile: expected {what} to be a list, got {metrics!r}; write {what}=[{metrics!r}]")
    return [item for given in metrics for item in (given if isinstance(given, (list, tuple)) else [given])]
