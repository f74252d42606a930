# SPDX-License-Identifier: Apache-2.0
"""Sums whose order does not depend on how many processes form them.

The shards of a batch are the leaves of a tree in which neighbours are added first: `((0 + 1) + (2 + 3)) + ((4 + 5) +
(6 + 7))`. Each process has as many leaves in a row as every other, a power of two, so that what it adds up by itself is
one node of the tree; and the nodes of all processes are the leaves of the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Indices of the rows of a table that are not zero, and these rows (n, D).
Rows = tuple[np.ndarray, np.ndarray]


class Node:
    """Adds up leaves that come one by one, in the order of the tree.

    Args:
        add: the sum of two.

    Example:

    >>> node = Node(lambda a, b: f"({a} + {b})")
    >>> for leaf in "0123":
    ...     node.take(leaf)
    >>> node.whole()
    '((0 + 1) + (2 + 3))'
    """

    def __init__(self, add: Callable[[Any, Any], Any]) -> None:
        self._add = add
        self._open: list[tuple[int, Any]] = []      # the height and the value of subtrees without a neighbour yet

    def take(self, leaf: Any) -> None:
        """The next leaf."""
        height = 0
        while self._open and self._open[-1][0] == height:
            leaf = self._add(self._open.pop()[1], leaf)
            height += 1
        self._open.append((height, leaf))

    def whole(self) -> Any:
        """The sum of all leaves, of which there were a power of two; another sum begins."""
        [(_, value)] = self._open
        self._open = []
        return value


def add_rows(one: Rows, other: Rows) -> Rows:
    """The sum of two gradients of a table.

    >>> indices, rows = add_rows((np.array([1, 4]), np.array([[1.0], [2.0]])), (np.array([4]), np.array([[5.0]])))
    >>> indices.tolist(), rows.ravel().tolist()
    ([1, 4], [1.0, 7.0])
    """
    indices = np.union1d(one[0], other[0])
    rows = np.zeros((len(indices), *one[1].shape[1:]), one[1].dtype)
    rows[np.searchsorted(indices, one[0])] = one[1]
    rows[np.searchsorted(indices, other[0])] += other[1]
    return indices, rows


def sum_over_ranks(comm: Any, x: np.ndarray, scratch: np.ndarray) -> int:
    """Let x, everywhere, be the sum of the x of all ranks, whose number is a power of two.

    Recursive halving: with each neighbour, then with that of the pair, and so on, a rank exchanges half of what it
    still sums up, so that in the end it has the sum of a part; and the same way back it gets those of the others. That
    is 2 (R - 1) / R of x sent by each of R ranks, as in a ring, and the order of the tree in each element.

    Args:
        comm: the communicator.
        x: (n,).
        scratch: at least (n + 1) / 2 numbers of x's dtype, to receive in.

    Returns:
        The numbers sent.
    """
    size, rank = comm.Get_size(), comm.Get_rank()
    low, high, sent = 0, len(x), 0
    way: list[tuple[int, int, int]] = []
    distance = 1
    while distance < size:
        partner, middle = rank ^ distance, (low + high) // 2
        mine, theirs = ((low, middle), (middle, high)) if rank < partner else ((middle, high), (low, middle))
        received = scratch[: mine[1] - mine[0]]
        comm.Sendrecv(x[theirs[0] : theirs[1]], partner, recvbuf=received, source=partner)
        x[mine[0] : mine[1]] += received
        sent += theirs[1] - theirs[0]
        way.append((low, high, partner))
        low, high = mine
        distance *= 2
    for whole_low, whole_high, partner in reversed(way):
        other = (high, whole_high) if low == whole_low else (whole_low, low)
        comm.Sendrecv(x[low:high], partner, recvbuf=x[other[0] : other[1]], source=partner)
        sent += high - low
        low, high = whole_low, whole_high
    return sent


def sum_rows_over_ranks(comm: Any, rows: Rows) -> tuple[Rows, int]:
    """The sum of all ranks' gradients of a table, in the order of the tree, and the numbers sent."""
    size, rank, distance, sent = comm.Get_size(), comm.Get_rank(), 1, 0
    while distance < size:
        partner = rank ^ distance
        other = comm.sendrecv(rows, partner, source=partner)
        sent += rows[0].size + rows[1].size
        rows = add_rows(*((rows, other) if rank < partner else (other, rows)))
        distance *= 2
    return rows, sent
