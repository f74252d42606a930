# SPDX-License-Identifier: Apache-2.0
"""RNN over cells with a `call` of the user's own, written once for both libraries, beside Keras."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.saving import load_model
from tests.conftest import assert_close

N, T, D, H = 3, 5, 4, 6
#: By name, a function that gives the cell's class in a library.
CELLS = {}


def cell(make):
    CELLS[make.__name__] = functools.cache(make)
    return make


@cell
def Minimal(library):
    class Minimal(library.layers.Layer):
        """The one of Keras's documentation."""

        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
            self.recurrent_kernel = self.add_weight(
                shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel")

        def call(self, inputs, states):
            h = inputs @ self.kernel
            output = h + states[0] @ self.recurrent_kernel
            return output, [output]

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Minimal


@cell
def TwoStates(library):
    class TwoStates(library.layers.Layer):
        """Layers inside, two states, an output of another width than both."""

        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.state_size = [units, 3]
            self.output_size = 2
            self.join = library.layers.Concatenate(dtype=self.dtype)
            self.gate = library.layers.Dense(units, activation="sigmoid", dtype=self.dtype)
            self.out = library.layers.Dense(2, dtype=self.dtype)
            self.memory = library.layers.Dense(3, activation="tanh", dtype=self.dtype)

        def build(self, input_shape):
            self.gate.build((None, input_shape[-1] + self.units))
            self.out.build((None, self.units + 3))
            self.memory.build((None, self.units))
            self.built = True

        def call(self, inputs, states, training=False):
            h, m = states
            g = self.gate(self.join([inputs, h]))
            h = g * h + (1 - g) * library.ops.sum(inputs, axis=-1, keepdims=True)
            m = 0.5 * m + self.memory(h)
            return self.out(self.join([h, m])), [h, m]

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return TwoStates


@cell
def Residual(library):
    class Residual(library.layers.GRUCell):
        """A subclass of a standard cell."""

        def call(self, inputs, states, training=False):
            y, new = super().call(inputs, states, training=training)
            return y + library.ops.exp(-0.1 * library.ops.sum(inputs, axis=-1, keepdims=True)), new

    return Residual


@cell
def Around(library):
    class Around(library.layers.Layer):
        """A standard cell inside, and its own first state."""

        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.inner = library.layers.LSTMCell(units, dtype=self.dtype)
            self.state_size = [units, units]
            self.output_size = units

        def build(self, input_shape):
            self.inner.build(input_shape)
            self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")
            self.built = True

        def call(self, inputs, states):
            y, states = self.inner(inputs, states)
            return y * self.scale, states

        def get_initial_state(self, batch_size=None):
            return [np.full((batch_size, self.units), value, "float32") for value in (0.1, 0)]

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Around


FORMS = {
    "last": lambda k, make: k.layers.RNN(make(H)),
    "sequences": lambda k, make: k.layers.RNN(make(H), return_sequences=True),
    "backwards": lambda k, make: k.layers.RNN(make(H), return_sequences=True, go_backwards=True),
    "stacked": lambda k, make: k.layers.RNN([k.layers.LSTMCell(3), make(H), k.layers.GRUCell(2)],
                                            return_sequences=True),
    "both": lambda k, make: k.layers.Bidirectional(k.layers.RNN(make(H), return_sequences=True)),
}


def model_of(library, name, form):
    return library.Sequential([library.Input((T, D)), FORMS[form](library, CELLS[name](library)),
                               library.layers.Dense(2)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CELLS)
def test_training_and_files_are_keras(name, form, rng, tmp_path):
    their_class, own_class = CELLS[name](keras), CELLS[name](fastrnn)
    with keras.saving.custom_object_scope({name: their_class}), fastrnn.utils.custom_object_scope({name: own_class}):
        theirs, ours = model_of(keras, name, form), model_of(fastrnn, name, form)
        assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
        theirs.set_weights([0.4 * rng.standard_normal(w.shape) for w in theirs.get_weights()])
        ours.set_weights(theirs.get_weights())
        x = rng.standard_normal((16, T, D)).astype("float32")
        expected = theirs.predict(x, verbose=0)
        assert_close(ours.predict(x, verbose=0), expected, 1e-5)
        theirs.save(tmp_path / "a.keras")
        loaded = load_model(tmp_path / "a.keras", custom_objects={name: own_class})
        assert_close(loaded.predict(x, verbose=0), expected, 1e-5)
        loaded.save(tmp_path / "b.keras")
        back = keras.saving.load_model(tmp_path / "b.keras", custom_objects={name: their_class})
        assert_close(back.predict(x, verbose=0), expected, 1e-5)
        y = rng.standard_normal(expected.shape).astype("float32")
        losses = []
        for library, model in (fastrnn, ours), (keras, theirs):
            model.compile(library.optimizers.SGD(0.05, momentum=0.9), "mse")
            losses.append(model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=2e-4)
    assert_close(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), 2e-4)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(one, other, 2e-4)


@pytest.mark.parametrize("form", ["last", "sequences"])
@pytest.mark.parametrize("name", CELLS)
def test_gradients_with_masks_and_states(name, form, rng):
    """Of the input, the weights and the initial states, along a random direction."""
    cell = CELLS[name](fastrnn)(H, dtype="float64")
    layer = fastrnn.layers.RNN(cell, return_sequences=form == "sequences", return_state=True)
    layer.build((None, None, D))
    layer.set_weights([0.4 * rng.standard_normal(w.shape) for w in layer.get_weights()])
    x, states = rng.standard_normal((N, T, D)), [rng.standard_normal((N, *shape)) for shape in layer.state_shapes]
    mask = rng.random((N, T)) < 0.7
    y, *final = layer(x, training=True, mask=mask, initial_state=states)
    dys = [rng.standard_normal(part.shape) for part in (y, *final)]
    found = [*layer.backward(*dys), *(v.grad.copy() for v in layer.trainable_weights)]
    values = [x, *states, *(v.data for v in layer.trainable_weights)]
    for array, gradient in zip(values, found, strict=True):
        direction, before, sides = rng.standard_normal(array.shape), array.copy(), []
        for step in 1e-6, -1e-6:
            array[...] = before + step * direction
            for variable in layer.weights:
                variable.touch()
            given, *last = layer(x, mask=mask, initial_state=states)
            sides.append(sum((part * dy).sum() for part, dy in zip((given, *last), dys)))
        array[...] = before
        np.testing.assert_allclose((gradient * direction).sum(), (sides[0] - sides[1]) / 2e-6, rtol=1e-5, atol=1e-7)


def test_a_step_by_itself(rng):
    for name in CELLS:
        cell, states = CELLS[name](fastrnn)(H), None
        cell.build((None, D))
        states = [np.zeros((N, size), "float32") for size in np.atleast_1d(cell.state_size)]
        y, new = cell(rng.standard_normal((N, D)).astype("float32"), states)
        assert len(new) == len(states) and y.shape == (N, getattr(cell, "output_size", H))


def test_a_subclass_that_only_adds_names_stays_on_the_kernels():
    class Named(fastrnn.layers.LSTMCell):
        pass

    assert fastrnn.layers.RNN(Named(3)).same_layer() is not None
    assert fastrnn.layers.RNN(CELLS["Residual"](fastrnn)(3)).same_layer() is None
