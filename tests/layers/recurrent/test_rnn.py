# SPDX-License-Identifier: Apache-2.0
"""RNN over cells: beside the layers that the cells are of, beside Keras, and over a cell of the user's own."""

from __future__ import annotations

import copy
import pickle

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import GRU, LSTM, RNN, Dense, GRUCell, LSTMCell, SimpleRNN, SimpleRNNCell
from fastrnn.saving import load_model
from tests.conftest import assert_close, assert_gradients
from tests.layers.recipes.cells import OwnCell

N, T, D = 3, 5, 4
PAIRS = [(SimpleRNNCell, SimpleRNN), (LSTMCell, LSTM), (GRUCell, GRU)]
every_cell = pytest.mark.parametrize(("cell", "layer"), PAIRS, ids=[cell.__name__ for cell, _ in PAIRS])
OPTIONS = [{}, {"return_sequences": True}, {"return_state": True}, {"return_sequences": True, "return_state": True},
           {"go_backwards": True, "return_sequences": True}, {"zero_output_for_mask": True, "return_sequences": True}]


def randomized(layer, rng):
    layer.build((None, None, D))
    layer.set_weights([rng.standard_normal(w.shape) * 0.5 for w in layer.get_weights()])
    return layer


@every_cell
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_standard_cell_has_the_bits_of_its_layer(cell, layer, options, rng):
    one, two = randomized(RNN(cell(6), **options), rng), layer(6, **options)
    two.build((None, None, D))
    two.set_weights(one.get_weights())
    x, mask = rng.standard_normal((N, T, D)).astype("float32"), rng.random((N, T)) < 0.7
    states = [rng.standard_normal((N, 6)).astype("float32") for _ in range(two.state_count)]
    for call in {}, {"mask": mask}, {"initial_state": states}, {"mask": mask, "training": True}:
        found, expected = one(x, **call), two(x, **call)
        for a, b in zip(np.atleast_1d(found) if not isinstance(found, list) else found,
                        np.atleast_1d(expected) if not isinstance(expected, list) else expected, strict=True):
            np.testing.assert_array_equal(a, b)
    dy = np.ones(one.compute_output_shape(x.shape)[0] if options.get("return_state")
                 else one.compute_output_shape(x.shape), "float32")
    np.testing.assert_array_equal(one.backward(dy), two.backward(dy))
    for v, w in zip(one.weights, two.weights, strict=True):
        np.testing.assert_array_equal(v.grad, w.grad)


def test_it_runs_in_the_compiled_line(rng):
    model = fastrnn.Sequential([fastrnn.Input((T, D)), RNN(LSTMCell(6), return_sequences=True), RNN(GRUCell(3)),
                                Dense(2)])
    model.predict_on_batch(rng.standard_normal((1, T, D)).astype("float32"))
    assert model.layers[0].runner() is model.layers[0]._layers[0].kernel_runner()


CELLS = {
    "simple": lambda k: k.layers.SimpleRNNCell(5, activation="relu"),
    "lstm": lambda k: k.layers.LSTMCell(5, unit_forget_bias=False, recurrent_activation="hard_sigmoid"),
    "gru": lambda k: k.layers.GRUCell(5, reset_after=False, use_bias=False),
    "gelu": lambda k: k.layers.LSTMCell(5, activation="gelu"),
    "list": lambda k: [k.layers.LSTMCell(5), k.layers.GRUCell(4), k.layers.LSTMCell(3)],
    "stacked": lambda k: k.layers.StackedRNNCells([k.layers.GRUCell(5, dtype="float32"), k.layers.SimpleRNNCell(4)]),
}
FORMS = {
    "last": lambda k, cell: k.layers.RNN(cell),
    "sequences": lambda k, cell: k.layers.RNN(cell, return_sequences=True),
    "backwards": lambda k, cell: k.layers.RNN(cell, go_backwards=True, return_sequences=True),
}


