# SPDX-License-Identifier: Apache-2.0
"""DataParallel: several processes train one model, each on its share of every batch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from fastrnn import ranks, runtime
from fastrnn.distribution import failure, state
from fastrnn.distribution.feeds import Cut, SharedArrays, SharedSource
from fastrnn.distribution.steps import Steps
from fastrnn.distribution.tally import Tally
from fastrnn.training.feeds import Batch, SourceBatches
from fastrnn.training.objective import Objective
from fastrnn.training.watch import Watch


class DataParallel:
    """Processes that MPI has started, the ranks, train one model together.

    Every rank runs the same program on the same data, or on its part of them. Of each batch a rank takes its share,
    computes gradients of it with its own threads, and all gradients are added up by MPI, so that every rank makes the
    same update: `w = w - f(sum over r of n_r / n * g_r)`, with g_r the mean gradient over the n_r samples of rank r,
    and n those of the batch. So `batch_size` is that of all ranks together, as in Keras. `evaluate` and `predict` are
    shared out, too. Files, progress and messages come from rank 0 alone.

    Without `shards` sums are formed as MPI is fastest, and their last bits depend on the number of ranks. With `shards`
    each batch is cut into that many parts, whose gradients, losses and metrics are added up in a fixed order, and
    dropout is drawn for each part by itself: training gives the same bits on any number of ranks and threads.

    A mean over the samples that a mask leaves in is that of the whole batch. What else a layer or a loss takes from the
    batch as a whole, as `BatchNormalization` does in training, it takes from a share of it, or from a shard.

    Args:
        shards: parts of a batch, a power of two, of which each rank takes as many; None for one each.
        auto_shard_dataset: whether a source of batches gives the whole batches on every rank; False if it gives the
            rank's share of them.
        comm: a communicator of mpi4py's; None for all processes that `mpirun` has started.

    Attributes:
        rank, size: the number of this process, from 0, and of how many.

    Raises:
        ImportError: mpi4py is not installed.
        ValueError: `shards` is no power of two, or cannot be dealt out to the ranks.

    Example:

    >>> import fastrnn
    >>> fastrnn.distribution.set_distribution(fastrnn.distribution.DataParallel())  # doctest: +SKIP
    """

    def __init__(self, shards: int | None = None, auto_shard_dataset: bool = True, comm: Any = None) -> None:
        self._comm = _world() if comm is None else comm.Dup()
        self.rank, self.size = self._comm.Get_rank(), self._comm.Get_size()
        if shards is not None:
            _check_shards(shards, self.size, auto_shard_dataset)
        self.shards, self.auto_shard_dataset = shards, auto_shard_dataset
        count = (shards or self.size) // self.size
        self._cut = Cut(shards or self.size, self.rank * count, count)
        self._tally = Tally(self._comm, count)
        self._steps = Steps(self._comm, self._tally, shards is not None)
        self._agreement: failure.Agreement | None = None
        if self.size > 1:
            failure.watch_for_uncaught(self._comm)
        _share_cores(self._comm)

    def __repr__(self) -> str:
        return f"<DataParallel rank {self.rank} of {self.size}, shards={self.shards}>"

    # what the loop asks, see `fastrnn.training.alone` ---------------------------------------------------------------

    @contextlib.contextmanager
    def agreement(self, who: str, model: Any) -> Iterator[None]:
        """Within it arguments are checked; an error of one rank becomes one of all."""
        self._agreement = failure.Agreement(self._comm, who)
        try:
            with self._agreement.checks():
                self._check(model, who)
                yield
                self._agreement.facts["the shapes of the model's weights"] = [v.shape for v in model.weights]
        finally:
            self._agreement = None

    def _check(self, model: Any, who: str) -> None:
        if getattr(model, "stateful", False):
            raise ValueError(f"{who}: {model} is stateful, which DataParallel does not know how to share out: the next "
                             "batch need not go on where the last one stopped; train it in one process")

    def arrays(self, samples: Batch, batch_size: int, shuffle: bool | str) -> SharedArrays:
        """The rank's share of the batches of arrays."""
        if self._agreement is not None:     # lists, since validation has arrays of its own
            if batch_size < self.size and self._agreement.who == "fit":
                raise ValueError(f"DataParallel: batch_size={batch_size} is that of all {self.size} ranks together, "
                                 "and leaves some without a sample; pass a larger one, or start fewer ranks")
            self._agreement.facts.setdefault("the number of samples", []).append(len(samples.x[0]))
            self._agreement.facts.setdefault("batch_size", []).append(batch_size)
        return SharedArrays(samples, batch_size, shuffle, self._cut)

    def source(self, source: Any, convert: Callable[[Any, Any, Any], Batch], shuffle: bool | str) -> SharedSource:
        """The rank's share of the batches of a source."""
        return SharedSource(SourceBatches(source, convert, shuffle), self._cut, self.auto_shard_dataset,
                            self._comm.allgather)

    def share(self, model: Any, batch: Batch) -> Any:
        """The rank's share of a whole batch, for a model that need not have begun a training."""
        if self._steps.plan is not model.plan():
            self.begin(model)
        return self._cut.share(batch)

    def begin(self, model: Any) -> None:
        """Let every rank have what rank 0 has."""
        self._steps.gradients(model)
        state.send(self._comm, model)

    def end_epoch(self, model: Any) -> None:
        """Agree on whether to stop, and check that all ranks still have the same.

        Raises:
            RuntimeError: a rank has other weights, or another state of the optimizer or of random numbers.
        """
        found = self._comm.allgather((state.digest(model), bool(model.stop_training)))
        model.stop_training = any(stop for _, stop in found)
        wrong = state.drifted([digest for digest, _ in found])
        if wrong:
            raise failure.of_all(RuntimeError(
                f"DataParallel: at the end of an epoch the model of rank {', '.join(map(str, wrong))} has drifted: its "
                "weights, its optimizer or its random numbers are not those of the other ranks; what changes them, as "
                "a callback may, must do so on all ranks alike"))

    def train_step(self, model: Any, share: Any, watch: Watch | None = None) -> None:
        """One update of the weights."""
        self._steps.train(model, share, watch or Watch(str(model)))

    def test_step(self, model: Any, share: Any, watch: Watch | None = None) -> None:
        """Losses and metrics of a batch."""
        self._steps.test(model, share, watch or Watch(str(model)))

    def predict_step(self, model: Any, share: Any) -> list[Any]:
        """The outputs of a batch, gathered."""
        return self._steps.predict(model, share)

    def reset(self, objective: Objective) -> None:
        """Begin new averages."""
        self._tally.reset(objective)

    def logs(self, objective: Objective) -> dict[str, Any]:
        """The averages since, over all ranks."""
        return self._tally.logs(objective)

    def total(self, objective: Objective) -> None:
        """Have the objective give the averages over all ranks."""
        self._tally.logs(objective)

    def any(self, flag: bool) -> bool:
        """Whether it is true on any rank."""
        return any(self._comm.allgather(bool(flag)))

    def stops(self, model: Any, watched: bool) -> bool:
        """Whether to end the epoch after this batch, on all ranks or none: without a callback that is told of batches
        at the end of the epoch alone."""
        if watched:
            model.stop_training = self.any(model.stop_training)
        return watched and model.stop_training

    def failed(self, error: BaseException) -> None:
        """End all ranks, with this one's traceback."""
        failure.end_all(self._comm, error)

    # what a program may ask ----------------------------------------------------------------------------------------

    def costs(self) -> dict[str, float]:
        """Since the training of the last model began: `"seconds"` that this rank has spent in steps, those of them that
        sums over ranks took (`"seconds_in_sums"`), which is the wait for slower ranks, too, and the `"bytes_sent"`."""
        gradients = self._steps._gradients
        return {"seconds": self._steps.seconds,
                "seconds_in_sums": gradients.seconds if gradients else 0.0,
                "bytes_sent": gradients.bytes_sent if gradients else 0}


