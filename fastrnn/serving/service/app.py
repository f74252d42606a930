# SPDX-License-Identifier: Apache-2.0
"""The service's addresses, as an ASGI application.

POST /v1/predict    whole sequences
WS   /v1/stream     a session: a time step a message
GET  /v1/model      what the model takes
GET  /health        200 while it works, 503 if it does not
GET  /metrics       for Prometheus
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from fastrnn import runtime
from fastrnn.serving.frozen import Frozen
from fastrnn.serving.service.batching import BusyError
from fastrnn.serving.service.inputs import InputError, parse
from fastrnn.serving.service.metrics import Metrics
from fastrnn.serving.service.predictions import Predictions
from fastrnn.serving.service.sessions import Sessions
from fastrnn.serving.service.settings import Settings
from fastrnn.serving.service.talk import talk

_BYTES = "application/octet-stream"


class Service:
    """One model in service; `app` is the ASGI application.

    Args:
        frozen: the model.
        settings: limits.

    Raises:
        ValueError: the model has several inputs or outputs.
    """

    def __init__(self, frozen: Frozen, settings: Settings) -> None:
        self._frozen, self._settings, self._metrics = frozen, settings, Metrics()
        self._predictions = Predictions(frozen, settings, self._metrics)
        self._sessions: Sessions | None = None
        self._no_sessions = ""
        self.app = Starlette(lifespan=self._lifespan, exception_handlers={HTTPException: _refused}, routes=[
            Route("/v1/predict", self._predict, methods=["POST"]), WebSocketRoute("/v1/stream", self._stream),
            Route("/v1/model", self._model), Route("/health", self._health), Route("/metrics", self._count)])

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """From a worker's start to its end: threads begin after the fork."""
        if self._settings.threads:
            runtime.set_num_threads(self._settings.threads)
        try:
            self._sessions = Sessions(self._frozen, self._settings, self._metrics)
        except ValueError as reason:
            self._no_sessions = str(reason)
        batchers = [part.batcher for part in (self._predictions, self._sessions) if part is not None]
        for batcher in batchers:
            batcher.start()
        yield
        for batcher in batchers:
            await batcher.stop()

    # requests --------------------------------------------------------------------------------------------------------

    async def _predict(self, request: Request) -> Response:
        """`{"x": [...]}` to `{"y": [...]}`; or bytes, with `?shape=2,100,8`, to bytes, whose shape is in `X-Shape`."""
        status = 500                # of an error that nobody thought of: the server logs it
        try:
            response = await _answered(self._predicted(request))
            status = response.status_code
            return response
        finally:
            self._metrics.requests.labels("predict", status).inc()

    async def _predicted(self, request: Request) -> Response:
        limit = self._settings.request_seconds
        kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if kind not in (_BYTES, "application/json"):
            raise InputError(f"expected content of application/json or {_BYTES}, got {kind[:100]!r}", 415)
        try:
            async with asyncio.timeout(limit):
                body = await _body(request, self._settings.request_bytes)
        except TimeoutError:
            raise InputError(f"the request did not arrive within {limit:g} seconds", 408) from None
        inputs = self._predictions.inputs
        if kind == _BYTES:
            x = inputs.from_bytes(body, _shape(request.query_params.get("shape", "")))
        else:
            x = inputs.from_values(parse(body, "x"))
        start = time.perf_counter()
        async with asyncio.timeout(limit):
            y = await self._predictions.predict(x)
        self._metrics.seconds.labels("predict").observe(time.perf_counter() - start)
        if kind == _BYTES:
            data = y.astype(y.dtype.newbyteorder("<"), copy=False).tobytes()
            return Response(data, media_type=_BYTES, headers={"X-Shape": ",".join(map(str, y.shape))})
        return Response(to_json("y", y), media_type="application/json")

    async def _stream(self, websocket: WebSocket) -> None:
        """A session; see `talk`."""
        if self._sessions is None:
            await websocket.send_denial_response(_error(404, self._no_sessions))
        else:
            await talk(websocket, self._sessions, self._settings, self._metrics)

    async def _model(self, request: Request) -> Response:
        network, inputs = self._frozen.network, self._predictions.inputs
        return JSONResponse({
            "name": network.name, "input": [None, *inputs.shape], "dtype": str(inputs.dtype),
            "indices": inputs.indices or None, "output": list(network.outputs[0].shape),
            "streams": self._sessions is not None, "why_not": self._no_sessions or None})

    async def _health(self, request: Request) -> Response:
        parts = [part for part in (self._predictions, self._sessions) if part is not None]
        works = all(part.batcher.running for part in parts)
        return JSONResponse({"status": "ok" if works else "stopped", "sessions": len(self._sessions or ())},
                            200 if works else 503)

    async def _count(self, request: Request) -> Response:
        return Response(self._metrics.text(), headers={"Content-Type": self._metrics.content_type})


def make_app(frozen: Frozen, settings: Settings) -> Starlette:
    """The application of a model."""
    return Service(frozen, settings).app


def to_json(key: str, y: np.ndarray) -> str:
    """An output as JSON, whose numbers read back are the same bits.

    Raises:
        ArithmeticError: one is not finite.
    """
    try:
        return json.dumps({key: y.tolist()}, allow_nan=False)
    except ValueError:
        raise ArithmeticError("the model's output is not finite") from None


async def _answered(work: Awaitable[Response]) -> Response:
    """The response, or that of what went wrong."""
    try:
        return await work
    except InputError as error:
        return _error(error.status, str(error))
    except BusyError as error:
        return _error(503, str(error), {"Retry-After": "1"})
    except TimeoutError:
        return _error(504, "no answer in time")
    except ClientDisconnect:
        return Response(status_code=499)        # nobody reads it: for the metrics
    except (ArithmeticError, MemoryError) as error:
        return _error(500, str(error) or type(error).__name__)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, error.detail, error.headers)


def _error(status: int, message: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


async def _body(request: Request, most: int) -> bytes:
    too_large = InputError(f"expected {most} bytes at most", 413)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > most):
        raise too_large
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise too_large
    return bytes(body)


def _shape(text: str) -> list[int]:
    words = text.split(",")
    if len(words) > 8 or not all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words):
        raise InputError(f"expected ?shape=2,100,8 with bytes, got {text[:100]!r}")
    return [int(word) for word in words]