def model_of(library, cell, form, masked=False):
    layers = [library.Input((T, D))]
    if masked:
        layers.append(library.layers.Masking(0.0))
    return library.Sequential([*layers, FORMS[form](library, CELLS[cell](library)), library.layers.Dense(2)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", CELLS)
class TestBesideKeras:
    def test_files_there_and_back(self, cell, form, rng, tmp_path):
        theirs = model_of(keras, cell, form)
        theirs.set_weights([rng.standard_normal(w.shape) * 0.5 for w in theirs.get_weights()])
        x = rng.standard_normal((N, T, D)).astype("float32")
        expected = theirs.predict(x, verbose=0)
        for suffix in ".keras", ".h5":
            theirs.save(tmp_path / f"a{suffix}")
            ours = load_model(tmp_path / f"a{suffix}")
            for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
            assert_close(ours.predict(x, verbose=0), expected, 1e-5)
            ours.save(tmp_path / f"b{suffix}")
            back = keras.saving.load_model(tmp_path / f"b{suffix}")
            assert_close(back.predict(x, verbose=0), expected, 1e-6)
            for a, b in zip(back.get_weights(), theirs.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
        theirs.save_weights(tmp_path / "w.weights.h5")
        ours = model_of(fastrnn, cell, form)
        ours.load_weights(tmp_path / "w.weights.h5")
        assert_close(ours.predict(x, verbose=0), expected, 1e-5)
        ours.save(tmp_path / "c.safetensors")
        np.testing.assert_array_equal(load_model(tmp_path / "c.safetensors").predict(x, verbose=0),
                                      ours.predict(x, verbose=0))

    @pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
    def test_training(self, cell, form, masked, rng):
        theirs, ours = model_of(keras, cell, form, masked), model_of(fastrnn, cell, form, masked)
        theirs.set_weights([0.4 * rng.standard_normal(w.shape) for w in theirs.get_weights()])
        ours.set_weights(theirs.get_weights())
        x = rng.standard_normal((16, T, D)).astype("float32")
        x[::2, -2:] = 0
        x[1::3, :1] = 0
        y = rng.standard_normal(theirs.compute_output_shape(x.shape)).astype("float32")
        losses = []
        for library, model in (fastrnn, ours), (keras, theirs):
            model.compile(library.optimizers.SGD(0.05, momentum=0.9), "mse")
            losses.append(model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0).history["loss"])
        np.testing.assert_allclose(*losses, rtol=2e-4)
        assert_close(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), 2e-4)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            assert_close(a, b, 2e-4)


class TestStates:
    def test_of_several_cells_are_nested_as_in_keras(self, rng):
        x = rng.standard_normal((N, T, D)).astype("float32")
        theirs = keras.layers.RNN(CELLS["list"](keras), return_state=True)
        expected = theirs(x)
        ours = RNN(CELLS["list"](fastrnn), return_state=True)
        ours.build(x.shape)
        ours.set_weights(theirs.get_weights())
        found = ours(x)
        assert len(found) == len(expected) == 4
        for one, other in zip(found[1:], expected[1:], strict=True):
            assert isinstance(one, list) and len(one) == len(other)
            for a, b in zip(one, other):
                assert_close(a, b, 1e-5)
        again, other = ours(x, initial_state=found[1:]), theirs(x, initial_state=expected[1:])
        assert_close(again[0], other[0], 1e-5)
        assert ours.state_size == theirs.state_size == [[5, 5], 4, [3, 3]]
        assert [len(states) for states in ours.get_initial_state(2)] == [2, 1, 2]

    def test_stateful(self, rng):
        x = rng.standard_normal((N, 2 * T, D)).astype("float32")
        whole = randomized(RNN(CELLS["list"](fastrnn), return_sequences=True), rng)
        parts = RNN(CELLS["list"](fastrnn), return_sequences=True, stateful=True)
        parts.build((N, None, D))
        parts.set_weights(whole.get_weights())
        np.testing.assert_array_equal(np.concatenate([parts(x[:, :T]), parts(x[:, T:])], 1), whole(x))
        kept = parts.states
        assert [state.shape for state in kept] == [(N, 5), (N, 5), (N, 4), (N, 3), (N, 3)]
        parts.reset_states()
        assert not any(state.any() for state in parts.states)
        np.testing.assert_array_equal(parts(x[:, :T]), whole(x[:, :T]))
        parts.reset_states(kept)
        for one, other in zip(parts.states, kept, strict=True):
            np.testing.assert_array_equal(one, other)
        with pytest.raises(ValueError, match="expected 5 arrays, got 1"):
            parts.reset_states([kept[0]])

    def test_stateful_in_a_model(self, rng):
        """As an LSTM with the same weights, from batch to batch, and where a batch fails."""
        layers = [LSTM(5, stateful=True), RNN(LSTMCell(5), stateful=True), RNN([LSTMCell(5)], stateful=True)]
        models = [fastrnn.Sequential([fastrnn.Input(batch_shape=(2, T, D)), layer, Dense(1)]) for layer in layers]
        x, y = rng.standard_normal((8, T, D)).astype("float32"), rng.standard_normal((8, 1)).astype("float32")
        found, weights = [], models[0].get_weights()
        for model in models:
            model.set_weights(weights)
            model.compile("sgd", "mse")
            model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
            found.append([*model.get_weights(), model.predict(x, batch_size=2, verbose=0)])
            model.reset_states()
            found[-1].append(model.predict(x[:2], batch_size=2, verbose=0))
        for other in found[1:]:
            for a, b in zip(found[0], other, strict=True):
                np.testing.assert_array_equal(a, b)

    def test_on_symbols_with_gradients_of_states(self, rng):
        x, h = fastrnn.Input((T, D)), fastrnn.Input((6,))
        y, state = RNN(GRUCell(6), return_state=True)(x, initial_state=h)
        first = fastrnn.Input((3,))
        z, (g,), (c, _) = RNN([GRUCell(6), LSTMCell(3)], return_state=True)(x, initial_state=[[state], [first, first]])
        model = fastrnn.Model([x, h, first], [y, z, g, c])
        model.compile("adam", "mse")
        data = [rng.standard_normal((8, *shape)) for shape in ((T, D), (6,), (3,))]
        before = model.get_weights()
        model.train_on_batch(data, [np.zeros((8, 6)), np.zeros((8, 3)), np.zeros((8, 6)), np.zeros((8, 3))])
        assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


class TestOwnCell:
    @pytest.mark.parametrize("options", OPTIONS[:2] + OPTIONS[4:], ids=str)
    @pytest.mark.parametrize("mask", [None, [[1, 1, 0], [0, 1, 1]], [[1, 0, 1], [0, 0, 0]]], ids=str)
    def test_gradients(self, options, mask, rng):
        for cells in OwnCell(dtype="float64"), [OwnCell(dtype="float64"), GRUCell(2, dtype="float64")]:
            layer = randomized(RNN(cells, **options), rng)
            x = rng.standard_normal((2, 3, D))
            mask = None if mask is None else np.array(mask, bool)
            assert_gradients(layer, [x], mask=mask)
            dy = rng.standard_normal(layer(x, training=True, mask=mask).shape)
            layer.backward(dy)
            for variable in layer.weights:
                direction, sides = rng.standard_normal(variable.shape), []
                gradient = variable.grad.copy()
                for step in 1e-6, -2e-6:
                    variable.assign(variable.data + step * direction)
                    sides.append((layer(x, mask=mask) * dy).sum())
                variable.assign(variable.data + 1e-6 * direction)
                np.testing.assert_allclose((gradient * direction).sum(), (sides[0] - sides[1]) / 2e-6, rtol=1e-5)

    def test_it_is_the_cell_step_by_step(self, rng):
        layer = randomized(RNN(OwnCell(), return_sequences=True, return_state=True), rng)
        x = rng.standard_normal((N, T, D)).astype("float32")
        W, scale = layer.get_weights()
        h, ys = np.zeros((N, 3), "float32"), []
        for t in range(T):
            h = np.tanh(x[:, t] @ W + h * scale)
            ys.append(h * scale)
        y, state = layer(x)
        assert_close(y, np.stack(ys, 1), 1e-6)
        assert_close(state, h, 1e-6)

    def test_masks_are_kerass(self, rng):
        """In Keras unrolled, whose masked steps repeat the output whatever the state is."""
        from keras import ops

        class Theirs(keras.layers.Layer):
            state_size = output_size = 3

            def build(self, shape):
                self.kernel = self.add_weight(shape=(D, 3))
                self.scale = self.add_weight(shape=(3,))

            def call(self, x, states):
                new = ops.tanh(x @ self.kernel + states[0] * self.scale)
                return new * self.scale, [new]

        x, mask = rng.standard_normal((N, T, D)).astype("float32"), rng.random((N, T)) < 0.6
        ours = randomized(RNN(OwnCell(), return_sequences=True, return_state=True), rng)
        theirs = keras.layers.RNN(Theirs(), return_sequences=True, return_state=True, unroll=True)
        theirs.build(x.shape)
        theirs.set_weights(ours.get_weights())
        for one, other in zip(ours(x, mask=mask), theirs(x, mask=mask), strict=True):
            assert_close(one, other, 1e-5)

    def test_training_copies_and_files(self, rng, tmp_path):
        model = fastrnn.Sequential([fastrnn.Input((T, D)), RNN(OwnCell(), return_sequences=True), RNN(OwnCell()),
                                    Dense(1)])
        model.compile(fastrnn.optimizers.Adam(0.05), "mse")
        x = rng.standard_normal((32, T, D)).astype("float32")
        y = np.tanh(x[:, -1, :1] - x[:, -2, 1:2])
        losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
        assert losses[-1] < 0.5 * losses[0]
        expected = model.predict(x, verbose=0)
        for other in copy.deepcopy(model), pickle.loads(pickle.dumps(model)):
            np.testing.assert_array_equal(other.predict(x, verbose=0), expected)
        other = fastrnn.models.clone_model(model)
        other.set_weights(model.get_weights())
        np.testing.assert_array_equal(other.predict(x, verbose=0), expected)
        for suffix in ".keras", ".h5", ".safetensors":
            model.save(tmp_path / f"m{suffix}")
            loaded = load_model(tmp_path / f"m{suffix}", custom_objects={"OwnCell": OwnCell})
            np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
            with pytest.raises(ValueError, match="'OwnCell'.* pass a class of your own by custom_objects"):
                load_model(tmp_path / f"m{suffix}")

    def test_frozen(self, rng):
        model = fastrnn.Sequential([fastrnn.Input((T, D)), RNN([LSTMCell(3), OwnCell()]), Dense(1)])
        model.layers[0].trainable = False
        model.compile("adam", "mse")
        before = model.layers[0].get_weights()
        model.fit(rng.standard_normal((8, T, D)), np.zeros((8, 1)), verbose=0)
        for one, other in zip(before, model.layers[0].get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        assert len(model.trainable_weights) == 2


class TestArguments:
    def test_what_is_no_cell(self):
        for wrong in Dense(3), LSTM(3), "lstm", 7, None:
            with pytest.raises(ValueError, match="RNN cell: "):
                RNN(wrong)
        with pytest.raises(ValueError, match=r"StackedRNNCells cells: expected one or more, got none"):
            RNN([])
        with pytest.raises(TypeError, match=r"'retrun_sequences' \(did you mean 'return_sequences'"):
            RNN(LSTMCell(3), retrun_sequences=True)
        with pytest.raises(TypeError, match="'return_sequences'"):
            LSTMCell(3, return_sequences=True)

    def test_inputs(self, rng):
        layer = RNN(LSTMCell(3), name="r")
        layer.build((None, None, D))
        for shape in (N, D), (N, T, D + 1), (N, T, D, 1):
            with pytest.raises(ValueError, match=r"^RNN 'r': expected input \(batch, time, 4\), got"):
                layer(np.zeros(shape))
        with pytest.raises(ValueError, match=r"initial_state: expected \(batch, units\) = \(3, 3\), got \(3, 2\)"):
            layer(np.zeros((N, T, D)), initial_state=[np.zeros((N, 3)), np.zeros((N, 2))])

    def test_one_dtype(self):
        with pytest.raises(ValueError, match="RNN 'r' dtype: expected that of LSTMCell 'c', 'float32', got 'float64'"):
            RNN(LSTMCell(3, name="c"), dtype="float64", name="r")
        assert RNN([LSTMCell(3, dtype="float64")]).dtype == "float64"

    def test_its_own_first_states(self, rng):
        """Of a subclass of a standard cell: the kernels begin with zeros."""
        class Ones(GRUCell):
            def get_initial_state(self, batch_size=None):
                return [np.ones((batch_size, self.units), self.dtype)]

        x = rng.standard_normal((N, T, D)).astype("float32")
        one, two = randomized(RNN(Ones(3)), rng), RNN(GRUCell(3))
        two.build(x.shape)
        two.set_weights(one.get_weights())
        assert_close(one(x), two(x, initial_state=np.ones((N, 3))), 1e-6)
        y = one(x, training=True)
        two(x, training=True, initial_state=np.ones((N, 3)))
        assert_close(one.backward(np.ones_like(y)), two.backward(np.ones_like(y))[0], 1e-5)

    def test_a_cell_that_gives_too_little(self):
        class Short(OwnCell):
            def forward(self, x, h, *, call):
                return super().forward(x, h, call=call)[:1]

        with pytest.raises(ValueError, match="expected a step to give an output and 1 states, got 1 arrays"):
            RNN(Short())(np.zeros((N, T, D)))
