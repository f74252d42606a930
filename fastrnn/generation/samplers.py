# SPDX-License-Identifier: Apache-2.0
"""How the next token is chosen from the probabilities of all."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn.registry import Configurable, Registry


class Sampler(Configurable):
    """Base of the samplers. A subclass defines `pick`.

    Example:

    >>> import numpy as np
    >>> class Second(Sampler):
    ...     def pick(self, log_probabilities):
    ...         return np.argsort(log_probabilities)[:, -2]
    >>> Second().choose(np.log([[[0.5, 0.2, 0.3]]]), np.zeros((1, 1)))[1]
    array([[2]])
    """

    #: How many sequences are followed for each prompt.
    beams = 1

    def pick(self, log_probabilities: np.ndarray) -> np.ndarray:
        """The next token of each sequence.

        Args:
            log_probabilities: float64 (batch, vocabulary), -inf for a token that cannot come.

        Returns:
            Whole numbers (batch,).
        """
        raise NotImplementedError(f"{type(self).__name__} must define pick(log_probabilities)")

    def choose(self, log_probabilities: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which sequences go on, and by which tokens.

        Args:
            log_probabilities: (batch, beams, vocabulary) of the next token.
            scores: (batch, beams), the log-probabilities of the sequences so far.

        Returns:
            Two arrays of whole numbers (batch, beams): the beam that each sequence goes on from, and its next token.
        """
        tokens = self.pick(log_probabilities[:, 0])
        return np.zeros((len(tokens), 1), np.intp), tokens[:, None]


class GreedySampler(Sampler):
    """The likeliest token; of several the first.

    Example:

    >>> GreedySampler().pick(np.log([[0.2, 0.7, 0.1]]))
    array([1])
    """

    def pick(self, log_probabilities: np.ndarray) -> np.ndarray:
        return log_probabilities.argmax(axis=-1)


