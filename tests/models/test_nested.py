# SPDX-License-Identifier: Apache-2.0
"""A Sequential as a layer of another: the bits of the same layers in one row, and what Keras makes of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Sequential
from fastrnn.layers import GRU, LSTM, Activation, Bidirectional, Dense, Dropout, Embedding, TimeDistributed
from tests.models.fakes import MarkZeros, Scale

WORDS, T, D = 9, 5, 3


@pytest.fixture
def x(rng) -> np.ndarray:
    return rng.standard_normal((12, T, D)).astype("float32")


@pytest.fixture
def y(rng) -> np.ndarray:
    return rng.integers(0, 2, (12, 1)).astype("float32")


def rows() -> list:
    """Layers that draw random numbers, have penalties, and end in an activation that the loss is fused with."""
    return [LSTM(4, return_sequences=True, kernel_regularizer="l2", dropout=0.2, seed=1, name="a"),
            Dropout(0.3, seed=2, name="b"), GRU(3, recurrent_dropout=0.1, seed=3, name="c"),
            Dense(4, kernel_regularizer="l1", name="d"), Dense(1, activation="sigmoid", name="e")]


#: How to put the five layers into models; by the number of levels.
FORMS = {
    "first": lambda a, b, c, d, e: [Sequential([a, b, c]), d, e],
    "last": lambda a, b, c, d, e: [a, b, Sequential([c, d, e])],
    "all": lambda *layers: [Sequential(layers)],
    "two levels": lambda a, b, c, d, e: [Sequential([a, Sequential([b, c])]), Sequential([Sequential([d]), e])],
    "with inputs": lambda a, b, c, d, e: [Sequential([Input((None, D)), a, b, c]), Sequential([Input((3,)), d, e])],
}


def trained(layers: list, x, y, frozen: bool = False) -> tuple[Sequential, dict]:
    model = Sequential([Input((None, D)), *layers])
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(-0.5, 0.5, w.shape) for w in model.get_weights()])
    if frozen:
        next(layer for layer in model.walk() if layer.name == "a").trainable = False
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    fastrnn.utils.set_random_seed(4)
    history = model.fit(x, y, batch_size=5, epochs=3, verbose=0, validation_split=0.25).history
    return model, history


class TestTheSameAsInOneRow:
    @pytest.mark.parametrize("frozen", [False, True])
    @pytest.mark.parametrize("form", FORMS)
    def test_training(self, form, frozen, x, y):
        """Dropout, penalties, gradients, updates and metrics are those of the same layers without models around."""
        expected, expected_history = trained(rows(), x, y, frozen)
        model, history = trained(FORMS[form](*rows()), x, y, frozen)
        assert history == expected_history
        for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
            assert np.array_equal(ours, theirs)
        assert np.array_equal(model.predict(x, verbose=0), expected.predict(x, verbose=0))
        assert model.evaluate(x, y, verbose=0) == expected.evaluate(x, y, verbose=0)
        assert model.count_params() == expected.count_params()
        assert [w.shape for w in model.trainable_weights] == [w.shape for w in expected.trainable_weights]
        assert model.plan().losses[0][1]

    @pytest.mark.parametrize("form", FORMS)
    def test_input_gradient(self, form, x, y):
        both = []
        for layers in (rows(), FORMS[form](*rows())):
            model, _ = trained(layers, x, y)
            fastrnn.utils.set_random_seed(5)
            model(x, training=True)
            both.append([model.backward(np.ones((12, 1))), *(v.grad for v in model.weights)])
        for ours, theirs in zip(*both, strict=True):
            assert np.array_equal(ours, theirs)

    def test_masks(self, rng):
        """What an embedding inside masks reaches the layers, and the loss, behind the model that it is in."""
        words = rng.integers(0, WORDS, (6, T))
        words[:, 3:] = 0
        y = rng.standard_normal((6, T, 2))

        def layers():
            return [Embedding(WORDS, 4, mask_zero=True), Dense(4), LSTM(3, return_sequences=True), Dense(2)]

        models = []
        for stack in (layers(), [Sequential(layers()[:2]), *layers()[2:]], [Sequential([Sequential(layers()[:3])]),
                                                                          layers()[3]]):
            models.append(Sequential(stack))
            models[-1].build((None, T))
            models[-1].set_weights(models[0].get_weights())
            models[-1].compile("sgd", "mse")
        expected = models[0].fit(words, y, verbose=0, shuffle=False, epochs=2).history
        for model in models[1:]:
            assert model.fit(words, y, verbose=0, shuffle=False, epochs=2).history == expected
            for ours, theirs in zip(model.get_weights(), models[0].get_weights(), strict=True):
                assert np.array_equal(ours, theirs)
        inner = models[1].layers[0]
        assert np.array_equal(inner.compute_mask(words), words != 0)
        assert np.array_equal(inner.run(inner.prepare(words))[1][0], words != 0)

    def test_a_mask_that_is_given(self, x):
        calls: list = []
        model = Sequential([Sequential([Scale(calls)]), Scale(calls)])
        mask = np.arange(T) < np.arange(12)[:, None]
        model(x, mask=mask)
        assert all(np.array_equal(seen, mask) for *_, seen in calls)

    def test_a_mask_made_half_way(self, x):
        """It is made of what the layer gets, which is not what the model around it gets."""
        calls: list = []
        x = np.abs(x) + 1
        Sequential([Sequential([Scale(start=0.0), MarkZeros()]), Scale(calls)])(x)
        assert not calls[0][-1].any()

    @pytest.mark.parametrize("activation", ["softmax", "relu"])
    def test_fused_through_wrappers(self, activation, x):
        inner = Sequential([Dense(4, activation="tanh"), Dense(2), Activation(activation)])
        model = Sequential([Input((None, D)), TimeDistributed(inner)])
        model.compile("adam", fastrnn.losses.CategoricalCrossentropy())
        if activation == "softmax":
            assert model.plan().losses[0][1]
        else:
            with pytest.warns(UserWarning, match="ends in activation 'relu'"):
                assert not model.plan().losses[0][1]

    def test_time_distributed(self, x):
        """Every step through a model, and every sequence of sequences through a recurrent one."""
        inner = Sequential([Dense(4, activation="tanh"), Dense(2)])
        model = Sequential([Input((None, D)), TimeDistributed(inner)])
        y = model.predict(x, verbose=0)
        np.testing.assert_allclose(y[:, 2], inner.predict(x[:, 2], verbose=0), atol=1e-6)
        deep = Sequential([Input((4, T, D)), TimeDistributed(Sequential([GRU(4, return_sequences=True), LSTM(2)]))])
        many = np.stack([x, 2 * x, -x, x + 1], 1)
        np.testing.assert_allclose(deep.predict(many, verbose=0)[:, 1],
                                   deep.layers[0].layer.predict(2 * x, verbose=0), atol=1e-6)
        deep.compile("adam", "mse")
        deep.fit(many, np.zeros((12, 4, 2)), epochs=2, verbose=0)

    def test_stateful(self, x):
        inner = Sequential([LSTM(2, stateful=True), Dense(1)])
        model = Sequential([Input((None, D)), Sequential([inner])])
        first = model.predict_on_batch(x)
        assert not np.array_equal(model.predict_on_batch(x), first)
        model.reset_states()
        assert np.array_equal(model.predict_on_batch(x), first)


class TestAgainstKeras:
    @staticmethod
    def make(library, outer_input: bool = True):
        layers = library.layers
        encoder = library.Sequential([library.Input((None, D)), layers.LSTM(4, return_sequences=True, name="a"),
                                      library.Sequential([layers.Bidirectional(layers.GRU(3)), layers.Dense(4)])],
                                     name="encoder")
        head = library.Sequential([layers.Dense(3, activation="relu", kernel_regularizer="l2"), layers.Dense(1)],
                                  name="head")
        first = [library.Input((None, D))] if outer_input else []
        return library.Sequential([*first, encoder, head, layers.Activation("tanh")], name="whole")

    @pytest.mark.parametrize("outer_input", [True, False])
    def test_training(self, outer_input, x, y, rng):
        ours, theirs = self.make(fastrnn, outer_input), self.make(keras, outer_input)
        assert ours.built and theirs.built
        assert (ours.input_shape, ours.output_shape) == (theirs.input_shape, theirs.output_shape)
        weights = [rng.uniform(-0.5, 0.5, w.shape) for w in theirs.get_weights()]
        for model in (ours, theirs):
            model.set_weights(weights)
            model.compile("adam", "mse")
        np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), atol=1e-6)
        got = ours.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0).history["loss"]
        expected = theirs.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0).history["loss"]
        np.testing.assert_allclose(got, expected, rtol=1e-5)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=2e-5)

    @pytest.mark.parametrize("change", ["whole", "encoder", "one", "and back"])
    def test_trainable(self, change):
        ours, theirs = self.make(fastrnn), self.make(keras)
        for model in (ours, theirs):
            if change == "whole":
                model.trainable = False
            elif change == "encoder":
                model.get_layer("encoder").trainable = False
            else:
                model.get_layer("encoder").get_layer("a").trainable = False
            if change == "and back":
                model.get_layer("encoder").trainable = True
        for kind in ("trainable_weights", "non_trainable_weights"):
            assert ([w.shape for w in getattr(ours, kind)] == [tuple(w.shape) for w in getattr(theirs, kind)])
        assert [(layer.name, layer.trainable) for layer in ours.get_layer("encoder").layers[:1]] == [
            (layer.name, layer.trainable) for layer in theirs.get_layer("encoder").layers[:1]]

    def test_summary(self):
        """A model inside is one row."""
        texts: dict = {}
        for library in (fastrnn, keras):
            self.make(library).summary(line_length=76, print_fn=lambda text, lib=library: texts.update({lib: text}))
        for word in ("encoder (Sequential)", "head (Sequential)", "Total params: "):
            line, same = (next(line for line in texts[library].splitlines() if word in line)
                          for library in (fastrnn, keras))
            assert line.split() == same.split()
        assert "lstm" not in texts[fastrnn].lower()

    @pytest.mark.parametrize("direction", ["to fastrnn", "to Keras", "to itself"])
    def test_config(self, direction):
        source, target = {"to fastrnn": (keras, fastrnn), "to Keras": (fastrnn, keras),
                          "to itself": (fastrnn, fastrnn)}[direction]
        first = self.make(source)
        second = target.Sequential.from_config(first.get_config())
        assert [tuple(w.shape) for w in second.weights] == [tuple(w.shape) for w in first.weights]
        assert [layer.name for layer in second.get_layer("encoder").layers] == [
            layer.name for layer in first.get_layer("encoder").layers]
        if source is target:
            assert second.get_config() == first.get_config()
            assert type(second.layers[0]) is Sequential

    @pytest.mark.parametrize("library", [fastrnn, keras])
    def test_bidirectional_takes_no_model(self, library):
        with pytest.raises((ValueError, AttributeError)):
            library.layers.Bidirectional(library.Sequential([library.Input((None, D)), library.layers.LSTM(2)]))


class TestShapes:
    def test_built_by_the_model_around_it(self, x):
        inner = Sequential([LSTM(4), Dense(2)])
        outer = Sequential([inner, Dense(1)])
        assert not inner.built and not outer.built
        outer.predict(x, verbose=0)
        assert inner.input_shape == (None, T, D) and inner.output_shape == (None, 2)
        inner.predict(x[:, :2], verbose=0)      # what data showed binds neither

    def test_a_shape_of_its_own(self, x):
        fixed = Sequential([Input((T, D)), LSTM(2)])
        outer = Sequential([Input((None, D)), Dense(D), fixed])
        assert outer.predict(x, verbose=0).shape == (12, 2)
        with pytest.raises(ValueError, match=r"expected input of shape \(None, 5, 3\), got \(12, 4, 3\)"):
            outer.predict(x[:, :4], verbose=0)
        first = Sequential([fixed, Dense(1)])
        with pytest.raises(ValueError, match=r"expected input of shape \(None, 5, 3\)"):
            first.predict(x[:, :4], verbose=0)
        with pytest.raises(ValueError, match=r"cannot take input of shape \(None, 4, 3\).*expected input of shape"):
            Sequential([Input((4, D)), Sequential([Input((T, D)), LSTM(2)])])

    def test_layers_that_do_not_fit(self):
        """Each inner layer is asked before any is built; the model stays as it was."""
        built = LSTM(2)
        built.build((None, None, 7))
        outer = Sequential([Input((None, D)), Dense(3)])
        inner = Sequential([Dense(5), built])
        with pytest.raises(ValueError, match=r"'sequential.*cannot take input of shape \(None, None, 3\)"):
            outer.add(inner)
        assert len(outer.layers) == 1 and not inner.built and not inner.layers[0].built
        late = Sequential([Dense(3), Sequential([Dense(5), built])])
        with pytest.raises(ValueError, match="cannot take input of shape"):
            late.build((None, None, D))
        assert not late.layers[0].built

    def test_several_outputs(self):
        with pytest.raises(ValueError, match="return_state=False"):
            Sequential([Input((None, D)), Sequential([LSTM(2, return_state=True)])])

    def test_dtypes(self):
        model = Sequential([Input((None, D)), Sequential([LSTM(2, dtype="float64")]), Dense(1, dtype="float64")])
        assert model.dtype == "float64" and model.predict(np.ones((1, 2, D)), verbose=0).dtype == "float64"
        with pytest.raises(ValueError, match="give all layers the same dtype"):
            Sequential([Dense(2), Sequential([LSTM(2, dtype="float64")])])


class TestWhatIsInside:
    def test_stays_as_it_is(self):
        inner = Sequential([Input((None, D)), LSTM(4)])
        outer = Sequential([TimeDistributed(Sequential([Dense(3)])), inner, Dense(1)])
        for change in (lambda: inner.add(Dense(9)), inner.pop, lambda: outer.layers[0].layer.add(Dense(2))):
            with pytest.raises(ValueError, match="came after the model became a layer of another one"):
                change()
        assert len(inner.layers) == 1
        outer.pop()
        outer.add(Dense(2))

    def test_only_once(self):
        layer = LSTM(3, return_sequences=True)
        with pytest.raises(ValueError, match="is in the model already"):
            Sequential([Input((None, D)), layer, Sequential([layer])])
        inner = Sequential([Dense(3)])
        with pytest.raises(ValueError, match="is in the model already"):
            Sequential([Input((None, D)), Sequential([inner]), TimeDistributed(inner)])
        model = Sequential([Input((None, D)), layer])
        with pytest.raises(ValueError, match="no model is a layer of itself"):
            model.add(model)
        with pytest.raises(ValueError, match="no model is a layer of itself"):
            model.add(TimeDistributed(model))
        outer = Sequential([model])
        with pytest.raises(ValueError, match="became a layer of another one"):
            model.add(outer)

    def test_taken_off_it_can_come_back(self):
        inner = Sequential([LSTM(3)])
        model = Sequential([Input((None, D)), inner])
        assert model.pop() is inner
        model.add(inner)
        assert model.output_shape == (None, 3)

    def test_without_layers(self):
        with pytest.raises(ValueError, match="has no layers"):
            Sequential([Input((None, D)), Sequential()])
        with pytest.raises(ValueError, match="has no layers"):
            Sequential([Input((None, D)), TimeDistributed(Sequential([Input((3,))]))])

    def test_names(self):
        """Those at one level differ; what is inside has names of its own."""
        model = Sequential([Input((None, D)), Sequential([LSTM(2, return_sequences=True, name="a")], name="b"),
                            LSTM(2, name="a")])
        assert model.get_layer("b").get_layer("a").units == 2
        with pytest.raises(ValueError, match="there is no layer 'c'"):
            model.get_layer("c")
        with pytest.raises(ValueError, match="there is a layer named 'b' already"):
            Sequential([Sequential([Dense(2)], name="b"), Dense(3, name="b")])

    def test_shared_by_two_models(self, x, y):
        """One encoder under two heads: what one trains, the other has."""
        encoder = Sequential([Input((None, D)), LSTM(4)])
        one, two = Sequential([encoder, Dense(1)]), Sequential([encoder, Dense(1)])
        before = two.predict(x, verbose=0)
        one.compile("adam", "mse")
        one.fit(x, y, verbose=0)
        assert not np.array_equal(two.predict(x, verbose=0), before)
        assert np.array_equal(one.layers[0].predict(x, verbose=0), two.layers[0].predict(x, verbose=0))

    def test_custom_layers(self):
        config = {"layers": [{"class_name": "Sequential", "config": {
            "layers": [{"class_name": "Mine", "config": {"name": "s"}}], "build_input_shape": (None, D)}}]}
        with pytest.raises(ValueError, match="unknown layer 'Mine'"):
            Sequential.from_config(config)
        assert type(Sequential.from_config(config, {"Mine": Scale}).layers[0].layers[0]) is Scale

    def test_bidirectional_inside(self, x):
        model = Sequential([Input((None, D)), Sequential([Bidirectional(LSTM(2))])])
        assert model.predict(x, verbose=0).shape == (12, 4)
