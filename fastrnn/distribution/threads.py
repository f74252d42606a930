# SPDX-License-Identifier: Apache-2.0
"""As many threads as an engine gave a task cores."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from fastrnn import runtime

_lock = threading.Lock()
_inside = 0
_before = 1


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Within it calls use no more threads, in all of this process: tasks of a scheduler may run side by side in one.

    >>> with limited(1):
    ...     runtime.get_num_threads()
    1
    """
    global _inside, _before
    with _lock:
        if not _inside:
            _before = runtime.get_num_threads()
            runtime.set_num_threads(min(threads, _before))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                runtime.set_num_threads(_before)
