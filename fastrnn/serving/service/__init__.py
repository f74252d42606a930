# SPDX-License-Identifier: Apache-2.0
"""A frozen model as a web service, over HTTP and WebSocket (`pip install fastrnn[serve]`)."""

from __future__ import annotations

import importlib
from typing import Any

from fastrnn.serving.frozen import Frozen
from fastrnn.serving.service.settings import Settings

__all__ = ["Settings", "make_app", "serve", "server_options"]


def make_app(frozen: Frozen, settings: Settings | None = None) -> Any:
    """The service as an ASGI application, for any server of such.

    Args:
        frozen: the model, with one input and one output.
        settings: limits; None for those of the environment.

    Raises:
        ImportError: the extra is not installed.
        ValueError: the model has several inputs or outputs.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> [route.path for route in make_app(model.freeze()).routes]
    ['/v1/predict', '/v1/stream', '/v1/model', '/health', '/metrics']
    """
    return _part("app").make_app(frozen, settings or Settings.from_environment())


def serve(frozen: Frozen, settings: Settings | None = None, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Run the service in this process until SIGINT or SIGTERM; requests under way are answered.

    Args:
        frozen: the model, with one input and one output.
        settings: limits; None for those of the environment.
        host: address to listen at; "0.0.0.0" for all of the machine.
        port: 0 for any that is free.

    Raises:
        ImportError: the extra is not installed.
        ValueError: the model has several inputs or outputs.

    Example: `serve(fastrnn.serving.load("model"), port=8000)`, or ``fastrnn serve model.safetensors``.

    >>> serve(None, port=-1)
    Traceback (most recent call last):
    ValueError: serve port: expected 0 to 65535, got -1
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"serve port: expected 0 to 65535, got {port}")
    _part("server").run(frozen, settings or Settings.from_environment(), host, port)


def server_options(settings: Settings) -> dict[str, Any]:
    """The arguments of uvicorn that keep the limits, for a worker of gunicorn.

    Args:
        settings: the limits.

    Raises:
        ImportError: the extra is not installed.

    Example:

    >>> server_options(Settings(message_bytes=1000))["ws_max_size"]
    1000
    """
    options: dict[str, Any] = _part("server").server_options(settings)
    return options


def _part(name: str) -> Any:
    """A module of the service that needs the extra."""
    try:
        return importlib.import_module(f"fastrnn.serving.service.{name}")
    except ImportError as error:
        raise ImportError(f"the web service needs {error.name}: pip install 'fastrnn[serve]'") from error
