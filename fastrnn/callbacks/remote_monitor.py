# SPDX-License-Identifier: Apache-2.0
"""RemoteMonitor: send the metrics of each epoch to a server."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping

from fastrnn.callbacks.base import Callback, Logs


class RemoteMonitor(Callback):
    """Send the epoch's index, the loss and the metrics to a server at the end of each epoch, by HTTP's POST.

    Where the server cannot be reached, or says that something is wrong, a warning says so and the training goes on.

    Args:
        root: URL of the server.
        path: what follows it.
        field: the field of the form that holds the JSON.
        headers: of HTTP, beside the usual ones.
        send_as_json: send the JSON itself instead of a form.

    Raises:
        ValueError: `root` is no URL of http or https.

    Example:

    >>> monitor = RemoteMonitor("http://localhost:9000", headers={"Authorization": "Bearer 1234"})
    """

    writes = True

    def __init__(self, root: str = "http://localhost:9000", path: str = "/publish/epoch/end/", field: str = "data",
                 headers: Mapping[str, str] | None = None, send_as_json: bool = False) -> None:
        if not root.startswith(("http://", "https://")):
            raise ValueError(f"RemoteMonitor root: expected a URL of http or https, got {root!r}")
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        import urllib.parse  # which cost a tenth of a second, and few need
        import urllib.request

        values = {name: value.item() if hasattr(value, "item") else value for name, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **values})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
        request = urllib.request.Request(self.root + self.path, body.encode(),
                                         {"Content-Type": kind, **(self.headers or {})}, method="POST")
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except OSError as error:
            warnings.warn(f"RemoteMonitor: cannot reach the server at {self.root}: {error}", stacklevel=2)
