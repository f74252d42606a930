# SPDX-License-Identifier: Apache-2.0
"""The generalized cross-entropy, which bears wrong labels (Zhang and Sabuncu 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.losses.base import RowLoss, Terms
from fastrnn.losses.crossentropy import EPSILON
from fastrnn.losses.shapes import class_indices


class CategoricalGeneralizedCrossEntropy(RowLoss):
    """`(1 - p[t]**q) / q`, for targets t that are class indices and probabilities p.

    Args:
        q: between 0, for the cross-entropy, and 1, for the absolute error.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ValueError: `q` is not between 0 and 1; when called, a target is no class.

    Example:

    >>> round(CategoricalGeneralizedCrossEntropy()([1, 0], [[0.19, 0.81], [0.64, 0.36]]), 4)
    0.3
    """

    wants_probabilities = True

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not 0 < q < 1:
            raise ValueError(f"{self.name}: expected q between 0 and 1, got {q!r}")
        self.q = q

    def _align(self, t: Any, p: np.ndarray, weight_rank: int) -> tuple[Any, np.ndarray]:
        return class_indices(self.name, t, p.shape, None), p

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        at = t.reshape(-1) + np.arange(0, p.size, max(1, p.shape[-1]))
        chosen = p.reshape(-1).take(at)
        derivative = None
        if gradient:
            derivative = np.zeros(p.shape, p.dtype)
            # The slope grows beyond bounds towards 0; Keras's least probability is where it ends.
            derivative.reshape(-1)[at] = -(np.maximum(chosen, EPSILON) ** (self.q - 1))
        values = (1 - chosen**self.q) / self.q
        return Terms(values.reshape(p.shape[:-1]), derivative, p.shape[:-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "q": self.q}


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> np.ndarray:
    """`CategoricalGeneralizedCrossEntropy` of each row.

    Args:
        y_true: class indices (...,) or (..., 1).
        y_pred: one probability a class (..., classes).
        q: between 0 and 1.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together, or `q` out of range.

    >>> categorical_generalized_cross_entropy([1, 0], [[0.19, 0.81], [0.64, 0.36]]).round(4)
    array([0.2, 0.4], dtype=float32)
    """
    return CategoricalGeneralizedCrossEntropy(q).call(y_true, y_pred)
