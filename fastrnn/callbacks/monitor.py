# SPDX-License-Identifier: Apache-2.0
"""What the callbacks that follow one metric share: is this value better than that one?"""

from __future__ import annotations

import warnings
from typing import Any

from fastrnn.callbacks.base import Callback, Logs

_LARGER_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "cosine", "sensitivity",
                     "specificity")
_SMALLER_IS_BETTER = ("loss", "error", "entropy", "mse", "mae", "mape", "msle", "huber", "hinge", "divergence",
                      "poisson", "logcosh", "log_cosh", "perplexity", "false")


class MonitorCallback(Callback):
    """Base class of the callbacks that follow one metric.

    Args:
        monitor: name of the metric, as in the history: `"val_loss"`, `"accuracy"`, ...
        mode: `"min"` if smaller is better, `"max"` if larger is, `"auto"` to tell by the metric.
        min_delta: a change below this is no improvement.

    Raises:
        ValueError: another mode; or, when training begins, a metric whose direction `"auto"` cannot tell.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{type(self).__name__}: expected mode 'auto', 'min' or 'max', got {mode!r}")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None

    def value(self, logs: Logs | None) -> float | None:
        """The followed value in `logs`; None, with a warning, if it is not among them."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            names = ", ".join(logs or {}) or "none"
            warnings.warn(f"{type(self).__name__}: metric {self.monitor!r} is not available; there are: {names}",
                          stacklevel=2)
        return value

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference` by more than `min_delta`: anything is better than None or NaN."""
        if reference is None or reference != reference:
            return True
        if self._larger_is_better():
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def _larger_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        direction = _direction_of_metric(self.model, name)
        if direction is None:
            raise ValueError(f"{type(self).__name__}: cannot tell whether {self.monitor!r} should grow or shrink; "
                             "pass mode='max' or mode='min'")
        return direction == "up"


def _direction_of_metric(model: Any, name: str) -> str | None:
    """`"up"`, `"down"` or None, from the metric itself, else from its name."""
    for metric in getattr(model, "metrics", ()):
        if metric.name == name and getattr(metric, "_direction", None):
            return metric._direction
    if any(word in name.lower() for word in _SMALLER_IS_BETTER):
        return "down"
    if any(word in name.lower() for word in _LARGER_IS_BETTER):
        return "up"
    return None

