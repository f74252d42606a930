# SPDX-License-Identifier: Apache-2.0
"""The processes that train a model together, as far as the rest of the library asks. There are none but where
`fastrnn.distribution.set_distribution` puts them here, so that no other module knows of MPI."""

from __future__ import annotations

from typing import Any

#: The `DataParallel` that is in force, or None.
current: Any = None


def is_first() -> bool:
    """Whether this process is the one that writes files and prints: where it works alone, or its rank is 0."""
    return current is None or current.rank == 0
