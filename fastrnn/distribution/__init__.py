# SPDX-License-Identifier: Apache-2.0
"""Training by several processes, and prediction on data engines.

`DataParallel` trains one model with processes that MPI has started. `dask`, `ray` and `spark` predict on these engines;
each imports its engine when it is used.
"""

from __future__ import annotations

import importlib
from typing import Any

from fastrnn.distribution.data_parallel import DataParallel, distribution, set_distribution
from fastrnn.registry import absent

__all__ = ["DataParallel", "distribution", "set_distribution", "dask", "ray", "spark"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise absent(__name__, name, __all__)
    return importlib.import_module(f"fastrnn.distribution.{name}")
