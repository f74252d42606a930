# SPDX-License-Identifier: Apache-2.0
"""Connectionist temporal classification (CTC, Graves et al. 2006): the loss of labels whose places in time are unknown.

A path has one class for each step. It stands for what is left of it when runs of one class become one of it and then
blanks are dropped; the loss is minus the logarithm of the probability of all paths that stand for the labels. The
kernel sums them step by step in logarithms, forward and backward, so that value and gradient come from one call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.losses.base import Loss, Terms
from fastrnn.losses.crossentropy import EPSILON
from fastrnn.losses.shapes import prediction_array
from fastrnn.losses.weights import fitted


class CTC(Loss):
    """The CTC loss of each sequence, as `keras.losses.CTC`.

    Targets are labels (batch, labels) from 1 to classes - 1, padded with 0 at the end, which stands for the blank.
    Predictions are logits (batch, time, classes). Steps that a mask leaves out are passed over, so a layer that makes
    a mask gives sequences their lengths; Keras takes all steps. A sequence with too few steps for its labels has
    the loss infinity, and a gradient of 0.

    Args:
        reduction, name, dtype: as in `Loss`; a row is a sequence.

    Raises:
        ValueError: when called, shapes are others, or labels are no whole numbers, no classes, or behind a 0.

    Example:

    >>> logits = np.log([[[0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]])
    >>> round(CTC()([[1, 2]], logits), 4)      # one path: 1, 2, with 0.6 times 0.6
    1.0217
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "ctc", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        return self._prepared(y_true, y_pred, None, None, False, False)[0].values

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        gradient = self._prepared(y_true, y_pred, None, None, True, False)[0].gradient
        assert gradient is not None
        return gradient

    def _align(self, t: Any, p: np.ndarray, weight_rank: int) -> tuple[Any, np.ndarray]:
        if p.ndim != 3:
            raise ValueError(f"{self.name}: expected y_pred of shape (batch, time, classes), logits, got {p.shape}; "
                             "set return_sequences=True on the last recurrent layer")
        t = whole_numbers(self.name, "y_true", t)
        if t.ndim != 2 or len(t) != len(p):
            raise ValueError(f"{self.name}: expected y_true of shape ({len(p)}, labels), padded with 0, got {t.shape}")
        return t, p

    def _prepared(
        self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any, gradient: bool, fused: bool
    ) -> tuple[Terms, np.ndarray]:
        p = prediction_array(self.name, y_pred)
        t, p = self._align(y_true, p, 0)
        label_lengths = np.count_nonzero(t, axis=1)
        order = None
        lengths = np.full(len(p), p.shape[1])
        if mask is not None:
            kept = fitted(self.name, "mask", np.asarray(mask), p.shape[:2])
            kept = np.broadcast_to(kept, p.shape[:2]).astype(np.bool_)
            lengths = np.count_nonzero(kept, axis=1)
            if (kept[:, 1:] > kept[:, :-1]).any():     # steps are left out between others: these move together
                order = np.argsort(~kept, axis=1, kind="stable")[..., None]
        inner = p if order is None else np.take_along_axis(p, order, 1)
        values, derivative = _run(self.name, t, inner, label_lengths, lengths, 0, gradient, True)
        if order is not None and derivative is not None:
            moved, derivative = derivative, np.empty_like(derivative)
            np.put_along_axis(derivative, order, moved, 1)
        return Terms(values, derivative, values.shape), p

    def _weights(self, terms: Terms, sample_weight: Any, mask: Any) -> tuple[np.ndarray | None, float]:
        return super()._weights(terms, sample_weight, None)     # the steps are in the values


def ctc(y_true: Any, y_pred: Any) -> np.ndarray:
    """`CTC` of each sequence.

    Args:
        y_true: labels (batch, labels), padded with 0.
        y_pred: logits (batch, time, classes), of which class 0 is the blank.

    Returns:
        float, (batch,).

    Raises:
        ValueError: shapes that do not go together, or labels that are no classes.

    >>> ctc([[1, 2], [1, 0]], np.log([[[0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]] * 2)).round(4)
    array([1.0217, 1.3471])
    """
    return CTC().call(y_true, y_pred)


def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> np.ndarray:
    """The CTC loss of sequences with given lengths, as `keras.ops.ctc_loss`.

    Args:
        target: labels (batch, labels).
        output: logits (batch, time, classes).
        target_length: how many of the labels of each sequence count, (batch,).
        output_length: how many of its steps, (batch,).
        mask_index: the class that is the blank.

    Returns:
        float, (batch,); infinity where a sequence has too few steps for its labels.

    Raises:
        ValueError: shapes or lengths that do not go together, or a label that is no class, or the blank.

    >>> logits = np.log([[[0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]])
    >>> ctc_loss([[1, 2]], logits, [1], [2]).round(4)      # the paths 1 1, 1 blank, blank 1
    array([1.3471])
    """
    return ctc_loss_and_gradient(target, output, target_length, output_length, mask_index, gradient=False)[0]


def ctc_loss_and_gradient(
    target: Any,
    output: Any,
    target_length: Any,
    output_length: Any,
    mask_index: int = 0,
    *,
    log_probabilities: bool = False,
    zero_infinity: bool = False,
    gradient: bool = True,
) -> tuple[np.ndarray, np.ndarray | None]:
    """`ctc_loss`, and its gradient with respect to `output`.

    Args:
        target, output, target_length, output_length, mask_index: as in `ctc_loss`.
        log_probabilities: whether `output` is taken as log-probabilities instead of logits.
        zero_infinity: whether sequences with too few steps have the loss 0.
        gradient: whether it is wanted.

    Returns:
        The losses (batch,), and the gradient of each (batch, time, classes), None if it is not wanted. It is 0 at steps
        that do not count, and for sequences with too few.

    Raises:
        ValueError: as there.

    >>> values, gradient = ctc_loss_and_gradient([[1]], np.log([[[0.4, 0.6]]]), [1], [1])
    >>> gradient.round(4)
    array([[[ 0.4, -0.4]]])
    """
    owner = "ctc_loss"
    output = prediction_array(owner, output)
    if output.ndim != 3:
        raise ValueError(f"{owner}: expected output of shape (batch, time, classes), got {output.shape}")
    samples, steps, classes = output.shape
    target = whole_numbers(owner, "target", target)
    if target.ndim != 2 or len(target) != samples:
        raise ValueError(f"{owner}: expected target of shape ({samples}, labels), got {target.shape}")
    if not -classes <= mask_index < classes:
        raise ValueError(f"{owner}: expected mask_index to be one of {classes} classes, got {mask_index!r}")
    values, derivative = _run(
        owner, target, output, lengths_of(owner, "target_length", target_length, samples, target.shape[1]),
        lengths_of(owner, "output_length", output_length, samples, steps), mask_index % classes, gradient,
        not log_probabilities)
    if zero_infinity:
        values[np.isposinf(values)] = 0
    return values, derivative


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> np.ndarray:
    """The CTC loss of probabilities, with the last class as the blank, as `ctc_batch_cost` of Keras 2's backend.

    Args:
        y_true: labels (batch, labels).
        y_pred: probabilities (batch, time, classes), as a softmax gives them; 1e-7 is added to each.
        input_length: how many steps of each sequence count, (batch, 1).
        label_length: how many of its labels, (batch, 1).

    Returns:
        float, (batch, 1); infinity where a sequence has too few steps for its labels.

    Raises:
        ValueError: as in `ctc_loss`.

    >>> ctc_batch_cost([[0]], [[[0.6, 0.4], [0.3, 0.7]]], [[2]], [[1]]).round(4)     # 1 less 0.4 times 0.7
    array([[0.3285]], dtype=float32)
    """
    return ctc_batch_cost_and_gradient(y_true, y_pred, input_length, label_length, gradient=False)[0]


def ctc_batch_cost_and_gradient(
    y_true: Any, y_pred: Any, input_length: Any, label_length: Any, *, gradient: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """`ctc_batch_cost`, and its gradient with respect to `y_pred`.

    Args:
        y_true, y_pred, input_length, label_length: as in `ctc_batch_cost`.
        gradient: whether it is wanted.

    Returns:
        The losses (batch, 1), and the gradient of each (batch, time, classes), None if it is not wanted.

    Raises:
        ValueError: as there.

    >>> _, gradient = ctc_batch_cost_and_gradient([[0]], [[[0.6, 0.4]]], [[1]], [[1]])
    >>> gradient.round(3)
    array([[[-0.667,  1.   ]]], dtype=float32)
    """
    raised = prediction_array("ctc_batch_cost", y_pred) + EPSILON
    with np.errstate(all="ignore"):
        logits = np.log(raised)
    values, derivative = ctc_loss_and_gradient(y_true, logits, label_length, input_length, -1, gradient=gradient)
    if derivative is not None:
        derivative /= raised
    return values[:, None], derivative


def whole_numbers(owner: str, argument: str, values: Any) -> np.ndarray:
    """`values` as an integer array.

    Raises:
        ValueError: they are no whole numbers, or too large.
    """
    given = arrays.as_array(values, f"{owner}: {argument}")
    if given.dtype.kind not in "fiub":
        raise ValueError(f"{owner}: expected {argument} to hold whole numbers, got dtype {given.dtype}")
    with np.errstate(invalid="ignore"):
        whole = given.astype(np.int32)
    if not np.array_equal(whole, given):
        raise ValueError(f"{owner}: expected {argument} to hold whole numbers, got {given[whole != given].flat[0]}")
    return whole


def lengths_of(owner: str, argument: str, lengths: Any, samples: int, most: int) -> np.ndarray:
    """Lengths as an integer array (samples,), from one of that shape or (samples, 1).

    Raises:
        ValueError: the shape is another, or a length is not from 0 to `most`.
    """
    lengths = whole_numbers(owner, argument, lengths)
    if lengths.shape not in ((samples,), (samples, 1)):
        raise ValueError(f"{owner}: expected {argument} of shape ({samples},), one length a sequence, got "
                         f"{lengths.shape}")
    lengths = lengths.reshape(samples)
    wrong = (lengths < 0) | (lengths > most)
    if wrong.any():
        raise ValueError(f"{owner}: expected {argument} from 0 to {most}, got {lengths[wrong][0]}")
    return lengths


def _run(
    owner: str, labels: np.ndarray, x: np.ndarray, label_lengths: np.ndarray, lengths: np.ndarray, blank: int,
    gradient: bool, logits: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """The kernel's values and gradient, for integer arrays whose shapes are checked."""
    samples, steps, classes = x.shape
    wrong = (labels < 0) | (labels >= classes) | (labels == blank)
    wrong &= np.arange(labels.shape[1]) < label_lengths[:, None]
    if wrong.any():
        raise ValueError(f"{owner}: expected labels from 0 to {classes - 1}, and {blank}, the blank, only behind them, "
                         f"got {labels[wrong][0]} in sequence {np.argwhere(wrong)[0][0]}")
    kernels = _core.kernels(x.dtype.name)
    threads = max(1, min(runtime.get_num_threads(), samples))
    values, derivative = np.empty(samples, x.dtype), np.empty_like(x) if gradient else None
    work = np.empty(threads * kernels.ctc_room(steps, labels.shape[1], gradient), x.dtype)
    if samples and classes:
        kernels.ctc(
            np.ascontiguousarray(x), np.ascontiguousarray(labels, np.int32), label_lengths.astype(np.int32),
            lengths.astype(np.int32), blank, values, derivative, work, logits, threads)
    return values, derivative
