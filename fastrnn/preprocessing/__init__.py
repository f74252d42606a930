"""Preparing text and sequences for a model: `fastrnn.preprocessing.text`, `fastrnn.preprocessing.sequence`."""

from typing import TYPE_CHECKING

from fastrnn.preprocessing import sequence, text
from fastrnn.registry import absent_from

__all__ = ["sequence", "text"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)
