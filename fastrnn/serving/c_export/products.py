# SPDX-License-Identifier: Apache-2.0
"""A layer's product and bias: `z = b + x W`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.serving.c_export.source import Source

#: Outputs that fill a vector register. Fewer are better computed one by one, each a sum over the inputs in parts.
_WIDE = 8


def begin(source: Source, layer: Any, name: str, code: str, width: int, bias: np.ndarray | None, shape: str) -> None:
    """Numbers that begin as a bias, or as zeros.

    Args:
        source: the file.
        layer: whose bias it is.
        name: of the bias among the layer's constants.
        code, width: the numbers.
        bias: None for zeros.
        shape: what is said of it.
    """
    if bias is None:
        source.call("fill", code, width, "0.0f")
    else:
        source.call("copy", code, width, source.constant(layer, name, bias, shape))


def multiply(source: Source, layer: Any, name: str, code: str, x: str, weights: np.ndarray, shape: str) -> None:
    """To numbers add x W.

    Args:
        source: the file.
        layer: whose kernel it is.
        name: of the kernel among the layer's constants.
        code: the numbers.
        x: the inputs.
        weights: W (inputs, outputs).
        shape: what is said of it.
    """
    rows, columns = weights.shape
    if columns < _WIDE <= rows:
        source.call("dots", code, columns, x, rows,
                    source.constant(layer, name, weights.T, f"{shape} transposed"))
    else:
        source.call("product", code, columns, x, rows, source.constant(layer, name, weights, shape))
