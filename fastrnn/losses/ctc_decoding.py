# SPDX-License-Identifier: Apache-2.0
"""From the outputs of a model that was trained by CTC to labels: the best path, or a search for the best labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.losses.crossentropy import EPSILON
from fastrnn.losses.ctc import lengths_of
from fastrnn.losses.shapes import prediction_array

NONE = -1   # what stands behind the last label


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int | None = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """The labels that logits stand for, as `keras.ops.ctc_decode`.

    Args:
        inputs: logits (batch, time, classes).
        sequence_lengths: how many steps of each sequence count, (batch,).
        strategy: "greedy" takes the best class of each step; "beam_search" sums the paths to each of the `beam_width`
            likeliest beginnings, which finds better labels.
        beam_width: how many beginnings are kept from step to step.
        top_paths: how many results a search gives, best first.
        merge_repeated: whether "greedy" makes one of a run of one class; a search always does.
        mask_index: the class that is the blank; None for the last one.

    Returns:
        The labels, int32 (paths, batch, time), with -1 behind the last; and the scores (batch, paths): of "greedy"
        minus the sum of the logits taken, of a search the log-probability of the labels.

    Raises:
        ValueError: an argument is out of range, or shapes do not go together.

    Example:

    >>> logits = np.log([[[0.1, 0.7, 0.2], [0.2, 0.7, 0.1], [0.6, 0.1, 0.3]]])
    >>> ctc_decode(logits, [3])[0]
    array([[[ 1, -1, -1]]], dtype=int32)
    >>> labels, scores = ctc_decode(logits, [3], strategy="beam_search", top_paths=2)
    >>> labels[:, 0], np.exp(scores).round(3)
    (array([[ 1, -1, -1],
           [ 1,  2, -1]], dtype=int32), array([[0.478, 0.273]]))
    """
    owner = "ctc_decode"
    inputs = prediction_array(owner, inputs)
    if inputs.ndim != 3 or not inputs.shape[2]:
        raise ValueError(f"{owner}: expected inputs of shape (batch, time, classes), got {inputs.shape}")
    samples, steps, classes = inputs.shape
    lengths = lengths_of(owner, "sequence_lengths", sequence_lengths, samples, steps)
    blank = classes - 1 if mask_index is None else mask_index
    if not -classes <= blank < classes:
        raise ValueError(f"{owner}: expected mask_index to be one of {classes} classes, got {mask_index!r}")
    if strategy == "greedy":
        return _greedy(inputs, lengths, merge_repeated, blank % classes)
    if strategy != "beam_search":
        raise ValueError(f"{owner}: expected strategy to be 'greedy' or 'beam_search', got {strategy!r}")
    if not 1 <= top_paths <= beam_width:
        raise ValueError(f"{owner}: expected top_paths from 1 to beam_width, {beam_width}, got {top_paths}")
    paths, scores = np.full((top_paths, samples, steps), NONE, np.int32), np.full((samples, top_paths), -np.inf)
    x = inputs.astype(np.float64)
    x -= x.max(axis=-1, keepdims=True)
    x -= np.log(np.exp(x).sum(axis=-1, keepdims=True))
    for n in range(samples):
        found = _beam_search(x[n, : lengths[n]], blank % classes, beam_width, top_paths)
        for place, (labels, score) in enumerate(found):
            paths[place, n, : len(labels)] = labels
            scores[n, place] = score
    return paths, scores.astype(inputs.dtype)


def ctc_decode_probabilities(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[np.ndarray], np.ndarray]:
    """The labels that probabilities stand for, with the last class as the blank, as `ctc_decode` of Keras 2's backend.

    Args:
        y_pred: probabilities (batch, time, classes), as a softmax gives them.
        input_length: how many steps of each sequence count, (batch,).
        greedy: whether the best class of each step is taken, instead of a search.
        beam_width, top_paths: as in `ctc_decode`.

    Returns:
        The labels, for each result an int32 array (batch, time) with -1 behind the last; and the scores (batch,
        results) of `ctc_decode`. Of a search a run of one label is one, as Keras has it.

    Raises:
        ValueError: an argument is out of range, or shapes do not go together.

    Example:

    >>> labels, _ = ctc_decode_probabilities([[[0.7, 0.1, 0.2], [0.1, 0.1, 0.8], [0.1, 0.6, 0.3]]], [3])
    >>> labels
    [array([[ 0,  1, -1]], dtype=int32)]
    """
    logits = np.log(prediction_array("ctc_decode", y_pred) + EPSILON)
    strategy = "greedy" if greedy else "beam_search"
    paths, scores = ctc_decode(logits, input_length, strategy, beam_width, top_paths, mask_index=None)
    if not greedy:
        repeated = np.zeros(paths.shape, np.bool_)
        repeated[..., 1:] = paths[..., 1:] == paths[..., :-1]
        paths = _moved_together(paths, repeated)
    return list(paths), scores


def _greedy(x: np.ndarray, lengths: np.ndarray, merge: bool, blank: int) -> tuple[np.ndarray, np.ndarray]:
    counted = np.arange(x.shape[1]) < lengths[:, None]
    best = np.where(counted, x.argmax(axis=-1), blank).astype(np.int32)
    scores = -np.where(counted, x.max(axis=-1), 0).sum(axis=1, keepdims=True, dtype=x.dtype)
    dropped = best == blank
    if merge:
        dropped[:, 1:] |= best[:, 1:] == best[:, :-1]
    return _moved_together(best, dropped)[None], scores


def _moved_together(labels: np.ndarray, dropped: np.ndarray) -> np.ndarray:
    """Rows of labels without those that are dropped, and -1 behind the last."""
    order = np.argsort(dropped, axis=-1, kind="stable")
    return np.take_along_axis(np.where(dropped, np.int32(NONE), labels), order, -1)


def _beam_search(x: np.ndarray, blank: int, width: int, top: int) -> list[tuple[list[int], float]]:
    """The likeliest labels for the log-probabilities (time, classes) of one sequence, and their log-probabilities.

    Beginnings are nodes of a tree. Each one kept has two numbers, the log-probability of its paths that end in a blank
    and of those that end in its last label: the former alone go on to the same label anew.
    """
    steps, classes = x.shape
    parent, last = np.full(1 + steps * width, NONE), np.full(1 + steps * width, NONE)
    child: dict[tuple[int, int], int] = {}
    place = np.full(1 + steps * width, NONE)        # of a node among those kept
    nodes, in_blank, in_label = np.zeros(1, np.intp), np.zeros(1), np.full(1, -np.inf)
    for row in x:
        kept, ends = len(nodes), last[nodes]
        whole = np.logaddexp(in_blank, in_label)
        blanks, labels = whole + row[blank], np.where(ends >= 0, in_label + row[ends], -np.inf)
        longer = whole[:, None] + row
        longer[:, blank] = -np.inf
        again = np.flatnonzero(ends >= 0)
        longer[again, ends[again]] = in_blank[again] + row[ends[again]]
        # What one label more makes of a beginning that is kept may be another one that is kept.
        place[nodes] = np.arange(kept)
        known = again[place[parent[nodes[again]]] >= 0]
        at = place[parent[nodes[known]]], ends[known]
        labels[known] = np.logaddexp(labels[known], longer[at])
        longer[at] = -np.inf
        place[nodes] = NONE
        scores = np.concatenate([np.logaddexp(blanks, labels), longer.reshape(-1)])
        best = np.argpartition(-scores, width)[:width] if len(scores) > width else np.arange(len(scores))
        best = best[scores[best] > -np.inf]
        old, new = best[best < kept], best[best >= kept] - kept
        found = []
        for node, label in zip(nodes[new // classes].tolist(), (new % classes).tolist(), strict=True):
            number = child.setdefault((node, label), len(child) + 1)
            parent[number], last[number] = node, label
            found.append(number)
        nodes = np.concatenate([nodes[old], np.array(found, np.intp)])
        in_blank = np.concatenate([blanks[old], np.full(len(new), -np.inf)])
        in_label = np.concatenate([labels[old], longer.reshape(-1)[new]])
    whole = np.logaddexp(in_blank, in_label)
    results = []
    for i in np.argsort(-whole, kind="stable")[:top]:
        path, node = [], int(nodes[i])
        while node:
            path.append(int(last[node]))
            node = int(parent[node])
        results.append((path[::-1], float(whole[i])))
    return results
