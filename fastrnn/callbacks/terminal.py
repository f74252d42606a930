# SPDX-License-Identifier: Apache-2.0
"""The terminal that output goes to."""

from __future__ import annotations

import os
from typing import Any


def terminal_columns(stream: Any) -> int:
    """Width of the terminal that `stream` writes to: what COLUMNS says, or else the terminal; 80 if there is none."""
    told = os.environ.get("COLUMNS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (AttributeError, OSError, ValueError):
        return 80
