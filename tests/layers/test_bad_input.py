# SPDX-License-Identifier: Apache-2.0
"""What a layer does with arrays it was not made for: a clear error that names the layer, or the right result."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn.layers import Bidirectional, Dense, Embedding
from tests.conftest import CELLS, make_layer, states_of

N, T, D, H = 5, 7, 4, 6
Refused = (ValueError, TypeError)


@pytest.fixture(params=CELLS)
def layer(request, rng):
    return make_layer(request.param, D, H, rng, return_sequences=True, return_state=True, name="encoder")


@pytest.fixture
def x(rng):
    return rng.standard_normal((N, T, D)).astype("float32")


class StillWorks:
    """Around a call that fails: the layer computes afterwards what it computed before."""

    def __init__(self, layer, x):
        self.layer, self.x = layer, x

    def all(self):
        out = self.layer(self.x, training=True)
        y = out[0] if isinstance(out, (list, tuple)) else out
        dx = self.layer.backward(np.ones_like(y))
        found = [y, dx, *(v.grad for v in self.layer.trainable_weights)]
        return [np.array(a) for a in found if a is not None]

    def __enter__(self):
        self.before = self.all()

    def __exit__(self, kind, value, traceback):
        if kind is None:
            for got, expected in zip(self.all(), self.before, strict=True):
                np.testing.assert_array_equal(got, expected)


# Arrays no recurrent layer takes, and a word of the error that says what came.
BAD_SEQUENCES = {
    "no time axis": (np.zeros((N, D), "float32"), r"\(5, 4\)"),
    "one axis": (np.zeros(D, "float32"), r"\(4,\)"),
    "four axes": (np.zeros((N, T, D, 1), "float32"), r"\(5, 7, 4, 1\)"),
    "scalar": (np.float32(1), r"\(\)"),
    "too narrow": (np.zeros((N, T, D - 1), "float32"), r"\(5, 7, 3\)"),
    "too wide": (np.zeros((N, T, D + 1), "float32"), r"\(5, 7, 5\)"),
    "no features": (np.zeros((N, T, 0), "float32"), r"\(5, 7, 0\)"),
    "strings": (np.full((N, T, D), "word"), "U4|str|string"),
    "bytes": (np.full((N, T, D), b"word"), "S4|bytes|string"),
    "objects": (np.full((N, T, D), 1.0, object), "object"),
    "objects that are strings": (np.full((N, T, D), "word", object), "object"),
    "complex": (np.zeros((N, T, D), "complex64"), "complex"),
    "dates": (np.zeros((N, T, D), "datetime64[s]"), "datetime"),
    "ragged": ([[[1.0] * D] * T, [[1.0] * D] * 2], ""),
    "None": (None, ""),
    "text": ("a film", ""),
    "dict": ({"x": 1}, ""),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("bad", BAD_SEQUENCES)
def test_recurrent_layers_refuse(layer, x, bad, training):
    value, word = BAD_SEQUENCES[bad]
    with StillWorks(layer, x), pytest.raises(Refused, match="encoder") as error:
        layer(value, training=training)
    assert error.match(word)
    assert type(layer).__name__ in str(error.value)


def test_the_error_says_the_way_out(layer):
    with pytest.raises(ValueError, match=rf"{type(layer).__name__} 'encoder': expected .*\(batch, time, 4\).*\(5, 4\)"):
        layer(np.zeros((N, D), "float32"))


@pytest.mark.parametrize("bad", ["no time axis", "strings", "objects", "no features", "None"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_bad_first_input_builds_nothing(cell, bad, x):
    layer = getattr(fastrnn.layers, cell)(H, name="encoder")
    with pytest.raises(Refused, match="encoder"):
        layer(BAD_SEQUENCES[bad][0])
    assert not layer.built
    assert layer(x).shape == (N, H)


@pytest.mark.parametrize("wrapped", CELLS)
@pytest.mark.parametrize("bad", ["no time axis", "too wide", "strings", "objects", "None"])
def test_bidirectional_refuses(wrapped, bad, x):
    layer = Bidirectional(getattr(fastrnn.layers, wrapped)(H), name="both")
    layer(x)
    with StillWorks(layer, x), pytest.raises(Refused, match="both"):
        layer(BAD_SEQUENCES[bad][0])


BAD_MASKS = {
    "rank": np.ones(N, bool),
    "rank 3": np.ones((N, T, D), bool),
    "batch": np.ones((N + 1, T), bool),
    "one row": np.ones((1, T), bool),
    "time": np.ones((N, T + 1), bool),
    "strings": np.full((N, T), "yes"),
    "objects": np.full((N, T), True, object),
}


@pytest.mark.parametrize("bad", BAD_MASKS)
def test_bad_masks(layer, x, bad):
    with StillWorks(layer, x), pytest.raises(Refused, match=r"(?s)encoder.*mask|mask.*encoder"):
        layer(x, mask=BAD_MASKS[bad])


def test_masks_of_other_kinds(layer, x, rng):
    """Zeros and ones, lists, other memory layouts: the same mask."""
    mask = rng.random((N, T)) < 0.5
    expected = layer(x, mask=mask)[0].copy()
    same = [mask.astype("int64"), mask.astype("float32"), mask.astype("uint8"), mask.tolist(), np.asfortranarray(mask),
            mask[::-1].copy()[::-1]]
    for other in same:
        np.testing.assert_array_equal(layer(x, mask=other)[0], expected)


@pytest.mark.parametrize("bad", ["too few", "too many", "batch", "one row", "width", "rank", "strings", "objects"])
def test_bad_initial_states(layer, x, bad, rng):
    cell = type(layer).__name__
    good = states_of(cell, N, H, rng, "float32")
    value = {
        "too few": good[1:],
        "too many": [*good, good[0]],
        "batch": [np.zeros((N + 1, H), "float32") for _ in good],
        "one row": [np.zeros((1, H), "float32") for _ in good],
        "width": [np.zeros((N, H + 1), "float32") for _ in good],
        "rank": [np.zeros((N, 1, H), "float32") for _ in good],
        "strings": [np.full((N, H), "h") for _ in good],
        "objects": [np.full((N, H), 1.0, object) for _ in good],
    }[bad]
    with StillWorks(layer, x), pytest.raises(Refused, match=r"(?s)encoder.*state|state.*encoder"):
        layer(x, initial_state=value)


def test_bad_gradients(layer, x):
    """A gradient that does not fit the output, and none that could fit."""
    y = layer(x, training=True)[0]
    for bad in (y[:, :-1], y[:-1], y[..., :-1], y[:, 0], y[0, 0, 0], np.full(y.shape, "dy"), y.astype(object)):
        layer(x, training=True)
        with pytest.raises(Refused, match="encoder"):
            layer.backward(bad)
        assert layer.backward(y).shape == x.shape  # what the failed call left is still there
    layer(x, training=True)
    with pytest.raises(Refused, match="encoder"):
        layer.backward(y, y)


def test_backward_runs_once_a_call(layer, x):
    """The first use overwrites what the forward pass kept: a second is refused, not wrong."""
    y = layer(x, training=True)[0]
    layer.backward(y)
    with pytest.raises((RuntimeError, ValueError), match=r"(?s)encoder.*training=True"):
        layer.backward(y)


def test_backward_wants_a_training_call(layer, x, rng):
    with pytest.raises((RuntimeError, ValueError), match=r"(?s)encoder.*training=True"):
        layer.backward(np.zeros((N, T, H), "float32"))
    layer(x)
    with pytest.raises((RuntimeError, ValueError), match=r"(?s)encoder.*training=True"):
        layer.backward(np.zeros((N, T, H), "float32"))


def test_gradients_of_other_kinds(layer, x, rng):
    """A gradient in another layout or precision is its contiguous float32 copy."""
    dy = rng.standard_normal((N, T, H)).astype("float32")
    layer(x, training=True)
    expected = layer.backward(dy).copy()
    readonly = dy.copy()
    readonly.flags.writeable = False
    others = [dy.astype("float64"), np.asfortranarray(dy), readonly, dy.astype(">f4"), dy[::-1].copy()[::-1]]
    for other in others:
        layer(x, training=True)
        np.testing.assert_array_equal(layer.backward(other), expected)


def misaligned(x: np.ndarray) -> np.ndarray:
    buffer = np.empty(x.nbytes + 1, np.uint8)
    view = buffer[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    assert not view.flags.aligned
    return view


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


# Values that every kind of number can hold, so that each must give the same bits.
SAME_VALUES = {
    "float64": lambda x: x.astype("float64"),
    "float16": lambda x: x.astype("float16"),
    "longdouble": lambda x: x.astype("longdouble"),
    "int8": lambda x: x.astype("int8"),
    "int32": lambda x: x.astype("int32"),
    "int64": lambda x: x.astype("int64"),
    "nested lists": lambda x: x.tolist(),
    "fortran order": np.asfortranarray,
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every other step": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "every other feature": lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
    "reversed": lambda x: x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "time major": lambda x: x.transpose(1, 0, 2).copy().transpose(1, 0, 2),
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "read-only": read_only,
    "byte-swapped": lambda x: x.astype(">f4"),
    "byte-swapped doubles": lambda x: x.astype(">f8"),
    "misaligned": misaligned,
    "memory view": lambda x: memoryview(x),
    "subclass": lambda x: x.view(np.recarray),
}


@pytest.mark.parametrize("kind", SAME_VALUES)
def test_other_arrays_are_their_contiguous_copies(layer, kind, rng):
    x = rng.integers(-3, 4, (N, T, D)).astype("float32")
    other = SAME_VALUES[kind](x)
    copy = np.array(np.asarray(other), dtype="float32", order="C")
    for training in (False, True):
        expected = [np.array(a) for a in layer(copy, training=training)]
        for got, wanted in zip(layer(other, training=training), expected, strict=True):
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, wanted)
    dx = layer.backward(np.ones((N, T, H), "float32")).copy()
    layer(copy, training=True)
    np.testing.assert_array_equal(layer.backward(np.ones((N, T, H), "float32")), dx)


@pytest.mark.parametrize("kind", [k for k in SAME_VALUES if k != "broadcast"])
def test_initial_states_of_other_kinds(layer, x, kind, rng):
    cell = type(layer).__name__
    states = [rng.integers(-3, 4, (N, 1, H)).astype("float32") for _ in states_of(cell, N, H, rng)]
    others = [np.asarray(SAME_VALUES[kind](s))[:, 0] for s in states]
    expected = layer(x, initial_state=[s[:, 0].copy() for s in states])[0].copy()
    np.testing.assert_array_equal(layer(x, initial_state=others)[0], expected)
    if cell != "LSTM":  # one state may come without its list
        np.testing.assert_array_equal(layer(x, initial_state=others[0])[0], expected)


def test_float64_layers_keep_float64(rng):
    layer = make_layer("LSTM", D, H, rng, dtype="float64")
    x = rng.standard_normal((N, T, D))
    assert layer(x).dtype == np.float64
    assert np.any(layer(x) != layer(x.astype("float32")))


def test_batch_of_none(layer):
    """No sequences in, no sequences out; their gradient is empty and that of the weights zero."""
    x = np.zeros((0, T, D), "float32")
    for training in (False, True):
        y, *states = layer(x, training=training)
        assert y.shape == (0, T, H) and all(s.shape == (0, H) for s in states)
    assert layer.backward(y).shape == (0, T, D)
    assert all(not v.grad.any() for v in layer.trainable_weights)
    layer.return_sequences = False
    assert layer(x)[0].shape == (0, H)


def test_no_time_steps(layer, rng):
    """No step was made: the states are those it began with, and the last output is refused, for there is none."""
    x = np.zeros((N, 0, D), "float32")
    initial = states_of(type(layer).__name__, N, H, rng, "float32")
    y, *states = layer(x, initial_state=initial)
    assert y.shape == (N, 0, H)
    for got, expected in zip(states, initial, strict=True):
        np.testing.assert_array_equal(got, expected)
    layer(x, training=True, initial_state=initial)
    assert layer.backward(y)[0].shape == (N, 0, D)
    assert all(not v.grad.any() for v in layer.trainable_weights)


def test_stateful_layers_keep_their_batch_size(x, rng):
    layer = make_layer("LSTM", D, H, rng, stateful=True, name="encoder")
    layer(x)
    with pytest.raises(ValueError, match=r"(?s)encoder.*batch"):
        layer(x[:-1])


@pytest.mark.parametrize(("options", "word"), [
    ({"units": 0}, "units"), ({"units": -3}, "units"), ({"units": 2.5}, "units"), ({"units": "many"}, "units"),
    ({"units": None}, "units"), ({"activation": "no such"}, "no such"), ({"dropout": "half"}, "dropout"),
    ({"recurrent_dropout": "half"}, "recurrent_dropout"), ({"dtype": "int32"}, "dtype"),
    ({"dtype": "no such"}, "dtype|no such"), ({"no_such_option": 1}, "no_such_option"),
])
@pytest.mark.parametrize("cell", CELLS)
def test_bad_options(cell, options, word):
    with pytest.raises(Refused, match=word):
        getattr(fastrnn.layers, cell)(**({"units": H} | options))


def test_bad_weights(layer, x):
    good = layer.get_weights()
    each = [[w.T for w in good], [w[:-1] for w in good], [w.astype(str) for w in good]]
    wrong = [good[:-1], [*good, good[0]], [], *each]
    for bad in wrong:
        with StillWorks(layer, x), pytest.raises(Refused, match=r"encoder|kernel"):
            layer.set_weights(bad)


BAD_INDICES = {
    "below zero": np.array([[1, -1]]),
    "at input_dim": np.array([[1, 10]]),
    "far over": np.array([[1, 2**40 + 1]]),
    "lowest": np.array([[np.iinfo("int64").min, 1]]),
    "unsigned": np.array([[1, 2**64 - 1]], "uint64"),
    "NaN": np.array([[1, np.nan]], "float32"),
    "infinity": np.array([[1, np.inf]]),
    "just below zero": np.array([[1, -0.5]]),
    "fraction": np.array([[1, 1.5]]),
    "half precision fraction": np.array([[1, 1.5]], "float16"),
    "list with a fraction": [[1, 2], [1.0, 8.999]],
    "strings": np.array([["good", "film"]]),
    "digits": np.array([["1", "2"]]),
    "objects": np.array([[1, 2]], object),
    "complex": np.array([[1, 2]], "complex64"),
    "ragged": [[1, 2], [3]],
    "None": None,
    "text": "a film",
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("bad", BAD_INDICES)
def test_embedding_refuses(bad, training):
    layer = Embedding(10, 4, name="words")
    with StillWorks(layer, np.array([[1, 2], [9, 0]])), pytest.raises(Refused, match="words"):
        layer(BAD_INDICES[bad], training=training)


def test_the_error_gives_the_index():
    with pytest.raises(ValueError, match=r"(?s)Embedding 'words'.*10.*12"):
        Embedding(10, 4, name="words")(np.array([[1, 12]]))


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float32", "float64",
                                  ">i4", "lists", "reversed", "read-only", "misaligned", "strided"])
def test_embedding_takes_whole_numbers_of_any_kind(kind, rng):
    layer = Embedding(10, 4)
    words = rng.integers(0, 10, (3, 5)).astype("int32")
    expected = layer(words).copy()
    convert = {"lists": lambda w: w.tolist(), "reversed": lambda w: w[::-1].copy()[::-1], "read-only": read_only,
               "misaligned": misaligned, "strided": lambda w: np.repeat(w, 2, axis=1)[:, ::2]}
    other = convert[kind](words) if kind in convert else words.astype(kind)
    np.testing.assert_array_equal(layer(other), expected)
    np.testing.assert_array_equal(expected, layer.get_weights()[0][words])


def test_embedding_refuses_fractions():
    """Keras cuts them off; whole numbers may be floats."""
    layer = Embedding(10, 4, name="words")
    with pytest.raises(ValueError, match=r"Embedding 'words' input: expected indices, got 1\.5, which is no whole"):
        layer(np.array([[2.0, 1.5, 0.25]], "float32"))
    whole = np.array([[2, 9, 0]])
    for kind in "float32", "float64", "longdouble":
        np.testing.assert_array_equal(layer(whole.astype(kind)), layer(whole))


def test_embedding_of_nothing():
    layer = Embedding(10, 4)
    assert layer(np.zeros((0, 5), "int32")).shape == (0, 5, 4)
    assert layer(np.zeros((3, 0), "int32"), training=True).shape == (3, 0, 4)
    layer.backward(np.zeros((3, 0, 4), "float32"))
    assert not layer.trainable_weights[0].grad.any()


@pytest.mark.parametrize(("value", "word"), [
    (np.zeros((N, D + 1), "float32"), r"\(5, 5\)"), (np.zeros((N, T, D - 1), "float32"), r"\(5, 7, 3\)"),
    (np.zeros(D, "float32"), r"\(4,\)"), (np.float32(1), r"\(\)"), (np.full((N, D), "word"), "U4|str|string"),
    (np.full((N, D), 1.0, object), "object"), (np.zeros((N, D), "complex64"), "complex"), (None, ""), ("a film", ""),
])
def test_dense_refuses(value, word, rng):
    layer = Dense(3, name="head")
    x = rng.standard_normal((N, D)).astype("float32")
    layer(x)
    with StillWorks(layer, x), pytest.raises(Refused, match=r"(?s)Dense.*head") as error:
        layer(value)
    assert error.match(word)


@pytest.mark.parametrize("kind", SAME_VALUES)
@pytest.mark.parametrize("units", [1, 5])
def test_dense_takes_other_arrays(kind, units, rng):
    layer = Dense(units, activation="tanh")
    x = rng.integers(-3, 4, (N, T, D)).astype("float32")
    other = SAME_VALUES[kind](x)
    copy = np.array(np.asarray(other), dtype="float32", order="C")
    np.testing.assert_array_equal(layer(other), layer(copy))


def test_dense_of_nothing():
    layer = Dense(3, activation="softmax")
    for shape in [(0, D), (0, T, D), (N, 0, D)]:
        y = layer(np.zeros(shape, "float32"), training=True)
        assert y.shape == (*shape[:-1], 3)
        assert layer.backward(y).shape == shape
        assert all(not v.grad.any() for v in layer.trainable_weights)
