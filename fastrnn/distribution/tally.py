# SPDX-License-Identifier: Apache-2.0
"""Losses and metrics counted by shard, and added up over shards and ranks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from fastrnn.distribution.tree import Node
from fastrnn.training.objective import Objective

Counts = list[Any]


class Tally:
    """What an objective has counted since the last `reset`, for each shard of this rank by itself, so that the sum over
    all shards has an order of its own.

    Args:
        comm: the communicator.
        shards: how many this rank has, a power of two.
    """

    def __init__(self, comm: Any, shards: int) -> None:
        self._comm = comm
        self._counts: list[Counts | None] = [None] * shards

    def reset(self, objective: Objective) -> None:
        """Begin new averages."""
        objective.reset()
        self._counts = [None] * len(self._counts)

    @contextlib.contextmanager
    def of(self, objective: Objective, shard: int) -> Iterator[None]:
        """Within it the objective counts a shard of this rank."""
        counts = self._counts[shard]
        if counts is None:
            objective.reset()
        else:
            objective.recount(counts)
        yield
        self._counts[shard] = objective.counted()

    def logs(self, objective: Objective) -> dict[str, Any]:
        """The averages over all shards of all ranks, which the objective then has."""
        node = Node(_added)
        for counts in self._counts:
            node.take(counts)
        everywhere = self._comm.allgather(node.whole())
        total = _added_up(everywhere)
        if total is None:
            objective.reset()
        else:
            objective.recount(total)
        return objective.logs()


def _added_up(every: list[Counts | None]) -> Counts | None:
    """By neighbours, where they are a power of two; else in a row."""
    while len(every) > 1:
        if len(every) % 2:
            every = [_added(every[0], every[1]), *every[2:]]
        else:
            every = [_added(one, other) for one, other in zip(every[::2], every[1::2])]
    return every[0]


def _added(one: Counts | None, other: Counts | None) -> Counts | None:
    if one is None or other is None:
        return other if one is None else one
    return [b if a is None else a if b is None else a + b for a, b in zip(one, other, strict=True)]
