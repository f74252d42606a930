# SPDX-License-Identifier: Apache-2.0
"""The product of a depthwise convolution, whose every channel has kernels of its own, and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.layers.spatial import in_two


def depthwise(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, around: list[Any], sizes: tuple[int, ...],
              activation: int) -> np.ndarray:
    """(N, height, width, C * multiplier) of x (N, height, width, C) and a kernel (..., C, multiplier).

    Args:
        x: the images.
        kernel: as layers have it.
        bias: (C * multiplier,), or None.
        around: the windows over rows and columns.
        sizes: of the output.
        activation: the kernels' code for it.
    """
    channels, multiplier = kernel.shape[-2:]
    y = np.empty((len(x), *in_two(sizes), channels * multiplier), x.dtype)
    _core.kernels(arrays.dtype_name(x) or "").depthwise(_repeated(x, multiplier), kernel, bias, y, *around, activation,
                                                        runtime.get_num_threads())
    return y


def depthwise_input_gradient(dz: np.ndarray, kernel: np.ndarray, shape: tuple[int, ...],
                             around: list[Any]) -> np.ndarray:
    """The gradient of x, of this shape."""
    multiplier = kernel.shape[-1]
    dx = np.empty((*shape[:-1], shape[-1] * multiplier), dz.dtype)
    _core.kernels(arrays.dtype_name(dz) or "").depthwise_input_gradient(dz, kernel, dx, *around,
                                                                        runtime.get_num_threads())
    return dx if multiplier == 1 else dx.reshape(*shape, multiplier).sum(-1)


def depthwise_weight_gradient(x: np.ndarray, dz: np.ndarray, dw: np.ndarray, around: list[Any]) -> None:
    """Write that of the kernel."""
    _core.kernels(arrays.dtype_name(x) or "").depthwise_weight_gradient(_repeated(x, dw.shape[-1]), dz, dw, *around,
                                                                        runtime.get_num_threads())


def _repeated(x: np.ndarray, multiplier: int) -> np.ndarray:
    """Each channel as often as it has kernels."""
    return x if multiplier == 1 else np.repeat(x, multiplier, axis=-1)
