# SPDX-License-Identifier: Apache-2.0
"""The models of the parity suite: every two values of two factors meet in one of them at least."""

from __future__ import annotations

import itertools
import random
from typing import NamedTuple


class Case(NamedTuple):
    cell: str
    option: str
    structure: str
    loss: str
    optimizer: str
    mask: str
    metric: str
    weight: str

    def __str__(self) -> str:
        return "-".join(self)


FACTORS: dict[str, tuple[str, ...]] = {
    "cell": ("SimpleRNN", "LSTM", "GRU", "Bidirectional SimpleRNN", "Bidirectional LSTM", "Bidirectional GRU",
             "RNN of cells", "two kinds"),
    # What "own" is depends on the cell: reset_after=False, unit_forget_bias=False, sigmoid.
    "option": ("plain", "own", "backwards", "no bias", "relu", "hard sigmoid", "regularized", "activity", "constrained",
               "stateful", "unrolled", "zero output", "frozen"),
    "structure": ("last", "steps", "stack", "time distributed", "two inputs", "states", "shared", "residual",
                  "convolution", "normalized", "attention", "pooling", "repeat", "nested"),
    "loss": ("mse", "mae", "huber", "log_cosh", "poisson", "cosine_similarity", "hinge", "binary", "binary logits",
             "binary focal", "categorical", "categorical logits", "smoothed", "sparse", "sparse logits",
             "kl_divergence"),
    "optimizer": ("sgd", "nesterov", "adam", "amsgrad", "adamw", "rmsprop", "centered", "adagrad", "adadelta", "adamax",
                  "nadam", "ftrl", "lamb", "adafactor", "clipped", "averaged", "accumulated", "scheduled"),
    "mask": ("none", "embedding", "masking", "gaps"),
    "metric": ("none", "first", "second", "weighted"),
    "weight": ("none", "samples", "steps", "classes"),
}


def covering(seed: int = 1) -> list[Case]:
    """Cases, each the best of many random ones that begin with a pair not yet covered; the same for a seed."""
    chance = random.Random(seed)
    names = list(FACTORS)
    pairs = [((one, x), (two, y)) for one, two in itertools.combinations(range(len(names)), 2)
             for x in FACTORS[names[one]] for y in FACTORS[names[two]]]
    chance.shuffle(pairs)
    missing = dict.fromkeys(pairs)
    cases = []
    while missing:
        fixed = dict(next(iter(missing)))
        candidates = [tuple(fixed.get(at, chance.choice(FACTORS[name])) for at, name in enumerate(names))
                      for _ in range(30)]
        met = [set(itertools.combinations(enumerate(values), 2)) & missing.keys() for values in candidates]
        best = max(range(len(candidates)), key=lambda i: len(met[i]))
        for pair in met[best]:
            del missing[pair]
        cases.append(Case(*candidates[best]))
    return cases


CASES = covering()
