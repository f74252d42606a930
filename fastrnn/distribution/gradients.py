# SPDX-License-Identifier: Apache-2.0
"""The gradients of all variables in one piece of memory, and their sum over shards and ranks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.distribution.tree import Node, Rows, add_rows, sum_over_ranks, sum_rows_over_ranks
from fastrnn.layers.core.embedding import Table

_ALIGNED = 64       # bytes


class Gradients:
    """The gradients of a model's variables, which backward passes write to one flat buffer, so that they are summed
    over the ranks in one go. Of an `Embedding`'s table the rows that the batch named travel alone, where that is less.

    Args:
        variables: those that a backward pass fills.
        moving: moving averages that a forward pass changes, whose mean over the shards is taken in the same go.
        comm: the communicator.
        tree: sum in the order of the tree, rather than in the one that is fastest.

    Attributes:
        bytes_sent: by this rank, since it was made; of an `Allreduce` what a ring sends.
        seconds: spent with sums over ranks.
    """

    def __init__(self, variables: Sequence[Any], moving: Sequence[Any], comm: Any, tree: bool) -> None:
        self._comm, self._tree, self._moving = comm, tree, list(moving)
        self._size = comm.Get_size()
        self._tables = [v for v in variables if isinstance(v, Table)]
        self._dense = [v for v in variables if not isinstance(v, Table)]
        self.bytes_sent, self.seconds = 0, 0.0
        every = [*self._dense, *self._moving, *self._tables]
        dtypes = {v.data.dtype for v in every}
        if len(dtypes) > 1:
            raise ValueError("DataParallel: expected weights of one dtype, got "
                             f"{', '.join(sorted(dtype.name for dtype in dtypes))}; make all layers of one")
        dtype = dtypes.pop() if dtypes else np.dtype(np.float32)
        starts, self._places = [0], {}
        for v in every:
            starts.append(starts[-1] + -(-v.data.nbytes // _ALIGNED) * _ALIGNED // dtype.itemsize)
        self._flat = np.zeros(starts[-1], dtype)
        for v, start in zip(every, starts):
            self._places[id(v)] = self._flat[start : start + v.data.size].reshape(v.data.shape)
        for v in self._dense:
            v.keep_gradient_in(self._places[id(v)])
        self._before_tables = self._flat[: starts[len(self._dense) + len(self._moving)]]
        self._scratch = np.empty(len(self._flat) // 2 + 1 if tree and self._size > 1 else 0, dtype)
        self._spare: list[np.ndarray] = []
        self._nodes = [Node(self._add), *(Node(add_rows) for _ in self._tables)]
        self._rows: list[Rows] = []

    def begin(self) -> None:
        """A backward pass begins."""
        for v in (*self._dense, *self._tables):
            v.grad = None

    def take(self, filled: bool, share: float) -> None:
        """A shard's backward pass is over, or it had no samples.

        Args:
            filled: whether there was one.
            share: of the shard in the batch, by which its moving averages count.
        """
        if not filled:
            self._before_tables.fill(0)
        else:
            for v in self._dense:
                place = self._places[id(v)]
                if v.grad is not place:
                    place[...] = 0 if v.grad is None else v.grad
            for v in self._moving:
                np.multiply(v.data, v.data.dtype.type(share), out=self._places[id(v)])
        rows = [v.rows() for v in self._tables]
        if self._tree:
            leaf = self._spare.pop() if self._spare else np.empty_like(self._before_tables)
            leaf[...] = self._before_tables
            for node, one in zip(self._nodes, [leaf, *rows]):
                node.take(one)
        else:
            self._rows = rows

    def reduce(self) -> None:
        """Let each variable's gradient, on every rank, be the sum over all shards."""
        began = time.perf_counter()
        if self._tree:
            self._reduce_by_tree()
        else:
            self._reduce()
        self.seconds += time.perf_counter() - began
        for v in self._dense:
            v.grad = self._places[id(v)]
        for v in self._moving:
            v.fill(self._places[id(v)].copy())      # a new array: threads that predict may read the old one

    def _reduce_by_tree(self) -> None:
        leaf, *tables = [node.whole() for node in self._nodes]
        self._before_tables[...] = leaf
        self._spare.append(leaf)
        sent = sum_over_ranks(self._comm, self._before_tables, self._scratch) * self._flat.itemsize
        for v, one in zip(self._tables, tables):
            total, numbers = sum_rows_over_ranks(self._comm, one)
            sent += numbers * self._flat.itemsize
            v.set_rows([total])
        self.bytes_sent += sent

    def _reduce(self) -> None:
        if self._size == 1:
            for v, one in zip(self._tables, self._rows):
                v.set_rows([one])
            return
        counts = np.array([len(indices) for indices, _ in self._rows], np.int64)
        every = np.empty((self._size, len(counts)), np.int64)       # rows by rank and table
        if len(counts):
            self._comm.Allgather(counts, every)
        sent_as_rows = sum(int(every[:, i].sum()) * (v.shape[1] + 1) for i, v in enumerate(self._tables))
        whole = 2 * sum(v.data.size for v in self._tables)          # an Allreduce brings as much
        if self._tables and sent_as_rows < whole:
            self._allreduce(self._before_tables)
            for i, v in enumerate(self._tables):
                v.set_rows(self._gathered(self._rows[i], every[:, i]))
        else:
            for v, one in zip(self._tables, self._rows):
                place = self._places[id(v)]
                place.fill(0)
                place[one[0]] = one[1]
            self._allreduce(self._flat)
            for v in self._tables:
                v.grad = self._places[id(v)]

    def _allreduce(self, x: np.ndarray) -> None:
        from mpi4py import MPI

        self._comm.Allreduce(MPI.IN_PLACE, x)
        self.bytes_sent += 2 * (self._size - 1) * x.nbytes // self._size

    def _gathered(self, rows: Rows, counts: np.ndarray) -> list[Rows]:
        """Every rank's rows of a table, by rank."""
        indices, values = rows
        width = values.shape[1]
        all_indices = np.empty(counts.sum(), np.intp)
        all_values = np.empty((counts.sum(), width), values.dtype)
        self._comm.Allgatherv(np.ascontiguousarray(indices, np.intp), [all_indices, counts])
        self._comm.Allgatherv(np.ascontiguousarray(values), [all_values, counts * width])
        self.bytes_sent += (self._size - 1) * (indices.nbytes + values.nbytes)
        stops = np.cumsum(counts)
        return [(all_indices[stop - count : stop], all_values[stop - count : stop])
                for stop, count in zip(stops, counts)]

    def _add(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        one += other
        self._spare.append(other)
        return one
