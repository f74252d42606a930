# SPDX-License-Identifier: Apache-2.0
"""One output's loss and metrics, and their averages over an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastrnn import losses
from fastrnn import metrics as metrics_module
from fastrnn.metrics.base import update


class Head:
    """The loss and the metrics of one output, and their averages since the last `reset`.

    The loss is averaged over the batches, each weighted by its number of samples. Masked time steps count in neither
    kind of metric, where it `heeds_masks`; sample weights count in the loss and in `weighted_metrics`.

    Args:
        loss: name or instance of a loss, or None.
        metrics: names or instances.
        weighted_metrics: names or instances.
        loss_weight: factor of the loss in the model's, None for 1.
        index: of the output.
        name: of the output.
        title: what the logs call the loss.

    Attributes:
        loss: the loss; None where there is none, or `bind` has yet to choose it.
        given_loss, given: loss and metrics as they were given.
        plain, weighted: the metrics; none before `bind`.

    Raises:
        ValueError: an unknown name.
    """

    def __init__(self, loss: Any = None, metrics: Sequence[Any] = (), weighted_metrics: Sequence[Any] = (),
                 loss_weight: float | None = None, index: int = 0, name: str = "", title: str = "") -> None:
        self.index, self.name, self.title = index, name, title
        self.given_loss = loss
        self._named_loss = loss if isinstance(loss, str) and loss.lower() in ("crossentropy", "ce") else None
        self.loss: Any = None if self._named_loss else losses.get(loss)
        self.loss_weight = loss_weight
        self.given = list(metrics), list(weighted_metrics)
        self.plain: list[Any] = []
        self.weighted: list[Any] = []
        self._kind: str | None = None
        self._fits: tuple[Sequence[int], ...] = ()    # shapes, the samples aside, that the loss can take
        for given in (*metrics, *weighted_metrics):   # which metric may depend on shapes; that it is one does not
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
    def needs_targets(self) -> bool:
        """Whether a loss or a metric was given."""
        return self.has_loss or any(self.given)

    @property
    def wants_indices(self) -> bool:
        """Whether the targets are class indices."""
        return self._named_loss is None and isinstance(self.loss, losses.SparseCategoricalCrossentropy)

    def bind(self, y_shape: Sequence[int], output_shape: Sequence[Any]) -> bool:
        """Make what needs the shapes of targets and outputs: names like "accuracy" stand for one of several metrics.

        Nothing changes where other shapes ask for the same.

        Returns:
            Whether the shapes are others than those of the last time, so that there may be other metrics.

        Raises:
            ValueError: the loss cannot take targets of that shape.
        """
        shapes = y_shape[1:], output_shape[1:]
        if shapes == self._fits:
            return False
        kind = losses.kind_of_targets(y_shape, output_shape)
        if kind != self._kind:
            self._choose(kind, y_shape, output_shape)
        if isinstance(self.loss, losses.Loss):
            self.loss.check_shapes(y_shape, output_shape)
        self._fits = shapes
        return True

    def _choose(self, kind: str, y_shape: Sequence[int], output_shape: Sequence[Any]) -> None:
        """Make the loss and the metrics of targets of a kind."""
        if self._named_loss:
            self.loss = losses.get(self._named_loss, y_shape, output_shape)
        self.plain, self.weighted = ([metrics_module.get(given, y_shape, output_shape) for given in group]
                                     for group in self.given)
        self._kind = kind

    def reset(self) -> None:
        """Begin new averages."""
        self._total, self._samples = 0.0, 0
        for metric in (*self.plain, *self.weighted):
            metric.reset_state()

    def count(self, value: float, samples: int) -> None:
        """Count the loss of a batch, before its weight."""
        self._total += value * samples
        self._samples += samples

    def update(self, y: np.ndarray, output: np.ndarray, weight: np.ndarray | None, mask: np.ndarray | None) -> None:
        """Count a batch in the metrics."""
        for metrics, weighted in (self.plain, None), (self.weighted, weight):
            if metrics:
                counted = losses.masked_weight(weighted, mask)
                for metric in metrics:
                    update(metric, y, output, counted if getattr(metric, "heeds_masks", False) else weighted)

    def counted(self) -> list[Any]:
        """What was counted since the last reset, to which that of other samples can be added."""
        return [self._total, self._samples]

    def recount(self, counts: Iterator[Any]) -> None:
        """Set what was counted to the next of what `counted` gave."""
        self._total, self._samples = next(counts), next(counts)

    def result(self) -> float:
        """The average loss, before its weight."""
        return self._total / self._samples if self._samples else 0.0
