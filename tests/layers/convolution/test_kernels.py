# SPDX-License-Identifier: Apache-2.0
"""The kernels of convolutions against plain loops, for shapes that cut tiles, vectors and blocks in all ways."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn import _core
from fastrnn.layers import Conv1D, Conv1DTranspose, Conv2D, DepthwiseConv1D, SeparableConv1D
from fastrnn.layers.spatial import padded_before, windows
from tests.conftest import assert_close
from tests.layers.convolution import reference

#: Layers with input shapes: few and many samples, channels, filters and taps, more taps than steps, more padding than
#: steps, strides beyond the window, several blocks of rows and of windows, images of one row and of one column.
CASES = [
    (Conv1D, (1, 9, 1), {"filters": 1, "kernel_size": 1}),
    (Conv1D, (1, 300, 3), {"filters": 5, "kernel_size": 3}),
    (Conv1D, (7, 40, 17), {"filters": 33, "kernel_size": 4, "padding": "same"}),
    (Conv1D, (5, 31, 64), {"filters": 70, "kernel_size": 5, "padding": "same"}),
    (Conv1D, (13, 150, 4), {"filters": 16, "kernel_size": 3, "padding": "causal", "dilation_rate": 3}),
    (Conv1D, (2, 20, 6), {"filters": 18, "kernel_size": 3, "padding": "same", "dilation_rate": 4}),
    (Conv1D, (3, 50, 8), {"filters": 9, "kernel_size": 5, "strides": 2}),
    (Conv1D, (3, 50, 8), {"filters": 9, "kernel_size": 2, "strides": 5, "padding": "same"}),
    (Conv1D, (4, 23, 12), {"filters": 20, "kernel_size": 7, "strides": 3, "padding": "same", "groups": 4}),
    (Conv1D, (4, 23, 12), {"filters": 12, "kernel_size": 3, "padding": "causal", "groups": 12}),
    (Conv1D, (3, 2, 5), {"filters": 4, "kernel_size": 9, "padding": "same"}),
    (Conv1D, (3, 2, 5), {"filters": 4, "kernel_size": 5, "padding": "causal", "dilation_rate": 6}),
    (Conv1D, (2, 6, 300), {"filters": 130, "kernel_size": 3}),
    (Conv1D, (40, 30, 8), {"filters": 100, "kernel_size": 9, "padding": "same"}),
    (Conv1D, (1, 1, 2), {"filters": 3, "kernel_size": 1}),
    (Conv2D, (2, 12, 14, 3), {"filters": 8, "kernel_size": 3}),
    (Conv2D, (9, 7, 6, 5), {"filters": 17, "kernel_size": (2, 5), "padding": "same"}),
    (Conv2D, (2, 11, 13, 4), {"filters": 6, "kernel_size": (3, 2), "strides": (2, 3), "padding": "same"}),
    (Conv2D, (2, 11, 13, 4), {"filters": 6, "kernel_size": 3, "dilation_rate": (2, 3), "padding": "same", "groups": 2}),
    (Conv2D, (2, 1, 20, 4), {"filters": 6, "kernel_size": 3, "padding": "same"}),
    (Conv2D, (2, 20, 1, 4), {"filters": 6, "kernel_size": 3, "padding": "same"}),
    (Conv2D, (1, 40, 40, 16), {"filters": 32, "kernel_size": 5}),
]  # fmt: skip
every_case = pytest.mark.parametrize(("cls", "shape", "options"), CASES)


def built(cls, shape, options, dtype="float64", **more):
    layer = cls(**options, dtype=dtype, **more)
    layer.build((None, *shape[1:]))
    rng = np.random.default_rng(3)
    layer.set_weights([rng.standard_normal(w.shape) for w in layer.weights])
    return layer


def axes(layer, shape):
    """The windows of both axes in plain Python."""
    found = [reference.windows(*one, layer.padding)
             for one in zip(shape[1:-1], layer.kernel_size, layer.strides, layer.dilation_rate)]
    return found if len(found) == 2 else [[[(0, 0)]], *found]


@every_case
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_and_gradients(cls, shape, options, dtype, rng):
    layer = built(cls, shape, options, dtype)
    x = rng.standard_normal(shape).astype(dtype)
    y = layer(x, training=True)
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx = layer.backward(dy)
    lead = slice(None) if cls is Conv2D else (slice(None), None)
    w = layer.kernel.data.astype("float64")
    w = w if cls is Conv2D else w[None]
    rows, columns = axes(layer, shape)
    expected = reference.convolve(x[lead].astype("float64"), w, rows, columns, layer.groups) + layer.bias.data
    expected_dx, expected_dw = reference.gradients(x[lead].astype("float64"), w, dy[lead].astype("float64"), rows,
                                                   columns, layer.groups)
    tolerance = 1e-12 if dtype == "float64" else 3e-5
    assert_close(y, expected.reshape(y.shape), tolerance, "y")
    assert_close(dx, expected_dx.reshape(x.shape), tolerance, "dx")
    assert_close(layer.kernel.grad, expected_dw.reshape(layer.kernel.shape), tolerance, "dW")
    assert_close(layer.bias.grad, dy.astype("float64").sum(tuple(range(dy.ndim - 1))), tolerance, "db")
    np.testing.assert_array_equal(layer(x), y)


@every_case
def test_bits_do_not_depend_on_threads(cls, shape, options, rng):
    x = rng.standard_normal(shape).astype("float32")
    found = []
    for threads in 1, 2, 3, 8:
        fastrnn.set_num_threads(threads)
        layer = built(cls, shape, options, "float32", activation="tanh")
        y = layer(x, training=True)
        dx = layer.backward(np.cos(np.arange(y.size, dtype="float32")).reshape(y.shape))
        found.append([y, dx, layer.kernel.grad, layer.bias.grad])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("make", "shape"), [
    (lambda: Conv1DTranspose(33, 4, 2, "same", activation="tanh"), (7, 30, 20)),
    (lambda: DepthwiseConv1D(5, 1, "same", 2, activation="tanh"), (7, 90, 37)),
    (lambda: SeparableConv1D(40, 5, depth_multiplier=2, activation="tanh"), (7, 90, 37))])  # fmt: skip
def test_bits_of_the_others_do_not_depend_on_threads(make, shape, rng):
    x, found, weights = rng.standard_normal(shape).astype("float32"), [], None
    for threads in 1, 2, 3, 8:
        fastrnn.set_num_threads(threads)
        layer = make()
        layer.build(shape)
        weights = weights or [rng.standard_normal(w.shape) for w in layer.weights]
        layer.set_weights(weights)
        y = layer(x, training=True)
        dx = layer.backward(np.cos(np.arange(y.size, dtype="float32")).reshape(y.shape))
        np.testing.assert_array_equal(layer(x), y)
        found.append([y, dx, *(v.grad for v in layer.weights)])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@every_case
def test_a_sample_has_the_bits_that_it_has_alone(cls, shape, options, rng):
    layer = built(cls, shape, options, "float32")
    x = rng.standard_normal(shape).astype("float32")
    whole = layer(x)
    for n in range(len(x)):
        np.testing.assert_array_equal(layer(x[n:n + 1]), whole[n:n + 1])


def test_windows_go_there_and_back():
    """Each pair of an output and an input is in both directions, for all small shapes."""
    for size in range(1, 8):
        for taps in range(1, 6):
            for stride, dilation in (1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (7, 1):
                for padding in "same", "causal":
                    layer = Conv1D(1, taps, stride, padding, dilation_rate=dilation, dtype="float64", use_bias=False)
                    x = np.eye(size)[:, :, None]
                    matrix = layer(x, training=True)[:, :, 0]
                    assert matrix.shape[1] == -(-size // stride)
                    outputs = matrix.shape[1]
                    back = [layer(x[:1], training=True) is not None and
                            layer.backward(np.eye(outputs)[o][None, :, None])[0, :, 0] for o in range(outputs)]
                    np.testing.assert_array_equal(np.stack(back, 1), matrix)


def test_an_empty_batch_has_gradients_of_zero():
    for layer, shape in (Conv1D(3, 2, dtype="float64"), (0, 5, 4)), (Conv2D(3, 2, dtype="float64"), (0, 5, 5, 4)):
        y = layer(np.zeros(shape), training=True)
        assert len(y) == 0
        layer.kernel.gradient()[...] = layer.bias.gradient()[...] = 7
        assert layer.backward(y).shape == shape
        assert not layer.kernel.grad.any() and not layer.bias.grad.any()


def test_a_sequence_without_steps_gives_one_without_steps():
    layer = Conv1D(3, 2, padding="same")
    y = layer(np.zeros((4, 0, 2)), training=True)
    assert y.shape == (4, 0, 3)
    assert layer.backward(y).shape == (4, 0, 2)
    assert not layer.kernel.grad.any()


def test_infinities_stay_in_their_windows():
    """A product with padding, or with another sample, would make NaN of them."""
    layer = Conv1D(20, 3, padding="same", use_bias=False, kernel_initializer="ones")
    x = np.ones((9, 30, 2), "float32")
    x[4, 0] = np.inf
    y = layer(x)
    assert np.isinf(y[4, :2]).all() and np.isfinite(np.delete(y, 4, 0)).all() and np.isfinite(y[4, 2:]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_does_not_fit_is_refused(dtype):
    kernels = _core.kernels(dtype)
    for wrong in (-1, 1, 1, 1, 1, 0), (1, -1, 1, 1, 1, 0), (1, 1, 0, 1, 1, 0), (1, 1, 1, 0, 1, 0), (1, 1, 1, 1, 0, 0), \
            (1, 1, 1, 1, 1, -1), (1, 1, 1, 2, 2, 0), (1, 1, 2 ** 63 - 1, 1, 1, 0), (2 ** 62, 1, 1, 1, 1, 0), \
            (1, 2 ** 62, 1, 1, 1, 0), (1, 1, 1, 2 ** 62, 1, 0), (1, 1, 1, 1, 2 ** 62, 0), (1, 1, 1, 1, 1, 2 ** 62):
        with pytest.raises(ValueError, match="kernel argument 'windows'"):
            kernels.Windows(*wrong)
    layer = built(Conv1D, (2, 5, 3), {"filters": 4, "kernel_size": 2}, dtype)
    one, along = windows(dtype, 1, 1, 1, 1, 1, 0), windows(dtype, 5, 4, 2, 1, 1, 0)
    x, y = np.ones((2, 1, 5, 3), dtype), np.ones((2, 1, 4, 4), dtype)
    runner, scratch = layer.kernel_runner(), np.ones(10 ** 6, dtype)
    runner.output(x, y, one, along, 1)
    dw = np.ones((2, 3, 4), dtype)
    for bad in x[:1], x[:, :, :4], x.astype("int32"), x[..., ::-1]:
        with pytest.raises(ValueError, match="kernel argument"):
            runner.output(bad, y, one, along, 1)
        with pytest.raises(ValueError, match="kernel argument"):
            runner.weight_gradients(bad, y, dw, None, scratch, one, along, 1)
    for bad in y[:1], y[:, :, :3], np.ones((2, 1, 5, 4), dtype):
        with pytest.raises(ValueError, match="kernel argument"):
            runner.output(x, bad, one, along, 1)
        with pytest.raises(ValueError, match="kernel argument"):
            runner.input_gradient(bad, np.empty_like(x), one, along, 1)
    with pytest.raises(ValueError, match="taps"):
        runner.output(x, y, one, windows(dtype, 5, 4, 3, 1, 1, 0), 1)
    for size, gradient, bias in (10, dw, None), (10 ** 6, dw[:1], None), (10 ** 6, dw, np.ones(3, dtype)):
        with pytest.raises(ValueError, match="kernel argument"):
            runner.weight_gradients(x, y, gradient, bias, scratch[:size], one, along, 2)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        runner.output(x, y, one, along, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_does_not_fit_a_depthwise_convolution_or_a_pooling_is_refused(dtype):
    kernels = _core.kernels(dtype)
    one, along = windows(dtype, 1, 1, 1, 1, 1, 0), windows(dtype, 5, 4, 2, 1, 1, 0)
    x, y, w, b = np.ones((2, 1, 5, 3), dtype), np.ones((2, 1, 4, 3), dtype), np.ones((2, 3), dtype), np.ones(3, dtype)
    calls = {
        "depthwise": (x, w, b, y), "depthwise_input_gradient": (y, w, x), "depthwise_weight_gradient": (x, y, w),
        "pool": (x, y), "pool_backward": (x, y, y.copy(), x.copy()),
    }
    for name, arrays in calls.items():
        after = {"depthwise": (0, 2), "pool": (True, 2), "pool_backward": (True, 2)}.get(name, (2,))
        kernel = getattr(kernels, name)
        kernel(*arrays, one, along, *after)
        for at, array in enumerate(arrays):
            for wrong in array[:1], array[..., :2], array.astype("int32"), np.ones((*array.shape, 2), dtype)[..., 0]:
                given = [wrong if i == at else other for i, other in enumerate(arrays)]
                if wrong.size != array.size or wrong.dtype != dtype or not wrong.flags.c_contiguous:
                    with pytest.raises(ValueError, match="kernel argument"):
                        kernel(*given, one, along, *after)


def test_padding_is_what_the_windows_need():
    assert [padded_before(5, 3, 1, padding) for padding in ("valid", "same", "causal")] == [0, 1, 2]
    assert padded_before(6, 3, 2, "same") == 0
