# SPDX-License-Identifier: Apache-2.0
"""Several processes that serve one model: gunicorn loads it once, and forks them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from prometheus_client.multiprocess import mark_process_dead
from uvicorn_worker import UvicornWorker

import fastrnn
from fastrnn.serving.service import Settings, server_options

_settings = Settings.from_environment()


class Worker(UvicornWorker):
    """A worker that keeps the service's limits."""

    CONFIG_KWARGS: ClassVar = {**UvicornWorker.CONFIG_KWARGS, **server_options(_settings)}


wsgi_app = "application:app"
pythonpath = str(Path(__file__).parent)
worker_class = Worker
workers = int(os.environ.get("WEB_CONCURRENCY", fastrnn.get_num_threads()))     # the container's cores
bind = os.environ.get("FASTRNN_SERVE_BIND", "127.0.0.1:8000")
preload_app = True
timeout = 60
graceful_timeout = _settings.drain_seconds + 5      # the workers themselves end first


def child_exit(server: Any, worker: Any) -> None:
    """What a worker that is gone has counted stays; its open sessions do not."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        mark_process_dead(worker.pid)
