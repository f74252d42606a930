# SPDX-License-Identifier: Apache-2.0
"""Everything that a training changes, from the first rank to the others, and whether it is still the same on all."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastrnn import runtime


def seeded_layers(model: Any) -> list[Any]:
    """The layers with a generator of random numbers of their own."""
    return [layer for layer in model.walk() if getattr(layer, "_rng", None) is not None]


def generators(model: Any) -> list[np.random.Generator]:
    """That of the process, then those of layers with a seed."""
    return [runtime.rng(), *(layer._rng for layer in seeded_layers(model))]


def send(comm: Any, model: Any) -> None:
    """Give every rank's model what that of rank 0 has: weights, what the optimizer keeps, where the generators of
    random numbers stand, and the epoch to begin with."""
    optimizer = model.optimizer
    rate = optimizer._learning_rate
    built, batches, rate, random, model.first_epoch = comm.bcast((
        optimizer.built, optimizer.batches, rate if isinstance(rate, float) else None,
        [runtime.generator_state(generator) for generator in generators(model)], model.first_epoch))
    for variable in model.weights:
        comm.Bcast(variable.writable())
        variable.touch()
    if built:
        optimizer.build(model.trainable_weights)
        slots = optimizer.get_slots()
        for slot in slots:
            comm.Bcast(slot)
        optimizer.set_slots(slots)
    optimizer.batches = batches
    if rate is not None and isinstance(optimizer._learning_rate, float):
        optimizer.learning_rate = rate
    for generator, state in zip(generators(model), random, strict=True):
        runtime.set_generator_state(generator, state)


def digest(model: Any) -> bytes:
    """A hash of all that `send` sends but the epoch."""
    found = hashlib.blake2b(digest_size=16)
    for variable in model.weights:
        found.update(np.ascontiguousarray(variable.data).data)
    optimizer = model.optimizer
    for slot in optimizer.get_slots() if optimizer.built else []:
        found.update(np.ascontiguousarray(slot).data)
    numbers = [optimizer.batches, optimizer.learning_rate,
               *(runtime.generator_state(generator) for generator in generators(model))]
    found.update(repr(numbers).encode())
    return found.digest()


def drifted(digests: list[bytes]) -> list[int]:
    """The ranks whose hash is not that of most; where there is no such, not that of rank 0.

    >>> drifted([b"a", b"a", b"b"]), drifted([b"a", b"b"])
    ([2], [1])
    """
    most, count = Counter(digests).most_common(1)[0]
    right = most if count > len(digests) // 2 else digests[0]
    return [rank for rank, one in enumerate(digests) if one != right]


@contextlib.contextmanager
def drawn_for(model: Any, layers: list[Any], shard: int) -> Iterator[None]:
    """Within it what is drawn, as dropout is, depends on the shard and the number of updates so far, and not on what
    other shards draw; after it the generators stand where they stood before."""
    shared, own = runtime.rng(), [layer._rng for layer in layers]
    key = [model.optimizer.batches, shard]
    runtime.use_generator(_derived(shared, key))
    for layer, generator in zip(layers, own):
        layer._rng = _derived(generator, key)
    try:
        yield
    finally:
        runtime.use_generator(shared)
        for layer, generator in zip(layers, own):
            layer._rng = generator


def _derived(generator: np.random.Generator, key: list[int]) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64([*runtime.generator_state(generator)[:4], *key]))
