# SPDX-License-Identifier: Apache-2.0
"""FunctionLoss: a function of targets and predictions as a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastrnn.losses.base import Loss


class FunctionLoss(Loss):
    """A function of targets and predictions as a loss. It is made of `fastrnn.ops` and operators, so that it can be
    differentiated.

    Args:
        function: called with arrays of the predictions' dtype; gives a value for each sample, each row or each
            prediction, of which the mean is taken, or one value.
        name: of the loss; the function's by default.
        reduction: see `Loss`.

    Example:

    >>> import fastrnn
    >>> loss = FunctionLoss(lambda t, p: fastrnn.ops.mean((t - p) ** 2, axis=-1), "squares")
    >>> loss([[0.0], [0.0]], [[1.0], [3.0]])
    5.0
    """

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None,
                 reduction: str | None = "sum_over_batch_size") -> None:
        super().__init__(name or getattr(function, "__name__", type(function).__name__), reduction)
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": self.name}
