# SPDX-License-Identifier: Apache-2.0
"""generate: sequences that a model writes, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.generation import samplers
from fastrnn.generation.stepping import Stepper, graph_of


def generate(model: Any, prompt: Any, max_length: int, sampler: Any = "greedy", stop: int | Sequence[int] | None = None,
             *, inputs: Any = None, token_input: int = 0, mask: Any = None, from_logits: bool | None = None,
             return_scores: bool = False) -> Any:
    """Go on with sequences of tokens as a model says that they go on.

    The states of recurrent layers go from token to token, so that each token costs one step, however long the sequence
    is. The tokens are those of calls of the model on the whole sequences so far. The model stays as it is; where its
    layers are stateful, states that they have kept are neither used nor changed.

    An encoder and decoder can be one model, with `token_input` saying which input the decoder reads: what does not
    depend on the tokens is computed once. Or the decoder is a model by itself, that takes the encoder's states as
    further inputs; they are what the sequences begin with.

    Args:
        model: a `Sequential` or `Model`. Its first output is the probabilities of the next token, after each step,
            (batch, time, vocabulary), or after the last one, (batch, vocabulary); or their logits.
        prompt: the first tokens, whole numbers: of one sequence (time,), of several (batch, time), or a list of several
            of any lengths. Where the model reads (batch, time, vocabulary) they go in as one-hot vectors.
        max_length: number of tokens to end with, those of the prompt among them.
        sampler: what chooses the tokens: "greedy", "random", "top_k", "top_p", "beam", or a `Sampler`.
        stop: a token that ends its sequence, or several. The rest of the row repeats it.
        inputs: arrays for the model's other inputs, in their order, in a list, or one array; the batch first. One
            prompt stands for each row of them.
        token_input: the index of the model's input that takes the tokens.
        mask: bool (batch, time) for a prompt (batch, time): False where a shorter row has ended.
        from_logits: whether the output is logits. None: it is where the last layer has no activation, and is not where
            it has a softmax.
        return_scores: give each sequence's log-probability, too: that of what was added to its prompt, by the model.

    Returns:
        int64 (batch, length), at most max_length; (length,) for one prompt (time,) without `inputs`. With
        `BeamSampler(return_all_beams=True)` (batch, beams, length). With `return_scores` a tuple of it and float64
        scores (batch,), or (batch, beams); where there are fewer sequences than beams, the scores of the rest are -inf.

    Raises:
        ValueError: an argument does not fit, or the model has a layer that cannot be stepped, such as `Bidirectional`,
            a convolution, or attention to the sequence itself; names it.
        TypeError: `model` is no model of layers.

    Example:

    >>> import fastrnn
    >>> from fastrnn.generation import TopKSampler
    >>> model = fastrnn.Sequential([
    ...     fastrnn.layers.Embedding(10, 4), fastrnn.layers.GRU(8, return_sequences=True),
    ...     fastrnn.layers.Dense(10, activation="softmax")])
    >>> model.build((None, None))
    >>> generate(model, [[1, 2, 3], [4, 5]], max_length=7, sampler=TopKSampler(k=3, seed=0)).shape
    (2, 7)
    >>> tokens, score = generate(model, [1, 2, 3], max_length=7, sampler="beam", return_scores=True)
    >>> tokens.shape, bool(score < 0)
    ((7,), True)
    """
    sampler = samplers.get(sampler)
    others = _as_list(inputs)
    tokens, lengths, alone = _prompts(prompt, mask)
    if others and len(tokens) == 1:
        tokens, lengths = (np.repeat(one, len(others[0]), axis=0) for one in (tokens, lengths))
        alone = False
    if not isinstance(max_length, (int, np.integer)) or max_length < lengths.max():
        raise ValueError(f"generate max_length: expected a whole number of {lengths.max()} or more, the length of the "
                         f"longest prompt, got {max_length!r}")
    step = Stepper(model, others, _index_of(model, token_input, len(others)), len(tokens))
    logits = _are_logits(model, step, from_logits)
    y, scores = _write(step, tokens, lengths, int(max_length), sampler, stop, logits)
    if not getattr(sampler, "return_all_beams", False):
        y, scores = y[:, 0], scores[:, 0]
    if alone:
        y, scores = y[0], scores[0]
    return (y, scores) if return_scores else y


def _write(step: Stepper, tokens: np.ndarray, lengths: np.ndarray, max_length: int, sampler: samplers.Sampler,
           stop: Any, logits: bool) -> tuple[np.ndarray, np.ndarray]:
    """The sequences (batch, beams, length) and their scores (batch, beams)."""
    batch, beams, first = len(tokens), sampler.beams, int(lengths.min())
    y = np.zeros((batch, beams, max_length), np.int64)
    y[:, :, :tokens.shape[1]] = tokens[:, None]
    scores = np.full((batch, beams), -np.inf)
    scores[:, 0] = 0.0                      # the beams are one as long as they say the same
    done = np.zeros((batch, beams), bool)
    found = step(tokens[:, :first])
    if beams > 1:
        found = found.repeat(beams, axis=0)
        step.take(np.arange(batch).repeat(beams), everything=True)
    ends = _stops(stop, found.shape[-1])
    for t in range(first, max_length):
        likely = log_probabilities(found, logits).reshape(batch, beams, -1)
        given = t < lengths
        if given.any():
            _allow_alone(likely, given[:, None] & np.ones_like(done), y[:, :, t])
        _allow_alone(likely, done, y[:, :, t - 1])
        parents, chosen = sampler.choose(likely, scores)
        scores = np.take_along_axis(scores, parents, 1) + likely[np.arange(batch)[:, None], parents, chosen]
        if beams > 1:
            y = np.take_along_axis(y, parents[:, :, None], axis=1)
            done = np.take_along_axis(done, parents, axis=1)
        y[:, :, t] = chosen = np.where(given[:, None], y[:, :, t], chosen)     # also in beams that are none yet
        done = done | (np.isin(chosen, ends) & ~given[:, None])
        if done.all():
            return y[:, :, :t + 1], scores
        if t + 1 < max_length:
            if beams > 1:
                step.take((np.arange(batch)[:, None] * beams + parents).reshape(-1))
            found = step(chosen.reshape(-1, 1))
    return y, scores


def _allow_alone(likely: np.ndarray, rows: np.ndarray, tokens: np.ndarray) -> None:
    """In these rows (batch, beams) one token comes for certain."""
    where = np.nonzero(rows)
    likely[where] = -np.inf
    likely[(*where, tokens[where])] = 0.0


def log_probabilities(y: np.ndarray, from_logits: bool) -> np.ndarray:
    """The log-probabilities (batch, vocabulary), float64, of what a model gives: of logits, or of probabilities.

    Raises:
        ValueError: there is none above -inf, or a NaN.

    Example:

    >>> log_probabilities(np.array([[0.0, 0.0]]), from_logits=True).round(3)
    array([[-0.693, -0.693]])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = y.astype(np.float64)
        if from_logits:
            found = found - found.max(axis=-1, keepdims=True)
            found = found - np.log(np.exp(found).sum(axis=-1, keepdims=True))
        else:
            found = np.log(found)
    if not np.isfinite(found.max(axis=-1)).all():
        raise ValueError("generate: the model's output has rows without a finite log-probability: NaN, infinite or "
                         f"negative numbers, or zeros alone; {'logits' if from_logits else 'probabilities'} were "
                         "expected (see from_logits)")
    return found


