# SPDX-License-Identifier: Apache-2.0
"""The web service of one frozen model, for a server of ASGI applications:

    FASTRNN_SERVE_MODEL=model.safetensors gunicorn --config examples/serve/gunicorn.conf.py
    FASTRNN_SERVE_MODEL=model.safetensors uvicorn --app-dir examples/serve application:app

The model is the one that `model.freeze().save("model.safetensors")` wrote; the limits are FASTRNN_SERVE_WINDOW_US and
its like (`fastrnn serve --help` has all).
"""

from __future__ import annotations

import os

import fastrnn

app = fastrnn.serving.service.make_app(fastrnn.serving.load(os.environ["FASTRNN_SERVE_MODEL"]))
