# SPDX-License-Identifier: Apache-2.0
"""Which of the formats that PyTorch's weights come in a file is of: its first bytes count, not its name."""

from __future__ import annotations

import os
from typing import Literal

from fastrnn.saving import files, safetensors, torch_archive


def format_of(path: str) -> Literal["torch", "safetensors", ""]:
    """What a file is: what torch.save wrote, a safetensors file, or neither. Where its first bytes are those of nothing
    that is known here, or there is no such file, the suffix says what it should be.

    >>> format_of("there/is/none.pth"), format_of("there/is/none.keras")
    ('torch', '')
    """
    if os.path.isfile(path) and os.path.getsize(path):
        data = files.mapped(path)
        if torch_archive.recognizes(data):
            return "torch"
        if safetensors.recognizes(data):
            return "safetensors"
    if path.endswith(files.TORCH):
        return "torch"
    return "safetensors" if path.endswith(files.NATIVE) else ""
