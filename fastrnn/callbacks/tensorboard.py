# SPDX-License-Identifier: Apache-2.0
"""TensorBoard: write what a training does to files that TensorBoard shows."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrnn.callbacks.base import Callback, Logs
from fastrnn.callbacks.events import EventFile


class TensorBoard(Callback):
    """Write the loss and the metrics, and if asked for the weights, for TensorBoard: `tensorboard --logdir logs`.

    The files need no package to be written. Those of the training lie in the folder `train`, those of the validation in
    `validation`; the names are Keras's: `epoch_loss` by epochs, `batch_loss` by batches,
    `evaluation_loss_vs_iterations` by updates.

    Args:
        log_dir: folder of the files.
        histogram_freq: write histograms of all weights after each such number of epochs; 0 for none.
        write_graph: write the model's layers, which TensorBoard draws.
        write_images: write the weights as pictures, too, where histograms are written.
        write_steps_per_second: write how many batches an epoch and a batch make in a second.
        update_freq: `"epoch"`; `"batch"`, or a number of batches after each of which loss and metrics are written, too.
        profile_batch: Keras's; there is no profile, and a warning says so.
        embeddings_freq: save the weights after each such number of epochs, for the projector of embeddings; 0 for none.
        embeddings_metadata: file with the names of an embedding's rows, for all embeddings or by their layers' names.

    Raises:
        ValueError: another `update_freq`, or the name of no `Embedding` in `embeddings_metadata`.

    Example:

    >>> import os, tempfile, numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> board = fastrnn.callbacks.TensorBoard(tempfile.mkdtemp())
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[board])
    >>> os.listdir(board.log_dir)
    ['train']
    """

    writes = True

    def __init__(self, log_dir: str | os.PathLike[str] = "logs", histogram_freq: int = 0, write_graph: bool = True,
                 write_images: bool = False, write_steps_per_second: bool = False, update_freq: str | int = "epoch",
                 profile_batch: Any = 0, embeddings_freq: int = 0,
                 embeddings_metadata: str | Mapping[str, str] | None = None) -> None:
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        if self.update_freq != "epoch" and (not isinstance(self.update_freq, int) or self.update_freq < 1):
            raise ValueError(f"TensorBoard update_freq: expected 'epoch', 'batch' or a number of batches, got "
                             f"{update_freq!r}")
        if profile_batch:
            warnings.warn("TensorBoard: profile_batch has no effect; Python's own profilers see each kernel as a call",
                          stacklevel=2)
        self._train = EventFile(os.path.join(self.log_dir, "train"))
        self._validation = EventFile(os.path.join(self.log_dir, "validation"))
        self._batches = 0
        self._began = self._batch_began = 0.0
        self._updates_before = 0
        if self.update_freq != "epoch":     # only then, since a run pays for whoever looks at its batches
            self.on_train_batch_begin = self._before_batch  # type: ignore[method-assign]
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def set_model(self, model: Any) -> None:
        self.model = model
        if self.write_graph and model.built:
            self._train.text_of_model("keras", model.to_json(), 0)
        if self.embeddings_freq:
            self._configure_projector()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches = 0

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._train.close()
        self._validation.close()

    def on_test_end(self, logs: Logs | None = None) -> None:
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            for name, value in (logs or {}).items():
                self._validation.scalar(f"evaluation_{name}_vs_iterations", value, optimizer.iterations)
            self._validation.flush()

    def _before_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batch_began = time.perf_counter()

    def _after_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches % self.update_freq:  # type: ignore[operator]
            return
        if self.write_steps_per_second:
            self._train.scalar("batch_steps_per_second", 1 / (time.perf_counter() - self._batch_began), self._batches)
        for name, value in (logs or {}).items():
            self._train.scalar(f"batch_{name}", value, self._batches)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._began, self._updates_before = time.perf_counter(), self.model.optimizer.iterations

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = dict(logs or {})
        if logs:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
            if self.write_steps_per_second:
                made = self.model.optimizer.iterations - self._updates_before
                logs["steps_per_second"] = made / (time.perf_counter() - self._began)
        for name, value in logs.items():
            of_validation = name.startswith("val_")
            file = self._validation if of_validation else self._train
            file.scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for layer in self.model.layers:
                for weight in layer.weights:
                    self._write_weight(weight, epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            os.makedirs(self._train.folder, exist_ok=True)
            self.model.save_weights(os.path.join(self._train.folder, f"keras_embedding.ckpt-{epoch}.weights.h5"))
        self._train.flush()
        self._validation.flush()

    def _write_weight(self, weight: Any, epoch: int) -> None:
        self._train.histogram(f"{weight.path}/histogram", weight.data, epoch)
        if self.write_images:
            pixels = np.atleast_2d(weight.data.squeeze())
            if pixels.ndim == 2:
                self._train.image(f"{weight.path}/image", pixels.T if len(pixels) > pixels.shape[1] else pixels, epoch)

    def _configure_projector(self) -> None:
        """The file by which TensorBoard's projector finds the embeddings."""
        given, entries = self.embeddings_metadata, []
        named = {} if given is None or isinstance(given, str) else dict(given)
        for layer in self.model.layers:
            if type(layer).__name__ != "Embedding":
                continue
            path = named.pop(layer.name, None) if not isinstance(given, str) else given
            metadata = f'  metadata_path: "{path}"\n' if path is not None else ""
            entries.append("embeddings {\n  tensor_name: "
                           f'"layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"\n{metadata}}}\n')
        if named:
            raise ValueError(f"TensorBoard embeddings_metadata: expected names of Embedding layers, got "
                             f"{sorted(named)}")
        os.makedirs(self.log_dir, exist_ok=True)
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w", encoding="utf-8") as file:
            file.write("".join(entries))
