# SPDX-License-Identifier: Apache-2.0
"""The service on uvicorn."""

from __future__ import annotations

from typing import Any

import uvicorn

from fastrnn.serving.frozen import Frozen
from fastrnn.serving.service.app import make_app
from fastrnn.serving.service.settings import Settings


def server_options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told, by itself or as a worker of gunicorn: its arguments by name."""
    return {
        "ws_max_size": settings.message_bytes,
        "ws_per_message_deflate": False,    # a step is small, and compressed bytes may become any size
        "limit_concurrency": settings.connections,
        "timeout_graceful_shutdown": settings.drain_seconds,
        "access_log": False,
        "server_header": False,
    }


def run(frozen: Frozen, settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    # Without a number of workers uvicorn has that of WEB_CONCURRENCY, and refuses to run if it is above one.
    uvicorn.run(make_app(frozen, settings), host=host, port=port, workers=1, **server_options(settings))
