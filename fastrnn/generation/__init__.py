# SPDX-License-Identifier: Apache-2.0
"""Writing with a trained model, token by token: `generate`, and the samplers that choose the tokens."""

from typing import TYPE_CHECKING

from fastrnn.generation.decoding import generate
from fastrnn.generation.samplers import (
    BeamSampler,
    GreedySampler,
    RandomSampler,
    Sampler,
    TopKSampler,
    TopPSampler,
    get,
)
from fastrnn.registry import absent_from

__all__ = ["BeamSampler", "GreedySampler", "RandomSampler", "Sampler", "TopKSampler", "TopPSampler", "generate", "get"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)
