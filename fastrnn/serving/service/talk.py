# SPDX-License-Identifier: Apache-2.0
"""What is said in a session: a message with a time step, its answer, and so on.

`{"x": [...]}` is answered by `{"y": [...]}`, a row of little-endian numbers by one; `{"reset": true}` begins anew. A
message that does not fit is answered by `{"error": ...}`, and the session goes on as if it had not come.
"""

from __future__ import annotations

import asyncio
import json
import time

import numpy as np
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from fastrnn.serving.service.batching import BusyError
from fastrnn.serving.service.inputs import InputError, parse
from fastrnn.serving.service.metrics import Metrics
from fastrnn.serving.service.sessions import Session, Sessions
from fastrnn.serving.service.settings import Settings

_POLICY, _TOO_BIG, _FAILED, _LATER = 1008, 1009, 1011, 1013      # RFC 6455, 7.4, and its registry


class _EndError(Exception):
    """The session is closed by the service, with a code and a reason."""

    def __init__(self, code: int, reason: str, label: str) -> None:
        super().__init__(reason)
        self.code, self.label = code, label


async def talk(websocket: WebSocket, sessions: Sessions, settings: Settings, metrics: Metrics) -> None:
    """A session from its beginning to its end.

    Args:
        websocket: the connection, not accepted yet.
        sessions: which has room for it, or not.
        settings: sizes and times.
        metrics: where messages are counted.
    """
    try:
        session = sessions.open()
    except BusyError as error:
        metrics.requests.labels("step", 503).inc()
        await websocket.send_denial_response(JSONResponse({"error": str(error)}, 503, {"Retry-After": "1"}))
        return
    reason = "service"
    try:
        await websocket.accept()
        while True:
            message = await _received(websocket, settings)
            answer = await _answer(message, session, sessions, settings, metrics)
            async with asyncio.timeout(settings.idle_seconds):      # a client that does not read
                await (websocket.send_bytes(answer) if isinstance(answer, bytes) else websocket.send_text(answer))
    except WebSocketDisconnect:
        reason = "client"
    except _EndError as end:
        reason = end.label
        await _closed(websocket, end)
    except TimeoutError:
        reason = "idle"
    finally:
        sessions.close(session, reason)


async def _received(websocket: WebSocket, settings: Settings) -> str | bytes:
    try:
        async with asyncio.timeout(settings.idle_seconds):
            event = await websocket.receive()
    except TimeoutError:
        raise _EndError(_POLICY, f"idle for {settings.idle_seconds:g} seconds", "idle") from None
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code", 1005))
    text = event.get("text")
    message: str | bytes = event["bytes"] if text is None else text
    if len(message) > settings.message_bytes:
        raise _EndError(_TOO_BIG, f"expected messages of {settings.message_bytes} bytes at most", "too large")
    return message


async def _answer(message: str | bytes, session: Session, sessions: Sessions, settings: Settings,
                  metrics: Metrics) -> str | bytes:
    status = 500
    try:
        async with asyncio.timeout(settings.request_seconds):
            answer = await _done(message, session, sessions, metrics)
        status = 200
        return answer
    except InputError as error:
        status = error.status
        return json.dumps({"error": str(error)})
    except BusyError as error:
        status = 503
        return json.dumps({"error": str(error)})
    except TimeoutError:        # the step may still be done: the client could not know
        status = 504
        raise _EndError(_LATER, "no answer in time", "late") from None
    except (ArithmeticError, MemoryError, RuntimeError) as error:
        raise _EndError(_FAILED, str(error)[:100], "failed") from error
    finally:
        metrics.requests.labels("step", status).inc()


async def _done(message: str | bytes, session: Session, sessions: Sessions, metrics: Metrics) -> str | bytes:
    if isinstance(message, bytes):
        y = await _step(sessions.inputs.from_bytes(message), session, sessions, metrics)
        return y.astype(y.dtype.newbyteorder("<"), copy=False).tobytes()
    if message.replace(" ", "") == '{"reset":true}':
        await sessions.reset(session)
        return '{"reset": true}'
    y = await _step(sessions.inputs.from_values([parse(message, "x")]), session, sessions, metrics)
    if not np.isfinite(y).all():
        raise ArithmeticError("the model's output is not finite")
    return json.dumps({"y": y.tolist()})


async def _step(x: np.ndarray, session: Session, sessions: Sessions, metrics: Metrics) -> np.ndarray:
    start = time.perf_counter()
    y = await sessions.step(session, x)
    metrics.seconds.labels("step").observe(time.perf_counter() - start)
    return y


async def _closed(websocket: WebSocket, end: _EndError) -> None:
    try:
        async with asyncio.timeout(1):      # a client that does not read
            await websocket.close(end.code, str(end))
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        pass
