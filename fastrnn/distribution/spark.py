# SPDX-License-Identifier: Apache-2.0
"""Prediction on Spark, as a function of columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn.distribution.files import checked_path, loaded


def predict_udf(path: Any, input_shapes: Sequence[Sequence[int]] | None = None, return_type: Any = None,
                batch_size: int = 1024) -> Any:
    """A function of columns, for `DataFrame.select` and `withColumn`, that gives a model's output for each row.

    Each Python worker of Spark loads the model once, by memory map where it is in the native format, and uses as many
    threads as its task has cores (`spark.task.cpus`).

    Args:
        path: of a saved model with one output, which every executor can read.
        input_shapes: the shape of a row's value in each column, `[[20, 3]]`, where that is an array that Spark keeps
            flat; None if they are numbers.
        return_type: the output's type, of `pyspark.sql.types`: None for an array of floats, the outputs of a row,
            flattened; `FloatType()` for a model of one unit, whose value it then is.
        batch_size: rows that the model predicts at once.

    Raises:
        ImportError: pyspark is not installed.
        TypeError: `path` is none.

    Example:

    >>> predict = predict_udf("model.safetensors", [[20, 3]])  # doctest: +SKIP
    >>> frame.withColumn("prediction", predict("features"))  # doctest: +SKIP
    """
    try:
        from pyspark.ml.functions import predict_batch_udf
        from pyspark.sql.types import ArrayType, FloatType
    except ImportError as error:
        raise ImportError("fastrnn.distribution.spark needs pyspark, pandas and pyarrow: pip install 'fastrnn[spark]'; "
                          "and Spark needs Java") from error
    where = checked_path(path, "predict_udf: path")
    shapes: Any = None if input_shapes is None else [list(map(int, shape)) for shape in input_shapes]

    def make() -> Callable[..., np.ndarray]:
        model = loaded(where)
        runtime.set_num_threads(_cores())

        def predict(*columns: np.ndarray) -> np.ndarray:
            found: np.ndarray = model.predict(list(columns) if len(columns) > 1 else columns[0], batch_size, verbose=0)
            return found.reshape(len(found), -1)

        # by which Spark knows how many columns to ask for
        names = [f"column_{i}" for i in range(len(model.inputs))]
        predict.__signature__ = Signature(  # type: ignore[attr-defined]
            [Parameter(name, Parameter.POSITIONAL_ONLY) for name in names])
        return predict

    return predict_batch_udf(make, return_type=return_type or ArrayType(FloatType()), batch_size=batch_size,
                             input_tensor_shapes=shapes)


def _cores() -> int:
    """The cores of the task that runs in this worker."""
    from pyspark import TaskContext

    task = TaskContext.get()
    return 1 if task is None else max(1, task.cpus())
