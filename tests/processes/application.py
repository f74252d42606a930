# SPDX-License-Identifier: Apache-2.0
"""What gunicorn serves here: a warm model's answer to one batch, and the number of the process that gave it.

The parent imports this (`--preload`), predicts, and leaves its answer in the file that the environment names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.processes.probe import make_model

model, x = make_model()
Path(os.environ["EXPECTED_ANSWER"]).write_text(model.predict_on_batch(x).tobytes().hex(), encoding="ascii")


def application(request: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    answer = f"{os.getpid()} {model.predict_on_batch(x).tobytes().hex()}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
