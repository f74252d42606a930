# SPDX-License-Identifier: Apache-2.0
"""A convolution of images in plain loops, and its gradients."""

from __future__ import annotations

import numpy as np


def windows(size: int, taps: int, stride: int, dilation: int, padding: str) -> list[list[tuple[int, int]]]:
    """For each output along an axis the pairs of an input and a tap that it is made of."""
    span = (taps - 1) * dilation + 1
    if padding == "valid":
        count, before = (size - span) // stride + 1, 0
    else:
        count = -(-size // stride)
        before = span - 1 if padding == "causal" else max((count - 1) * stride + span - size, 0) // 2
    return [[(at, k) for k in range(taps) if 0 <= (at := o * stride - before + k * dilation) < size]
            for o in range(count)]


def convolve(x: np.ndarray, w: np.ndarray, rows: list, columns: list, groups: int = 1) -> np.ndarray:
    """(N, height, width, C) by (rows, columns, C / groups, O)."""
    y = np.zeros((len(x), len(rows), len(columns), w.shape[-1]))
    for h, v, i, a, j, b, inside, outside in parts(w, rows, columns, groups):
        y[:, h, v, outside] += x[:, i, j, inside] @ w[a, b][:, outside]
    return y


def gradients(x: np.ndarray, w: np.ndarray, dy: np.ndarray, rows: list, columns: list,
              groups: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Of x and of w."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for h, v, i, a, j, b, inside, outside in parts(w, rows, columns, groups):
        dx[:, i, j, inside] += dy[:, h, v, outside] @ w[a, b][:, outside].T
        dw[a, b][:, outside] += x[:, i, j, inside].T @ dy[:, h, v, outside]
    return dx, dw


def parts(w: np.ndarray, rows: list, columns: list, groups: int):
    """Where each product is: the output, the input and the tap of both axes, and the channels of both."""
    X, Y = w.shape[-2], w.shape[-1] // groups
    for h, row in enumerate(rows):
        for v, column in enumerate(columns):
            for i, a in row:
                for j, b in column:
                    for g in range(groups):
                        yield h, v, i, a, j, b, slice(g * X, (g + 1) * X), slice(g * Y, (g + 1) * Y)
