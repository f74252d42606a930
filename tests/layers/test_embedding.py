# SPDX-License-Identifier: Apache-2.0
"""Embedding: rows, their gradient, and a gradient that stays sparse up to the update with the dense result."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn
from fastrnn import Sequential, _core, arrays, optimizers
from fastrnn.graph.call import Call
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding, MinGRU, SimpleRNN, Variable
from tests.optimizers.cases import CASES

V, D = 11, 6


@pytest.fixture
def layer(rng):
    layer = Embedding(V, D, name="words")
    layer.build((None, None))
    layer.set_weights([rng.standard_normal((V, D))])
    return layer


def summed(indices, dy, rows=V):
    """The gradient of the table, the obvious way."""
    gradient = np.zeros((rows, dy.shape[-1]), dy.dtype)
    np.add.at(gradient, indices.reshape(-1), dy.reshape(-1, dy.shape[-1]))
    return gradient


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4), (1, 1), (2, 0), (0, 3)])
def test_rows_and_their_gradient(layer, shape, rng):
    x = rng.integers(0, V, shape)
    y = layer(x, training=True)
    np.testing.assert_array_equal(y, layer.embeddings.value[x])
    assert y.dtype == np.float32 and y.shape == layer.compute_output_shape(shape)
    dy = rng.standard_normal(y.shape).astype("float32")
    assert layer.backward(dy) is None
    np.testing.assert_array_equal(layer.embeddings.grad, summed(x, dy))


def test_rows_are_keras(layer, rng):
    theirs = keras.layers.Embedding(V, D)
    theirs.build((None, None))
    theirs.set_weights(layer.get_weights())
    x = rng.integers(0, V, (3, 5))
    np.testing.assert_array_equal(layer(x), np.asarray(theirs(x)))
    assert [w.name for w in layer.weights] == [w.name for w in theirs.weights]
    assert layer.count_params() == theirs.count_params() == V * D


@given(
    st.integers(1, 300), st.integers(1, 70), st.integers(0, 500), st.integers(1, 5), st.sampled_from(["f4", "f8"]),
    st.integers(0, 9),
)  # fmt: skip
def test_gradients_of_any_size(rows, width, count, threads, dtype, seed):
    """Batch after batch, each clears what the one before left; the same bits for any number of threads."""
    rng = np.random.default_rng(seed)
    fastrnn.set_num_threads(threads)
    layer = Embedding(rows, width, dtype=np.dtype(dtype).name)
    for size in (count, 1, count // 2, 0, count):
        x = rng.integers(0, rng.integers(1, rows + 1), size)
        dy = rng.standard_normal((*layer(x, training=True).shape,)).astype(dtype)
        layer.backward(dy)
        np.testing.assert_array_equal(layer.embeddings.row_gradient, summed(x, dy, rows))
        assert (layer.embeddings.touched_rows != 0).sum() == len(np.unique(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(dtype, rng):
    layer = Embedding(500, 100, dtype=dtype)
    x = np.minimum(rng.zipf(1.3, (32, 60)), 500) - 1  # as words are: a few of them most of the time
    dy = rng.standard_normal((*x.shape, 100)).astype(dtype)
    found = []
    for threads in 1, 2, 3, 5, 8:
        fastrnn.set_num_threads(threads)
        y = layer(x, training=True)
        layer.backward(dy)
        found.append((y, layer.embeddings.row_gradient.copy()))
    for y, gradient in found:
        np.testing.assert_array_equal(y, layer.embeddings.value[x])
        np.testing.assert_array_equal(gradient, summed(x, dy, 500))


def train(optimizer, *, read=False, dense=False, steps=5, dtype="float32", rows=40, width=19):
    """The table after some steps; `read`: somebody reads its gradient in some of them; `dense`: as a plain variable."""
    rng = np.random.default_rng(3)
    layer = Embedding(rows, width, dtype=dtype)
    layer.build(None)
    layer.set_weights([rng.standard_normal((rows, width))])
    table = Variable(layer.embeddings.data, "embeddings") if dense else layer.embeddings
    for step in range(steps):
        x = rng.integers(0, rows // 2, 9)
        dy = rng.standard_normal(layer(x, training=True).shape).astype(dtype)
        layer.backward(dy)
        if read and step != 3:
            np.testing.assert_array_equal(layer.embeddings.grad, summed(x, dy, rows))
        if dense:
            table.grad = summed(x, dy, rows)
        optimizer.apply([table])
    return [table.numpy(), *optimizer.get_slots()]


CLIPS = [{}, {"clipnorm": 0.1}, {"clipvalue": 0.2}, {"global_clipnorm": 0.1}]


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_sparse_updates_are_dense_updates_but_for_rounding(name, arguments, clip):
    """Vectors begin elsewhere in the rows of a table than in a dense variable, so that the last bit may differ."""
    sparse, dense = (train(getattr(optimizers, name)(0.05, **arguments, **clip), dense=dense)
                     for dense in (False, True))
    for a, b in zip(sparse, dense, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_reading_the_gradient_changes_no_bit(name, arguments, clip):
    one, two = (train(getattr(optimizers, name)(0.05, **arguments, **clip), read=read) for read in (False, True))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_reading_the_gradient_makes_this_update_alone_look_at_all_rows(layer):
    for read in False, True, False, True, True, False:
        layer(np.array([1, 2, 1]), training=True)
        layer.backward(np.ones((3, D)))
        if read:
            assert layer.embeddings.grad.sum() == 3 * D
        assert layer.embeddings.touched_rows.sum() == (V if read else 2)
        assert layer.embeddings.row_gradient.sum() == 3 * D


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_sparse_updates_have_the_same_bits_for_any_number_of_threads(name, arguments, clip):
    results = []
    for threads in 1, 2, 3, 5:
        fastrnn.set_num_threads(threads)
        optimizer = getattr(optimizers, name)(0.05, **arguments, **clip)
        results.append(train(optimizer, rows=4000))    # enough rows to be shared
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(40, 19), (4000, 19), (30000, 3), (3, 30000), (4, 0)])
def test_norm_of_touched_rows_has_the_bits_of_the_norm_of_all(shape, dtype, rng):
    kernels = _core.kernels(dtype)
    touched = rng.integers(0, 2, shape[0]).astype(np.uint8)
    gradient = (rng.standard_normal(shape) * touched[:, None]).astype(dtype)
    norm = kernels.sum_of_squares(gradient, None, 1)
    np.testing.assert_allclose(norm, np.sum(gradient.astype("float64") ** 2), rtol=1e-12)
    for rows in None, touched:
        assert {kernels.sum_of_squares(gradient, rows, threads) for threads in (1, 2, 3)} == {norm}
    gradient[touched == 0] = np.nan         # not read
    assert kernels.sum_of_squares(gradient, touched, 2) == norm


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_updates_are_keras(name, arguments):
    """Adam moves rows that the batch did not name too, by what their means still hold."""
    ours, theirs = (getattr(library.optimizers, name)(0.05, **arguments) for library in (fastrnn, keras))
    rng = np.random.default_rng(3)
    start = rng.standard_normal((40, 19)).astype("float32")
    table = keras.Variable(start, name="embeddings")     # by which Muon knows what it leaves to Adam
    for _ in range(5):
        x = rng.integers(0, 20, 9)
        dy = rng.standard_normal((9, 19)).astype("float32")
        theirs.apply([keras.ops.convert_to_tensor(summed(x, dy, 40))], [table])
    got = train(ours)[0]
    np.testing.assert_allclose(got, np.asarray(table), rtol=1e-5, atol=5e-6)


def test_sgd_leaves_other_rows_alone():
    before = train(optimizers.SGD(0.0))[0]
    after = train(optimizers.SGD(0.1))[0]
    np.testing.assert_array_equal(after[20:], before[20:])
    assert (after[:20] != before[:20]).any()


def test_what_others_write_to_the_gradient_counts(layer):
    """Up to the next backward pass, which fills another array: that one is theirs."""
    optimizer = optimizers.SGD(1.0)
    x = np.array([1, 2])
    for row in 5, 6:
        layer(x, training=True)
        layer.backward(np.ones((2, D)))
        held = layer.embeddings.grad
        held[row] = 1
        before = layer.embeddings.numpy()
        optimizer.apply(layer.weights)
        np.testing.assert_allclose(before - layer.embeddings.value, held, atol=1e-6)
        assert held.sum() == 3 * D
    layer(x, training=True)
    layer.backward(np.ones((2, D)))
    held[7] = 1
    np.testing.assert_array_equal(layer.embeddings.row_gradient, summed(x, np.ones((2, D))))
    before = layer.embeddings.numpy()
    optimizer.apply(layer.weights)
    np.testing.assert_allclose(before - layer.embeddings.value, summed(x, np.ones((2, D))), atol=1e-6)


def test_another_gradient_can_take_its_place(layer, rng):
    layer(np.array([1, 2]), training=True)
    layer.backward(np.ones((2, D)))
    other = rng.standard_normal((V, D)).astype("float32")
    layer.embeddings.grad = other
    before = layer.embeddings.numpy()
    optimizers.SGD(1.0).apply(layer.weights)
    np.testing.assert_allclose(before - layer.embeddings.value, other, atol=1e-6)
    layer(np.array([3]), training=True)
    layer.backward(np.ones((1, D)))
    np.testing.assert_array_equal(layer.embeddings.row_gradient, summed(np.array([3]), np.ones((1, D))))


def test_regularized_tables(rng):
    layer = Embedding(V, D, embeddings_regularizer="l2", embeddings_constraint="non_neg")
    optimizer = optimizers.SGD(1.0)
    for _ in range(2):
        layer(np.array([[1, 2, 1]]), training=True)
        layer.backward(np.ones((1, 3, D)))
        expected = layer.embeddings.value - summed(np.array([1, 2, 1]), np.ones((3, D)))
        expected -= 2 * 0.01 * layer.embeddings.value
        assert sum(layer.losses) == pytest.approx(0.01 * (layer.embeddings.value**2).sum())
        layer.add_regularization_grads()
        optimizer.apply(layer.weights)
        np.testing.assert_allclose(layer.embeddings.value, np.maximum(expected, 0), rtol=1e-5, atol=1e-6)


def test_masks(layer):
    x = np.array([[1, 0, 2], [0, 0, 3]])
    assert layer.compute_mask(x) is None and not layer.supports_masking
    masking = Embedding(V, D, mask_zero=True)
    assert masking.supports_masking
    np.testing.assert_array_equal(masking.compute_mask(x), x != 0)


def test_bad_indices_read_and_change_nothing(layer, rng):
    for bad in ([[1, V]], [[-1, 0]], [[2**40, 0]], [[np.nan, 1.0]]):
        with pytest.raises(ValueError, match="Embedding 'words' input: expected indices from 0 to 10"):
            layer(bad, training=True)
    x = np.array([1, 2, 3], dtype=np.int32)
    layer.forward(x, call=layer.default_call)
    x[1] = V + 5  # against the contract of `forward`
    with pytest.raises(ValueError, match="kernel argument 'indices': expected 0 to 10"):
        layer.backward(np.ones((3, D)))
    x[1] = 2
    layer.backward(np.ones((3, D)))
    assert layer.embeddings.grad.sum() == 3 * D
    with pytest.raises(ValueError, match=r"Embedding 'words' dy: expected shape \(3, 6\), got \(2, 6\)"):
        layer.backward(np.ones((2, D)))
    with pytest.raises(RuntimeError, match="backward needs a call with training=True"):
        Embedding(3, 2).backward(np.ones((1, 2)))


@pytest.mark.parametrize("mask_zero", [False, True])
@pytest.mark.parametrize("shape", [(1, 7, 5, 9), (3, 4, 130, 33), (70, 12, 16, 128), (2, 90, 3, 40), (5, 0, 4, 6)],
                         ids=str)
@pytest.mark.parametrize("options", [{}, {"go_backwards": True}, {"return_sequences": True, "reset_after": False}],
                         ids=str)
@pytest.mark.parametrize("both", [False, True], ids=["", "both ways"])
@pytest.mark.parametrize("cell", [SimpleRNN, LSTM, GRU, MinGRU])
def test_a_model_reads_rows_in_the_table(cell, both, options, shape, mask_zero, rng, monkeypatch):
    """To the same bits as from a copy of them, for any number of threads, and without one."""
    N, T, width, units = shape
    options = {key: value for key, value in options.items() if key != "reset_after" or cell is GRU}
    above = cell(units, **options)
    model = Sequential([Embedding(V, width, mask_zero=mask_zero), Bidirectional(above) if both else above])
    x = rng.integers(0, V, (N, T))
    words, above = model.layers
    model.build((None, None))
    expected = above(words(x), mask=x != 0 if mask_zero else None)
    monkeypatch.setattr(Embedding, "_copied", None)
    for threads in (1, 2, 3):
        fastrnn.set_num_threads(threads)
        np.testing.assert_array_equal(model(x), expected)
        np.testing.assert_array_equal(model.predict_on_batch(x), expected)


def test_rows_beyond_the_table_are_not_read(layer, rng):
    """By the kernels either, which check once more."""
    above = LSTM(4)
    above.build((None, None, D))
    for bad in (-1, V, 2**31 - 1):
        indices = rng.integers(0, V, (3, 5)).astype("int32")
        indices[2, 4] = bad
        with pytest.raises(ValueError, match=f"expected 0 to {V - 1}, got"):
            above.forward(arrays.Rows(layer.embeddings.data, indices), call=Call())


@pytest.mark.parametrize("above", [LSTM, GRU, MinGRU, SimpleRNN])
@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"dropout": 0.5, "go_backwards": True}], ids=str)
def test_rows_are_dropped_on_their_way_out_of_the_table(above, options, layer, rng, monkeypatch):
    """In training: what the layer gets, and what its gradient does, are as with a copy of the rows."""
    x, dy = rng.integers(0, V, (33, 7)), rng.standard_normal((33, 4)).astype("f4")
    model = Sequential([layer, above(4, seed=3, **options)])
    model(x)
    alone = above.from_config(model.layers[1].get_config())
    alone.build((None, None, D))
    alone.set_weights(model.layers[1].get_weights())
    expected = alone(layer(x), training=True)
    layer(x, training=True)
    layer.backward(alone.backward(dy))
    gradient = layer.embeddings.grad.copy()
    monkeypatch.setattr(Embedding, "_copied", None)
    np.testing.assert_array_equal(model(x, training=True), expected)
    model.backward(dy)
    np.testing.assert_array_equal(layer.embeddings.grad, gradient)
    for one, other in zip(model.layers[1].trainable_weights, alone.trainable_weights):
        np.testing.assert_array_equal(one.grad, other.grad)


def test_a_layer_of_ones_own_gets_a_copy(layer, rng):
    class Doubled(LSTM):
        def forward(self, x, *states, call):
            return super().forward(2 * x, *states, call=call)

    x = rng.integers(0, V, (3, 5))
    doubled = Doubled(4)
    model = Sequential([layer, doubled])
    np.testing.assert_array_equal(model(x), LSTM.forward(doubled, 2 * layer(x), call=Call()))


def test_frozen_layers_have_no_gradient(rng):
    layer = Embedding(V, D, trainable=False)
    layer(np.array([1]), training=True)
    assert layer.backward(np.ones((1, D))) is None
    assert layer.embeddings.grad is None and layer.trainable_weights == []


def test_options(rng):
    table = rng.standard_normal((V, D)).astype("float32")
    for weights in table, [table]:
        np.testing.assert_array_equal(Embedding(V, D, weights=weights)([3]), table[[3]])
    np.testing.assert_array_equal(Embedding(V, D, embeddings_initializer=table)([3]), table[[3]])
    assert np.abs(Embedding(500, 10)(np.arange(500))).max() <= 0.05
    for argument in {"input_dim": 0}, {"output_dim": -1}, {"input_dim": 2.5}, {"output_dim": True}:
        with pytest.raises(ValueError, match="expected a positive whole number"):
            Embedding(**{"input_dim": V, "output_dim": D, **argument})
    with pytest.raises(TypeError, match="unknown keyword 'dimension'"):
        Embedding(V, D, dimension=3)


def test_configurations_are_keras():
    arguments = {"embeddings_regularizer": "l2", "embeddings_constraint": "max_norm", "mask_zero": True, "name": "e"}
    ours, theirs = Embedding(V, D, **arguments).get_config(), keras.layers.Embedding(V, D, **arguments).get_config()
    assert {k: ours[k] for k in ("name", "input_dim", "output_dim", "mask_zero", "trainable")} == {
        k: theirs[k] for k in ("name", "input_dim", "output_dim", "mask_zero", "trainable")
    }
    theirs.pop("quantization_config", None)
    assert Embedding.from_config(theirs).get_config() == Embedding.from_config(ours).get_config() == ours


def test_a_model_learns_words_apart(rng):
    """The mean of a sequence's words decides: rows of good and bad words come to differ."""
    x = rng.integers(1, 20, (200, 6))
    y = (x < 10).mean(axis=1) > 0.5
    model = Sequential([Embedding(20, 8, mask_zero=True, input_length=6), LSTM(8), Dense(1, activation="sigmoid")])
    model.compile(optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=15, batch_size=20, verbose=0)
    assert history.history["accuracy"][-1] > 0.9
    assert 0 < model.layers[0].embeddings.touched_rows.sum() < 20  # nothing on the way took the gradient
