# SPDX-License-Identifier: Apache-2.0
"""Prediction on Ray Data, by actors that load the model once."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn.distribution.files import checked_path, loaded


class Predictor:
    """A class of actors for `ray.data.Dataset.map_batches`: each adds a model's output to the batches that it gets.

    An actor uses as many threads as it has CPUs (`num_cpus` of `map_batches`, 1 by default). A model in the native
    format is mapped into memory, once for all actors of a machine.

    Args:
        path: of a saved model, which every machine can read.
        inputs: the column with the input, an array `(...)` a row; of several inputs a list of columns, in their order.
        output: the column to add; of several outputs, a list.
        batch_size: samples that the model predicts at once.

    Raises:
        TypeError: `path` is none.
        FileNotFoundError, ModelFileError: the machine of an actor cannot read the file.
        KeyError: a batch lacks a column.

    Example:

    >>> dataset.map_batches(Predictor, fn_constructor_kwargs={"path": "model.safetensors", "inputs": "x"},
    ...                     batch_size=4096, concurrency=8)  # doctest: +SKIP
    """

    def __init__(self, path: Any, inputs: str | list[str] = "x", output: str | list[str] = "prediction",
                 batch_size: int = 256) -> None:
        self._inputs, self._outputs, self._batch_size = inputs, output, batch_size
        runtime.set_num_threads(_cores())
        self._model = loaded(checked_path(path, "Predictor: path"))

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        """The batch with the outputs of the model."""
        missing = {self._inputs} if isinstance(self._inputs, str) else set(self._inputs)
        missing -= set(batch)
        if missing:
            raise KeyError(f"Predictor: expected the columns {sorted(missing)}, got {sorted(batch)}; name those of the "
                           "inputs by `inputs`")
        x: Any = batch[self._inputs] if isinstance(self._inputs, str) else [batch[name] for name in self._inputs]
        found = self._model.predict(x, self._batch_size, verbose=0)
        if isinstance(self._outputs, str):
            return {**batch, self._outputs: found}
        return {**batch, **dict(zip(self._outputs, found, strict=True))}


def _cores() -> int:
    """The CPUs that Ray has given this actor; the threads of the process where it is none."""
    try:
        import ray
    except ImportError as error:
        raise ImportError("fastrnn.distribution.ray needs Ray: pip install 'fastrnn[ray]'") from error
    if not ray.is_initialized() or ray.get_runtime_context().get_actor_id() is None:
        return runtime.get_num_threads()
    return max(1, int(ray.get_runtime_context().get_assigned_resources().get("CPU", 1)))
