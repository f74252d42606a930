# SPDX-License-Identifier: Apache-2.0
"""What the loop asks of the process, or the processes, that train: a process by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from fastrnn import ranks
from fastrnn.training.feeds import ArrayBatches, Batch, Batches, SourceBatches
from fastrnn.training.objective import Objective
from fastrnn.training.steps import Trainable, predict_step, test_step, train_step


class Alone:
    """One process that does all of every batch. `fastrnn.distribution.DataParallel` has the same methods."""

    train_step = staticmethod(train_step)
    test_step = staticmethod(test_step)
    predict_step = staticmethod(predict_step)

    def agreement(self, who: str, model: Any) -> contextlib.AbstractContextManager[Any]:
        """Within it arguments are checked: an error of one process becomes one of all."""
        return contextlib.nullcontext()

    def arrays(self, samples: Batch, batch_size: int, shuffle: bool | str) -> Batches:
        """The batches of arrays in memory, as the steps take them."""
        return ArrayBatches(samples, batch_size, shuffle)

    def source(self, source: Any, convert: Callable[[Any, Any, Any], Batch], shuffle: bool | str) -> Batches:
        """The batches of a source of the user's, as the steps take them."""
        return SourceBatches(source, convert, shuffle)

    def share(self, model: Any, batch: Batch) -> Any:
        """A whole batch as the steps take it, for a model that need not have begun a training."""
        return batch

    def begin(self, model: Trainable) -> None:
        """A training begins, its callbacks having been told."""

    def end_epoch(self, model: Trainable) -> None:
        """An epoch is over, its callbacks having been told."""

    def reset(self, objective: Objective) -> None:
        """Begin new averages."""
        objective.reset()

    def logs(self, objective: Objective) -> dict[str, Any]:
        """The averages since, over all processes."""
        return objective.logs()

    def total(self, objective: Objective) -> None:
        """Have the objective give the averages over all processes."""

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process."""
        return flag

    def stops(self, model: Trainable, watched: bool) -> bool:
        """Whether to end the epoch after this batch; `watched`: a callback is told of batches, in some process."""
        return model.stop_training

    def failed(self, error: BaseException) -> None:
        """A run ends with an error."""


ALONE = Alone()


def team() -> Any:
    """Who trains: this process alone, or the `DataParallel` that is in force."""
    return ALONE if ranks.current is None else ranks.current
