# SPDX-License-Identifier: Apache-2.0
"""GlobalAveragePooling1D."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.pooling.base import GlobalAverage


class GlobalAveragePooling1D(GlobalAverage):
    """The mean of each feature over all steps of a sequence (batch, time, features), or over those that a mask
    leaves in. The mask ends here. A sequence without a step that counts gives zeros, where Keras gives NaN.

    Args:
        data_format: "channels_last", or "channels_first" for inputs (batch, features, time).
        keepdims: keep the axis of time, with a length of 1.

    Raises:
        ValueError: `data_format` is none of these; at a call, if the input has other axes or no step.

    Example:

    >>> import numpy as np
    >>> x = np.array([[[1.0], [3.0], [100.0]]])
    >>> GlobalAveragePooling1D()(x, mask=np.array([[True, True, False]]))
    array([[2.]], dtype=float32)
    """

    supports_masking = True

    def _counts(self, mask: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """The mask beside the input, and how many steps it leaves in, beside the output."""
        mask = np.expand_dims(mask, 2 if self.data_format == "channels_last" else 1)
        return mask, np.maximum(mask.sum(axis=self.axes, keepdims=self.keepdims), 1).astype(dtype)

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.mask is None:
            return super().forward(x, call=call)
        mask, counts = self._counts(call.mask, x.dtype)
        y: np.ndarray = np.where(mask, x, x.dtype.type(0)).sum(axis=self.axes, keepdims=self.keepdims) / counts
        if call.taped:
            call.kept = x.shape, y.shape
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        if call.mask is None:
            return super().backward(dy, call=call)
        shape, output = call.kept
        dy = self.check_gradient(dy, output)
        if not call.wants():
            return None
        mask, counts = self._counts(call.mask, dy.dtype)
        return np.ascontiguousarray(np.broadcast_to(self.wide(dy / counts), shape)) * mask


GlobalAvgPool1D = GlobalAveragePooling1D
