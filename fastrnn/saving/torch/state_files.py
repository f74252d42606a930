# SPDX-License-Identifier: Apache-2.0
"""Which of the formats that PyTorch's weights come in a file is of: its first bytes count, not its name."""

from __future__ import annotations

import os
from typing import Any, Literal

from fastrnn.saving import files, safetensors
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.torch import archive


def format_of(path: str) -> Literal["torch", "safetensors", ""]:
    """What a file is: what torch.save wrote, a safetensors file, or neither. Where its first bytes are those of nothing
    that is known here, or there is no such file, the suffix says what it should be.

    >>> format_of("there/is/none.pth"), format_of("there/is/none.keras")
    ('torch', '')
    """
    if os.path.isfile(path) and os.path.getsize(path):
        data = files.mapped(path)
        if archive.recognizes(data):
            return "torch"
        if safetensors.recognizes(data):
            return "safetensors"
    if path.endswith(files.TORCH):
        return "torch"
    return "safetensors" if path.endswith(files.NATIVE) else ""


def check_no_state_dict(path: Any) -> None:
    """Refuse what torch.save wrote where a model is expected, or weights by the names of a model's layers.

    Raises:
        ModelFileError: the file is one of PyTorch's.
    """
    path = files.named(path)
    if os.path.isfile(path) and not os.path.isfile(path + files.NATIVE) and format_of(path) == "torch":
        raise ModelFileError(path, "", files.OF_TORCH)
