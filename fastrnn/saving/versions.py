# SPDX-License-Identifier: Apache-2.0
"""Versions of Keras, as files say them."""

from __future__ import annotations

from typing import Any

from fastrnn.saving.errors import ModelFileError, shown


def major_version(text: Any, file: str, place: str) -> int:
    """The 3 of "3.8.0"; 1 where no version is given, as Keras 1 gave none."""
    if text is None:
        return 1
    major = str(text).split(".")[0]
    if not major.isascii() or not major.isdigit() or not 1 <= len(major) <= 2 or not 1 <= int(major) <= 3:
        raise ModelFileError(file, place, f"expected a version of Keras, 1 to 3, got {shown(text)}")
    return int(major)
