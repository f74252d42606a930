# SPDX-License-Identifier: Apache-2.0
"""What a service counts, for Prometheus."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counters of one service. Work is "predict" or "step".

    Several processes count together where the variable PROMETHEUS_MULTIPROC_DIR names a folder: each of them then
    answers with the sums over all.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("fastrnn_requests", "Requests by the status of the answer", ["work", "status"],
                                registry=registry)
        self.seconds = Histogram("fastrnn_request_seconds", "From a checked input to its output", ["work"],
                                 registry=registry, buckets=_SECONDS)
        self.model_seconds = Histogram("fastrnn_model_seconds", "Of a call of the model", ["work"], registry=registry,
                                       buckets=_SECONDS)
        self.batch = Histogram("fastrnn_batch_requests", "Requests of a batch", ["work"], registry=registry,
                               buckets=_SIZES)
        self.sessions = Gauge("fastrnn_sessions", "Open streaming sessions", registry=registry,
                              multiprocess_mode="livesum")
        self.ended = Counter("fastrnn_sessions_ended", "Streaming sessions by how they ended", ["reason"],
                             registry=registry)

    @contextmanager
    def model_call(self, work: str, requests: int) -> Iterator[None]:
        """Count a batch, and the time inside."""
        start = time.perf_counter()
        yield
        self.model_seconds.labels(work).observe(time.perf_counter() - start)
        self.batch.labels(work).observe(requests)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry)
