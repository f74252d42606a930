"""Preparing text and sequences for a model: `fastrnn.preprocessing.text`, `fastrnn.preprocessing.sequence`."""

from fastrnn.preprocessing import sequence, text

__all__ = ["sequence", "text"]
