# SPDX-License-Identifier: Apache-2.0
"""RemoteMonitor, with a server on this machine."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

import numpy as np
import pytest

import fastrnn
from fastrnn.callbacks import RemoteMonitor


@pytest.fixture
def server():
    """Its URL, and what it was sent: path, headers, body."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, self.headers, body))
            self.send_response(500 if self.path == "/broken/" else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}", received
    listening.shutdown()
    thread.join()
    listening.server_close()


def fit(callback):
    model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[callback]).history


def test_forms(server):
    root, received = server
    history = fit(RemoteMonitor(root, field="run", headers={"X-Key": "abc"}))
    assert [(path, headers["X-Key"]) for path, headers, _ in received] == [("/publish/epoch/end/", "abc")] * 2
    sent = [json.loads(urllib.parse.parse_qs(body)["run"][0]) for _, _, body in received]
    assert sent == [{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(history["loss"])]


def test_json(server):
    root, received = server
    history = fit(RemoteMonitor(root, path="/there", send_as_json=True))
    assert [path for path, _, _ in received] == ["/there"] * 2
    assert received[0][1]["Content-Type"] == "application/json"
    assert json.loads(received[1][2]) == {"epoch": 1, "loss": history["loss"][1]}


def test_no_server(server):
    root, _ = server
    for callback in RemoteMonitor("http://127.0.0.1:1"), RemoteMonitor(root, path="/broken/"):
        with pytest.warns(UserWarning, match="RemoteMonitor: cannot reach the server at http://127.0.0.1"):
            assert len(fit(callback)["loss"]) == 2
    with pytest.raises(ValueError, match="RemoteMonitor root: expected a URL of http or https, got 'file:///etc'"):
        RemoteMonitor("file:///etc")