def _world() -> Any:
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError("DataParallel needs mpi4py: pip install 'fastrnn[mpi]'; and MPI itself, which a system's "
                          "package brings: apt install openmpi-bin") from error
    return MPI.COMM_WORLD.Dup()


def _check_shards(shards: Any, size: int, whole: bool) -> None:
    if isinstance(shards, bool) or not isinstance(shards, int) or shards < 1 or shards & (shards - 1):
        raise ValueError(f"DataParallel: expected shards to be a power of two, got {shards!r}")
    if shards % size or size & (size - 1):
        fitting = ", ".join(str(1 << i) for i in range(shards.bit_length()))
        raise ValueError(f"DataParallel: shards={shards} cannot be dealt out to {size} ranks alike; start {fitting} "
                         "ranks, or leave shards out")
    if not whole:
        raise ValueError("DataParallel: shards are parts of whole batches, got auto_shard_dataset=False; leave one of "
                         "the two out")


def _share_cores(comm: Any) -> None:
    """Let the ranks of a machine share its cores, unless the user has said how many threads each has."""
    from mpi4py import MPI

    if os.environ.get("FASTRNN_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS"):
        return
    here = comm.Split_type(MPI.COMM_TYPE_SHARED)
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    sharing = sum(bool(set(mine) & set(other)) for other in here.allgather(mine))
    here.Free()
    if sharing > 1:
        runtime.set_num_threads(max(1, min(len(mine), runtime.get_num_threads()) // sharing))


def set_distribution(value: DataParallel | None) -> None:
    """Have all models of this program trained, evaluated and asked for predictions by `value`, until another is set.

    Args:
        value: a `DataParallel`; None for this process alone.

    Raises:
        TypeError: it is something else.

    Example:

    >>> set_distribution(None)
    >>> distribution() is None
    True
    """
    if value is not None and not isinstance(value, DataParallel):
        raise TypeError(f"set_distribution: expected a DataParallel or None, got {value!r}")
    ranks.current = value


def distribution() -> DataParallel | None:
    """The `DataParallel` that is in force, or None."""
    found: DataParallel | None = ranks.current
    return found
