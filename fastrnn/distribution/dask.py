# SPDX-License-Identifier: Apache-2.0
"""Prediction on Dask: arrays and data frames that are larger than memory, on the processes of a cluster."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.distribution.files import checked_path, loaded
from fastrnn.distribution.threads import limited


def predict(model: Any, data: Any, batch_size: int = 256) -> Any:
    """A model's outputs for each chunk of the samples, lazily: nothing is computed before Dask is asked to.

    A task uses one thread, as Dask runs as many at once as it has cores.

    Args:
        model: a built model with one input and one output; or the path of a saved one, which every worker can read and
            maps into memory once, where a model goes to each worker as a copy.
        data: a Dask array `(samples, ...)`, the inputs, in chunks of whole samples or others, which are joined; or a
            Dask data frame: its columns are the features, and one column alone may have a sequence in each row.
        batch_size: samples that a task has the model predict at once.

    Returns:
        A Dask array `(samples, ...)`; of a data frame a data frame with the same index and a column for each unit.

    Raises:
        ImportError: Dask is not installed.
        TypeError: `data` is neither.
        ValueError: the model has several inputs or outputs.

    Example:

    >>> import dask.array  # doctest: +SKIP
    >>> x = dask.array.random.random((1_000_000, 20, 3), chunks=(10_000, 20, 3))  # doctest: +SKIP
    >>> predict("model.safetensors", x).to_zarr("predictions.zarr")  # doctest: +SKIP
    """
    try:
        import dask
    except ImportError as error:
        raise ImportError("fastrnn.distribution.dask needs Dask: pip install 'fastrnn[dask]'") from error
    here = loaded(checked_path(model, "predict: model")) if not hasattr(model, "predict_on_batch") else model
    if len(here.inputs) != 1 or len(here.outputs) != 1:
        raise ValueError(f"predict: expected a model with one input and one output, got {here} with {len(here.inputs)} "
                         f"and {len(here.outputs)}")
    sent = dask.delayed(model) if here is model else checked_path(model, "predict: model")
    if hasattr(data, "map_blocks"):
        data = data.rechunk(dict.fromkeys(range(1, data.ndim), -1))
        sizes = here.compute_output_shape((None, *data.shape[1:]))[1:]
        return data.map_blocks(_of_array, sent, batch_size, dtype=here.dtype, chunks=(data.chunks[0], *sizes),
                               drop_axis=list(range(1, data.ndim)), new_axis=list(range(1, 1 + len(sizes))),
                               meta=np.empty((0,) * (1 + len(sizes)), here.dtype))
    if hasattr(data, "map_partitions"):
        units = range(here.compute_output_shape((None, *here.inputs[0].shape[1:]))[-1])
        meta = type(data._meta)({unit: np.zeros(0, here.dtype) for unit in units}, index=data._meta.index)
        return data.map_partitions(_of_frame, sent, batch_size, meta=meta)
    raise TypeError(f"predict: expected a Dask array or data frame, got {type(data).__name__}; make one by "
                    "dask.array.from_array or dask.dataframe.from_pandas")


def _of_array(x: np.ndarray, model: Any, batch_size: int) -> Any:
    """The outputs for a chunk."""
    with limited(1):
        return (loaded(model) if isinstance(model, str) else model).predict(x, batch_size, verbose=0)


def _of_frame(frame: Any, model: Any, batch_size: int) -> Any:
    """The outputs for a partition."""
    rows = frame.to_numpy()
    if rows.shape[1] == 1 and rows.dtype == object:
        rows = np.stack(rows[:, 0]) if len(rows) else np.zeros((0, 1))
    return type(frame)(_of_array(rows, model, batch_size), index=frame.index)
