# SPDX-License-Identifier: Apache-2.0
"""Layers as steps of tf.data's pipelines, whose functions are given tensors without values.

TensorFlow is never imported: a program that has such a tensor has done so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def is_tensor_of_a_pipeline(x: Any) -> bool:
    """Whether it is a tensor of TensorFlow without values.

    >>> is_tensor_of_a_pipeline(np.zeros(3))
    False
    """
    return type(x).__module__.startswith("tensorflow.") and hasattr(x, "graph") and not hasattr(x, "numpy")


def within_pipeline(layer: Callable[[Any], Any], x: Any, dtype: str) -> Any:
    """The tensor that a layer will give for another, once that has values.

    Args:
        layer: takes an array.
        x: the tensor.
        dtype: of the output.
    """
    tensorflow: Any = sys.modules["tensorflow"]

    def run(values: np.ndarray) -> np.ndarray:
        return np.asarray(layer(values), None if dtype == "string" else dtype)

    made = tensorflow.numpy_function(run, [x], tensorflow.string if dtype == "string" else dtype, stateful=False)
    if x.shape.rank is not None and x.shape.rank > 0:
        made.set_shape(layer.compute_output_shape(tuple(x.shape)))      # type: ignore[attr-defined]
    return made
