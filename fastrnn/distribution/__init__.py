# SPDX-License-Identifier: Apache-2.0
"""Training by several processes, and prediction on data engines.

`DataParallel` trains one model with processes that MPI has started. `dask`, `ray` and `spark` predict on these engines;
each imports its engine when it is used.
"""

from __future__ import annotations

from fastrnn.distribution.data_parallel import DataParallel, distribution, set_distribution

__all__ = ["DataParallel", "distribution", "set_distribution"]
