# SPDX-License-Identifier: Apache-2.0
"""Keras's functions on arrays, in a user's own `call` on traced arrays, and on symbols."""

from __future__ import annotations

from fastrnn.ops.numpy import add, exp, maximum, mean, sum

__all__ = ["add", "exp", "maximum", "mean", "sum"]