# arguments ---------------------------------------------------------------------------------------------------------

def _as_list(inputs: Any) -> list[Any]:
    if inputs is None:
        return []
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def _prompts(prompt: Any, mask: Any) -> tuple[np.ndarray, np.ndarray, bool]:
    """Tokens (batch, time), zero where a row has ended; the length of each row; whether it was one row by itself."""
    several = isinstance(prompt, (list, tuple)) and len(prompt) > 0 and np.ndim(prompt[0]) > 0
    rows = [_whole(row) for row in (prompt if several else [prompt])]
    alone = not several and rows[0].ndim == 1
    if not several and rows[0].ndim > 1:
        rows = list(rows[0])
    if not rows or any(row.ndim != 1 or not len(row) for row in rows):
        raise ValueError("generate prompt: expected tokens (time,), (batch, time) or a list of sequences, each with "
                         "one token at least; begin with a start token")
    lengths = np.array([len(row) for row in rows])
    tokens = np.zeros((len(rows), lengths.max()), np.int64)
    for row, own in zip(tokens, rows):
        row[:len(own)] = own
    if mask is not None:
        mask = np.asarray(mask, bool)
        if mask.shape != tokens.shape or not mask[:, 0].all() or (mask[:, 1:] & ~mask[:, :-1]).any():
            raise ValueError(f"generate mask: expected bool {tokens.shape}, in each row True, then False where the "
                             f"prompt has ended, got {mask.shape}; put the padding behind the tokens")
        lengths = mask.sum(axis=1)
        tokens = tokens[:, :lengths.max()]
    return tokens, lengths, alone


def _whole(row: Any) -> np.ndarray:
    found = arrays.as_array(row, "generate prompt")
    if found.size and found.dtype.kind not in "iu":
        raise ValueError(f"generate prompt: expected whole numbers, got {found.dtype}")
    return found.astype(np.int64)


def _index_of(model: Any, token_input: Any, others: int) -> int:
    count = len(graph_of(model).inputs)
    if not isinstance(token_input, (int, np.integer)) or not 0 <= token_input < count:
        raise ValueError(f"generate token_input: expected the index of one of the model's {count} inputs, got "
                         f"{token_input!r}")
    if others != count - 1:
        raise ValueError(f"generate inputs: {model} has {count} inputs, one of them for the tokens; expected "
                         f"{count - 1} arrays for the others, got {others}")
    return int(token_input)


def _are_logits(model: Any, step: Stepper, from_logits: bool | None) -> bool:
    if from_logits is not None:
        return bool(from_logits)
    if step.activation not in ("softmax", "linear"):
        raise ValueError(f"generate from_logits: the output of {model} comes from neither a softmax nor a layer "
                         "without activation; say whether it is logits, from_logits=True, or probabilities, False")
    return step.activation == "linear"


def _stops(stop: Any, vocabulary: int) -> np.ndarray:
    stops = np.atleast_1d(np.asarray([] if stop is None else stop))
    if stops.size and (stops.ndim != 1 or stops.dtype.kind not in "iu"
                       or stops.min() < 0 or stops.max() >= vocabulary):
        raise ValueError(f"generate stop: expected tokens from 0 to {vocabulary - 1}, got {stop!r}")
    return stops