class RandomSampler(Sampler):
    """A token at random, by its probability::

        p_i proportional to exp(log_probability_i / temperature)

    Args:
        seed: of the draws, which go on from one `generate` to the next; None draws from the library's generator.
        temperature: above 1 evens the probabilities out, below 1 favours the likely tokens.

    Raises:
        ValueError: `temperature` is not above 0.

    Example:

    >>> RandomSampler(seed=0).pick(np.log([[0.5, 0.5, 1e-300]])).item() < 2
    True
    """

    def __init__(self, seed: int | None = None, temperature: float = 1.0) -> None:
        self.seed, self.temperature = seed, _above_zero(self, "temperature", temperature)
        self._rng = None if seed is None else np.random.Generator(np.random.SFC64(seed))

    def pick(self, log_probabilities: np.ndarray) -> np.ndarray:
        likely = self.weigh(log_probabilities / self.temperature)
        ends = likely.cumsum(axis=-1)
        drawn = (runtime.rng() if self._rng is None else self._rng).random(len(ends)) * ends[:, -1]
        return np.asarray((ends <= drawn[:, None]).sum(axis=-1))

    def weigh(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities that need not sum to 1, of scores (batch, vocabulary)."""
        weights: np.ndarray = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return weights

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "temperature": self.temperature}


class TopKSampler(RandomSampler):
    """A token at random among the k likeliest, by their probabilities (Fan et al. 2018).

    Args:
        k: how many; at equal probabilities the first.
        seed, temperature: as of `RandomSampler`.

    Raises:
        ValueError: `k` is no positive whole number.

    Example:

    >>> TopKSampler(k=1).pick(np.log([[0.2, 0.7, 0.1]]))
    array([1])
    """

    def __init__(self, k: int = 5, seed: int | None = None, temperature: float = 1.0) -> None:
        self.k = _count(self, "k", k)
        super().__init__(seed, temperature)

    def weigh(self, logits: np.ndarray) -> np.ndarray:
        weights = super().weigh(logits)
        np.put_along_axis(weights, _ranked(weights)[:, self.k:], 0.0, axis=-1)
        return weights

    def get_config(self) -> dict[str, Any]:
        return {"k": self.k, **super().get_config()}


class TopPSampler(RandomSampler):
    """A token at random among the fewest likeliest whose probabilities sum to p or more, by their probabilities
    (nucleus sampling, Holtzman et al. 2020).

    Args:
        p: the sum, above 0 and up to 1.
        k: only the k likeliest are considered; None for all.
        seed, temperature: as of `RandomSampler`.

    Raises:
        ValueError: `p` or `k` is not as described.

    Example:

    >>> TopPSampler(p=0.7).pick(np.log([[0.2, 0.7, 0.1]]))
    array([1])
    """

    def __init__(self, p: float = 0.1, k: int | None = None, seed: int | None = None, temperature: float = 1.0) -> None:
        self.p = _above_zero(self, "p", p)
        if self.p > 1:
            raise ValueError(f"TopPSampler p: expected a number up to 1, got {p!r}")
        self.k = None if k is None else _count(self, "k", k)
        super().__init__(seed, temperature)

    def weigh(self, logits: np.ndarray) -> np.ndarray:
        weights = super().weigh(logits)
        ranked = _ranked(weights)
        found = np.take_along_axis(weights, ranked, axis=-1)
        found[:, self.k:] = 0.0 if self.k is not None else found[:, self.k:]
        found /= found.sum(axis=-1, keepdims=True)
        before = found.cumsum(axis=-1) - found
        found[before >= self.p] = 0.0
        np.put_along_axis(weights, ranked, found, axis=-1)
        return weights

    def get_config(self) -> dict[str, Any]:
        return {"p": self.p, "k": self.k, **super().get_config()}


class BeamSampler(Sampler):
    """Beam search: at each step the sequences of the highest probability, of all that go on from those kept before by
    one token. A sequence's score is its log-probability; one that has come to a stop token keeps its score and place.

    Args:
        num_beams: how many sequences are kept.
        return_all_beams: give all of them, the best first, not the best alone.

    Raises:
        ValueError: `num_beams` is no positive whole number.

    Example:

    >>> parents, tokens = BeamSampler(2).choose(np.log([[[0.5, 0.5], [0.9, 0.1]]]), np.log([[0.4, 0.6]]))
    >>> parents, tokens
    (array([[1, 0]]), array([[0, 0]]))
    """

    def __init__(self, num_beams: int = 5, return_all_beams: bool = False) -> None:
        self.num_beams = self.beams = _count(self, "num_beams", num_beams)
        self.return_all_beams = bool(return_all_beams)

    def choose(self, log_probabilities: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batch, _, vocabulary = log_probabilities.shape
        every = (scores[:, :, None] + log_probabilities).reshape(batch, -1)
        best = np.array([_highest(row, self.beams) for row in every])
        return best // vocabulary, best % vocabulary

    def get_config(self) -> dict[str, Any]:
        return {"num_beams": self.num_beams, "return_all_beams": self.return_all_beams}


def _ranked(values: np.ndarray) -> np.ndarray:
    """Indices along the last axis, the highest value's first; of equal ones in their order."""
    return np.argsort(-values, axis=-1, kind="stable")


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the highest values, the highest first; of equal ones the first, in their order. No sort of all."""
    limit = np.partition(values, -count)[-count]
    above, equal = np.flatnonzero(values > limit), np.flatnonzero(values == limit)
    return np.concatenate([above[_ranked(values[above])], equal[:count - len(above)]])


def _count(sampler: Sampler, argument: str, value: Any) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{type(sampler).__name__} {argument}: expected a positive whole number, got {value!r}")
    return int(value)


def _above_zero(sampler: Sampler, argument: str, value: Any) -> float:
    if not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        raise ValueError(f"{type(sampler).__name__} {argument}: expected a number above 0, got {value!r}")
    return float(value)


_SAMPLERS = {"greedy": GreedySampler, "random": RandomSampler, "top_k": TopKSampler, "top_p": TopPSampler,
             "beam": BeamSampler}
_registry = Registry("sampler", _SAMPLERS.values(), _SAMPLERS, module="keras_hub.samplers")


def get(identifier: Any) -> Sampler:
    """The sampler that a name stands for: "greedy", "random", "top_k", "top_p" or "beam"; a sampler is given back.

    Raises:
        ValueError: the name is not known.
        TypeError: it is no sampler.

    Example:

    >>> get("top_k")
    TopKSampler(k=5, seed=None, temperature=1.0)
    """
    found = _registry.get(identifier)
    if not isinstance(found, Sampler):
        raise TypeError(f"sampler: expected a name or a Sampler, got {found!r}")
    return found
