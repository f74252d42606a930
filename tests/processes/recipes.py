# SPDX-License-Identifier: Apache-2.0
"""For every public entry point of the kernels, work that is large enough for several threads.

A recipe takes a scalar type and returns a call that can be repeated: it computes the same arrays each time, with as
many threads as are configured at that moment. What is prepared once, as packed weights are, stays as a warm model's
does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fastrnn
from fastrnn import _core, layers, runtime
from fastrnn.losses.ctc import ctc_loss_and_gradient

Call = Callable[[], list[Any]]

#: Entry points that compute no array: settings, and questions about plans and sizes.
WITHOUT_WORK = {"BackwardCall", "CModel", "CStream", "ForwardCall", "Lent", "Packed", "Program", "RecurrentCall",
                "RecurrentTape", "Runner", "Splits", "Windows", "bind_blas", "ctc_room", "force_plan",
                "layers_in_python", "model_capsule", "planned", "set_blas_mode", "set_long_tape", "threads_each"}
#: Entry points that take no number of threads and run on the calling one.
ALONE = {"activate_array"}


class Recipe(NamedTuple):
    """One way to use an entry point."""

    entry: str
    prepare: Callable[[str], Call]      # from a scalar type


def numbers(dtype: str, *shape: int) -> np.ndarray:
    """Normal numbers, the same on every run."""
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def probabilities(dtype: str, rows: int, classes: int) -> np.ndarray:
    """Positive rows that sum to one."""
    e = np.exp(numbers(dtype, rows, classes))
    return e / e.sum(axis=1, keepdims=True)


# layers: their arguments are laid out and packed by the layers themselves --------------------------------------------

def inference(layer: layers.Layer, x: np.ndarray) -> Call:
    return lambda: [layer(x)]


def training(layer: layers.Layer, x: np.ndarray) -> Call:
    """Forward and backward: the output, and every gradient."""

    def run() -> list[Any]:
        y = np.copy(layer(x, training=True))
        dx = layer.backward(y)
        return [y, dx, *(variable.grad.copy() for variable in layer.trainable_weights)]

    return run


def recurrent(dtype: str, *shape: int, **options: Any) -> tuple[layers.Layer, np.ndarray]:
    """An LSTM for that batch, time and units, built, and its input."""
    batch, time, units = shape
    layer = layers.LSTM(units, dtype=dtype, return_sequences=True, recurrent_initializer="zeros", **options)
    return built(layer, numbers(dtype, batch, time, 52))


def both_directions(dtype: str) -> tuple[layers.Layer, np.ndarray]:
    return built(layers.Bidirectional(layers.LSTM(64, dtype=dtype)), numbers(dtype, 32, 50, 52))


def dense(dtype: str) -> tuple[layers.Layer, np.ndarray]:
    return built(layers.Dense(160, dtype=dtype), numbers(dtype, 300, 128))


def over_windows(layer: type[layers.Layer], *arguments: Any) -> Callable[[str], tuple[layers.Layer, np.ndarray]]:
    """A layer whose outputs are each made of a window of the input."""
    return lambda dtype: built(layer(*arguments, dtype=dtype), numbers(dtype, 32, 100, 64))


def ctc(dtype: str) -> Call:
    logits, labels = numbers(dtype, 16, 100, 40), rows_of(16 * 20, 39).reshape(16, 20) + 1
    steps, lengths = np.full(16, 100), np.full(16, 20)
    return lambda: list(ctc_loss_and_gradient(labels, logits, lengths, steps))


def line(dtype: str) -> Call:
    """A model whose layers run in one call."""
    units = [layers.LSTM(64, dtype=dtype, return_sequences=True), layers.Dropout(0.5, dtype=dtype),
             layers.LSTM(64, dtype=dtype), layers.Dense(8, "softmax", dtype=dtype)]
    model = fastrnn.Sequential([fastrnn.Input((20, 52), dtype=dtype), *units])
    model.set_weights([numbers(dtype, *weight.shape) / 8 for weight in model.get_weights()])
    x = numbers(dtype, 32, 20, 52)
    return lambda: [model.predict_on_batch(x)]


def built(layer: layers.Layer, x: np.ndarray) -> tuple[layers.Layer, np.ndarray]:
    """The layer, with weights that are the same on every run."""
    layer.build(x.shape)
    layer.set_weights([numbers(x.dtype.name, *weight.shape) / 8 for weight in layer.get_weights()])
    return layer, x


def rebuilt(make: Callable[[str], tuple[layers.Layer, np.ndarray]]) -> Callable[[str], Call]:
    """Training whose weights change before every call, so that they are packed anew."""

    def prepare(dtype: str) -> Call:
        layer, x = make(dtype)
        weights, run = layer.get_weights(), training(layer, x)

        def changed() -> list[Any]:
            layer.set_weights(weights)
            return run()

        return changed

    return prepare


# kernels whose arguments are plain arrays ----------------------------------------------------------------------------

def filled(dtype: str, entry: str, *inputs: np.ndarray, shape: tuple[int, ...], kind: Any = None) -> Call:
    """The entry called with these arrays, one that it fills, and the threads."""
    kernel_call = getattr(_core.kernels(dtype), entry)

    def run() -> list[Any]:
        out = np.zeros(shape, kind or dtype)
        kernel_call(*inputs, out, runtime.get_num_threads())
        return [out]

    return run


def activate_array(dtype: str) -> Call:
    kernels, x = _core.kernels(dtype), numbers(dtype, 200_000)

    def run() -> list[Any]:
        y = np.empty_like(x)
        kernels.activate_array(kernels.ACTIVATIONS["tanh"], x, y)
        return [y]

    return run


def add(dtype: str) -> Call:
    kernels, a = _core.kernels(dtype), numbers(dtype, 200_000)

    def run() -> list[Any]:
        total = a.copy()
        kernels.add(total, a, runtime.get_num_threads())
        return [total]

    return run


def rows_of(count: int, table: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, table, count).astype("int32")


def gather_rows(dtype: str) -> Call:
    return filled(dtype, "gather_rows", numbers(dtype, 1000, 64), rows_of(4000, 1000), shape=(4000, 64))


def scatter_rows(dtype: str) -> Call:
    kernels, dy, indices = _core.kernels(dtype), numbers(dtype, 4000, 64), rows_of(4000, 1000)

    def run() -> list[Any]:
        gradient, touched = np.ones((1000, 64), dtype), np.ones(1000, np.uint8)
        kernels.scatter_rows(dy, indices, gradient, touched, runtime.get_num_threads())
        return [gradient, touched]

    return run


def crossentropy_rows(dtype: str) -> Call:
    kernels, t, p = _core.kernels(dtype), probabilities(dtype, 2000, 60), probabilities(dtype, 2000, 60)[::-1].copy()

    def run() -> list[Any]:
        values, gradient = np.empty(len(t), dtype), np.empty_like(t)
        total = kernels.crossentropy_rows(t, p, values, gradient, runtime.get_num_threads())
        return [total, values, gradient]

    return run


def softmax_rows(dtype: str) -> Call:
    return filled(dtype, "softmax_rows", numbers(dtype, 2000, 60), shape=(2000, 60))


def over_rows(name: str, *more: Any) -> Callable[[str], Call]:
    return lambda dtype: filled(dtype, name, numbers(dtype, 2000, 60), numbers(dtype, 60), numbers(dtype, 60), *more,
                                shape=(2000, 60))


def stream(dtype: str) -> Call:
    """Time steps of many slots, each time from the beginning; made anew, as the threads are known from then on."""
    model = fastrnn.Sequential([fastrnn.Input((None, 20)), layers.LSTM(64, dtype=dtype),
                                layers.Dense(60, "softmax", dtype=dtype)])
    frozen, x = model.freeze(), numbers(dtype, 100, 8, 20)
    return lambda: [frozen.stream(100).feed(x)]


def softmax_rows_backward(dtype: str) -> Call:
    return filled(dtype, "softmax_rows_backward", probabilities(dtype, 2000, 60), numbers(dtype, 2000, 60),
                  shape=(2000, 60))


def same_largest(dtype: str) -> Call:
    t = numbers(dtype, 2000, 60)
    return filled(dtype, "same_largest", t, t + t[::-1], shape=(2000,), kind=np.bool_)


def scale_rows(dtype: str) -> Call:
    return filled(dtype, "scale_rows", numbers(dtype, 40, 100, 64), numbers(dtype, 40, 64), shape=(40, 100, 64))


def sum_of_squares(dtype: str) -> Call:
    kernels, g = _core.kernels(dtype), numbers(dtype, 2000, 60)
    return lambda: [kernels.sum_of_squares(g, None, runtime.get_num_threads())]


def update(entry: str, *options: float, slots: tuple[str, ...]) -> Callable[[str], Call]:
    """A step of an optimizer; options: what its kernel takes after the clipping."""

    def prepare(dtype: str) -> Call:
        kernels, w, g = _core.kernels(dtype), numbers(dtype, 2000, 60), numbers(dtype, 2000, 60)[::-1].copy()

        def run() -> list[Any]:
            changed, kept = w.copy(), {name: np.abs(g) for name in slots}
            getattr(kernels, entry)([(changed, g, None, 1.0, 0.0, kept)], math.inf, *options, runtime.get_num_threads())
            return [changed, *kept.values()]

        return run

    return prepare


RECIPES: dict[str, Recipe] = {
    "RecurrentRunner, over rows": Recipe("RecurrentRunner", lambda dtype: inference(*recurrent(dtype, 32, 20, 64))),
    "RecurrentRunner, over units": Recipe("RecurrentRunner", lambda dtype: inference(*recurrent(dtype, 1, 20, 256))),
    "RecurrentRunner, backwards": Recipe("RecurrentRunner", lambda dtype: inference(
        *recurrent(dtype, 1, 20, 256, go_backwards=True))),
    "RecurrentRunner, both directions": Recipe("RecurrentRunner", lambda dtype: inference(*both_directions(dtype))),
    "RecurrentRunner, training over rows": Recipe("RecurrentRunner", lambda dtype: training(
        *recurrent(dtype, 32, 20, 64))),
    "RecurrentRunner, training over units": Recipe("RecurrentRunner", lambda dtype: training(
        *recurrent(dtype, 1, 20, 256))),
    "RecurrentRunner, training in both directions": Recipe("RecurrentRunner", lambda dtype: training(
        *both_directions(dtype))),
    "RecurrentRunner, changed weights": Recipe("RecurrentRunner", rebuilt(both_directions)),
    "LineRunner": Recipe("LineRunner", line),
    "DenseRunner, inference": Recipe("DenseRunner", lambda dtype: inference(*dense(dtype))),
    "DenseRunner, training": Recipe("DenseRunner", lambda dtype: training(*dense(dtype))),
    "DenseRunner, changed weights": Recipe("DenseRunner", rebuilt(dense)),
    "ConvolutionRunner, inference": Recipe("ConvolutionRunner", lambda dtype: inference(
        *over_windows(layers.Conv1D, 64, 3)(dtype))),
    "ConvolutionRunner, training": Recipe("ConvolutionRunner", lambda dtype: training(
        *over_windows(layers.Conv1D, 64, 3)(dtype))),
    **{entry: Recipe(entry, lambda dtype: training(*over_windows(layers.DepthwiseConv1D, 5)(dtype)))
       for entry in ("depthwise", "depthwise_input_gradient", "depthwise_weight_gradient")},
    **{entry: Recipe(entry, lambda dtype: training(*over_windows(layers.MaxPooling1D, 5, 1)(dtype)))
       for entry in ("pool", "pool_backward")},
    "ctc": Recipe("ctc", ctc),
    "activate_array": Recipe("activate_array", activate_array),
    "add": Recipe("add", add),
    "scale_rows": Recipe("scale_rows", scale_rows),
    "gather_rows": Recipe("gather_rows", gather_rows),
    "scatter_rows": Recipe("scatter_rows", scatter_rows),
    "softmax_rows": Recipe("softmax_rows", softmax_rows),
    "softmax_rows_backward": Recipe("softmax_rows_backward", softmax_rows_backward),
    "scale_features": Recipe("scale_features", over_rows("scale_features")),
    "normalize_rows": Recipe("normalize_rows", over_rows("normalize_rows", 1e-3, True)),
    "StreamRunner": Recipe("StreamRunner", stream),
    "crossentropy_rows": Recipe("crossentropy_rows", crossentropy_rows),
    "same_largest": Recipe("same_largest", same_largest),
    "sgd_update": Recipe("sgd_update", update("sgd_update", 0.01, 0.9, True, slots=("momentum",))),
    "rmsprop_update": Recipe("rmsprop_update", update("rmsprop_update", 0.01, 0.9, 0.5, 1e-7,
                                                      slots=("momentum", "velocity"))),
    "adam_update": Recipe("adam_update", update("adam_update", 0.01, 0.9, 0.999, 1e-7,
                                                slots=("momentum", "velocity"))),
    "nadam_update": Recipe("nadam_update", update("nadam_update", 0.01, 0.01, 0.9, 0.999, 1e-7,
                                                  slots=("momentum", "velocity"))),
    "adamax_update": Recipe("adamax_update", update("adamax_update", 0.01, 0.9, 0.999, 1e-7,
                                                    slots=("momentum", "norm"))),
    "adagrad_update": Recipe("adagrad_update", update("adagrad_update", 0.01, 1e-7, slots=("accumulator",))),
    "adadelta_update": Recipe("adadelta_update", update("adadelta_update", 0.01, 0.9, 1e-7,
                                                        slots=("accumulated_grad", "accumulated_delta_var"))),
    "lion_update": Recipe("lion_update", update("lion_update", 0.01, 0.9, 0.99, slots=("momentum",))),
    "sum_of_squares": Recipe("sum_of_squares", sum_of_squares),
}


def bits(results: list[Any]) -> bytes:
    """All bits of what a call returns."""
    return b"".join(np.asarray(result).tobytes() for result in results)
