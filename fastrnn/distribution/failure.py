# SPDX-License-Identifier: Apache-2.0
"""What becomes of the other ranks when one fails: none is left waiting."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

#: Set on errors that every rank raises: each ends by itself, and none waits for another.
_OF_ALL = "of_all_ranks"


def of_all(error: Exception) -> Exception:
    """An error that every rank raises alike."""
    setattr(error, _OF_ALL, True)
    return error


def end_all(comm: Any, error: BaseException) -> None:
    """End all ranks, with this one's traceback, unless all of them have the error."""
    if comm.Get_size() == 1 or getattr(error, _OF_ALL, False):
        return
    trace = "".join(traceback.format_exception(error))
    sys.stdout.flush()
    sys.stderr.write(f"rank {comm.Get_rank()} of {comm.Get_size()} failed, which ends all of them:\n{trace}")
    sys.stderr.flush()
    comm.Abort(1)


def watch_for_uncaught(comm: Any) -> None:
    """From now on an error that ends this process ends the others, too, which would wait for it for ever."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if getattr(error, _OF_ALL, False) and comm.Get_rank():
            return      # the first rank says it for all
        end_all(comm, error)
        before(kind, error, trace)

    sys.excepthook = hook


class Agreement:
    """Checks of arguments that every rank makes, after which all go on or all have an error.

    Args:
        comm: the communicator.
        who: for errors: "fit".

    Attributes:
        facts: what must be the same on all ranks, by the name it has in an error.
    """

    def __init__(self, comm: Any, who: str) -> None:
        self._comm, self.who = comm, who
        self.facts: dict[str, Any] = {}

    @contextlib.contextmanager
    def checks(self) -> Iterator[None]:
        """Within it this rank makes its checks.

        Raises:
            RuntimeError: another rank has raised an error.
            ValueError: a fact differs.
        """
        try:
            yield
        except Exception as error:
            self._comm.allgather((f"{type(error).__name__}: {error}", None))
            raise of_all(error) from None
        found = self._comm.allgather((None, self.facts))
        for rank, (failed, _) in enumerate(found):
            if failed is not None:
                raise of_all(RuntimeError(f"{self.who}: rank {rank} has failed: {failed}"))
        for name in dict.fromkeys(name for _, facts in found for name in facts):
            values = [facts.get(name) for _, facts in found]
            others = [rank for rank, value in enumerate(values) if value != values[0]]
            if others:
                raise of_all(ValueError(
                    f"{self.who}: {name} must be the same on all ranks, and is {values[0]} on rank 0 and "
                    f"{values[others[0]]} on rank {others[0]}; have each rank run the same program on the same data"))
