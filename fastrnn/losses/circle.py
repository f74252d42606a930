# SPDX-License-Identifier: Apache-2.0
"""The circle loss of embeddings, in which every sample of a batch is compared with every other."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.losses.base import RowLoss, Terms
from fastrnn.losses.shapes import prediction_array


class Circle(RowLoss):
    """`log(1 + exp(log(sum(exp(s_p))) + log(sum(exp(s_n)))))` of each sample (Sun et al. 2020): s_p of the others with
    its label, s_n of those with another. With d = 1 - cos, at least 0, of two embeddings,
    `s_p = gamma * (d + margin) * (d - margin)` and `s_n = gamma * max(1 + margin - d, 0) * (1 - margin - d)`.

    Targets are one whole number a sample, predictions one embedding a sample, of length 1, as a `Dense` without
    activation and a normalization to unit length give it. Samples with a loss of 0, for want of another with their
    label or without it, do not count in a mean.

    Args:
        gamma: the scale of similarities.
        margin: how near and how far is near and far enough.
        remove_diagonal: whether a sample is no other to itself.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ValueError: when called, predictions are not (batch, units), or there is not one label for each.

    Example:

    >>> embeddings = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> round(Circle(gamma=2.0)([0, 0, 1], embeddings), 4)
    0.6141
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = remove_diagonal

    def _align(self, t: Any, p: np.ndarray, weight_rank: int) -> tuple[Any, np.ndarray]:
        if p.ndim != 2:
            raise ValueError(f"{self.name}: expected y_pred of shape (batch, units), one embedding a sample, got "
                             f"{p.shape}")
        return label_array(self.name, "y_true", t, len(p)), p

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        """The gradient is that of each row's value with respect to the cosines."""
        values, slopes = self.compare(t, p, t, p, gradient)
        return Terms(values, slopes, (len(p),), mask=values > 0)

    def compare(
        self, t: np.ndarray, p: np.ndarray, others: np.ndarray, embeddings: np.ndarray, gradient: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The value of each sample beside others, and its derivatives with respect to the cosines."""
        same = t[:, None] == others
        different = ~same
        if self.remove_diagonal:
            same &= ~np.eye(len(t), len(others), dtype=np.bool_)
        distance = 1 - p @ embeddings.T
        apart = distance > 0
        distance = np.maximum(distance, 0)
        margin, gamma = self.margin, self.gamma
        near, far = margin + distance, np.maximum(1 + margin - distance, 0)
        positive, weight_of_positive = _log_sum_exp(-gamma * near * (margin - distance), same)
        negative, weight_of_negative = _log_sum_exp(gamma * far * (1 - margin - distance), different)
        total = positive + negative
        values = np.maximum(total, 0) + np.log1p(np.exp(-np.abs(total)))
        if not gradient:
            return values, None
        slopes = weight_of_positive * (gamma * (near - (margin - distance)))
        slopes -= weight_of_negative * (gamma * (far + np.where(far > 0, 1 - margin - distance, 0)))
        slopes *= apart
        slopes *= -np.exp(total - values)[:, None]      # that is -sigmoid(total)
        return values, np.where(np.isfinite(total)[:, None], slopes, slopes.dtype.type(0))

    def _gradient_of_sum(self, terms: Terms, factors: Any, y_pred: np.ndarray) -> np.ndarray:
        assert terms.gradient is not None
        slopes = terms.gradient * (factors if np.ndim(factors) == 0 else factors[:, None])
        return (slopes + slopes.T) @ y_pred

    def get_config(self) -> dict[str, Any]:
        config = {"gamma": self.gamma, "margin": self.margin, "remove_diagonal": self.remove_diagonal}
        return {**super().get_config(), **config}


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> np.ndarray:
    """`Circle` of each sample.

    Args:
        y_true: labels (batch,), whole numbers.
        y_pred: embeddings (batch, units) of length 1.
        ref_labels: labels (others,) of the samples that these are compared with; `y_true` by default.
        ref_embeddings: the embeddings (others, units) of those; `y_pred` by default.
        remove_diagonal: whether sample i is not compared with i.
        gamma, margin: as in `Circle`.

    Returns:
        float, (batch,).

    Raises:
        ValueError: shapes that do not go together.

    >>> circle([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], gamma=2.0).round(4)
    array([0.4518, 0.7763, 0.    ], dtype=float32)
    """
    loss = Circle(gamma, margin, remove_diagonal)
    if ref_labels is None and ref_embeddings is None:
        return loss.call(y_true, y_pred)
    p = prediction_array(loss.name, y_pred)
    t, p = loss._align(y_true, p, 0)
    others = p if ref_embeddings is None else prediction_array(loss.name, ref_embeddings)
    if others.ndim != 2 or others.shape[1] != p.shape[1]:
        raise ValueError(f"{loss.name}: expected ref_embeddings of shape (others, {p.shape[1]}), got {others.shape}")
    labels = t if ref_labels is None else label_array(loss.name, "ref_labels", ref_labels, len(others))
    if len(labels) != len(others):
        raise ValueError(f"{loss.name}: expected {len(others)} labels, one for each of ref_embeddings, got "
                         f"{len(labels)}")
    with np.errstate(all="ignore"):
        return loss.compare(t, p, labels, others, False)[0]


def label_array(owner: str, argument: str, labels: Any, samples: int) -> np.ndarray:
    """Labels as whole numbers (samples,).

    Raises:
        ValueError: there is not one for each sample, or they are no whole numbers.
    """
    labels = arrays.as_array(labels, f"{owner}: {argument}")
    if labels.dtype.kind not in "fiub" or labels.shape not in ((samples,), (samples, 1)):
        raise ValueError(f"{owner}: expected {argument} of shape ({samples},), one whole number a sample, got "
                         f"{labels.dtype} of shape {labels.shape}")
    labels = labels.reshape(samples)
    with np.errstate(invalid="ignore"):
        whole = labels.astype(np.int64)
    if not np.array_equal(whole, labels):
        raise ValueError(f"{owner}: expected whole numbers in {argument}, got {labels[whole != labels][0]}")
    return whole


def _log_sum_exp(x: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`log(sum(exp(x)))` over what counts of each row, and its derivatives; minus infinity and zeros for none."""
    top = np.where(counted, x, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    e = np.where(counted, np.exp(x - np.where(np.isfinite(top), top, 0)), x.dtype.type(0))
    total = e.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], e / np.where(total > 0, total, 1)
