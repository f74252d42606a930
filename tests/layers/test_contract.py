# SPDX-License-Identifier: Apache-2.0
"""What all layers of the table do alike: gradients, refused gradients, masks, calls in a row, copies, configurations.

A layer that is not in `RECIPES` fails `test_every_layer_has_a_recipe`.
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn.layers import GRU, LSTM, Activation, Bidirectional, Dense, Layer, MinGRU, deserialize, serialize
from fastrnn.layers.preprocessing.base import Preparing
from fastrnn.layers.recurrent.cell import Cell
from fastrnn.layers.table import registry
from tests.layers.recipes import RECIPES, D, N, Recipe, T, V

CASES = [pytest.param(recipe, id=f"{name} {form}".strip()) for name, forms in RECIPES.items()
         for form, recipe in forms.items()]  # fmt: skip
every_layer = pytest.mark.parametrize("recipe", CASES)


def built(recipe: Recipe, dtype: str = "float64", **keywords: Any) -> Any:
    """The layer with weights of no special values, the same each time."""
    layer = recipe.make(dtype=dtype, **keywords)
    if not layer.built:
        layer.build(*((None, *shape[1:]) for shape in each(recipe.shape)))
    rng = np.random.default_rng(5)
    values = [rng.uniform(-0.9, 0.9, w.shape) for w in layer.weights]
    layer.set_weights([np.abs(w) if "variance" in v.name else w for v, w in zip(layer.weights, values)])
    return layer


def takes_indices(layer: Any) -> bool:
    return layer.input_kind == "index"


def has_gradient(layer: Any) -> bool:
    """Whether the output moves with the input."""
    return layer.input_kind in ("float", "any") and not isinstance(layer, Preparing)


def each(x: Any) -> list[Any]:
    """Of a list, as layers of several inputs take one, and what others take, its parts."""
    return x if isinstance(x, list) else [x]


def like(change: Callable[[Any], Any], x: Any) -> Any:
    """What `change` makes of the parts."""
    return [None if one is None else change(one) for one in x] if isinstance(x, list) else change(x)


def inputs(layer: Any, recipe: Recipe, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if recipe.draw is not None:
        return recipe.draw(rng, recipe.shape)
    return like(lambda shape: rng.integers(0, V, shape) if takes_indices(layer) else rng.standard_normal(shape),
                recipe.shape)


def masks(recipe: Recipe) -> dict[str, Any]:
    """Each kind of mask: none, of all, of the ends, of a step in between, of whole samples; of several inputs one has
    the samples' masks the other way round, and the last has none where those of two others are there."""
    found: dict[str, Any] = {"none": None}
    if recipe.masks:
        for kind, steps in {"all": [[1, 1, 1]] * 2, "ends": [[1, 1, 0], [0, 1, 1]], "between": [[1, 0, 1]] * 2,
                            "samples": [[0, 0, 0], [1, 1, 1]]}.items():  # fmt: skip
            mask = np.array(steps, bool)
            found[kind] = mask if not isinstance(recipe.shape, list) else [mask, mask[::-1], None][:len(recipe.shape)]
    return found


def run(layer: Any, x: Any, mask: Any) -> np.ndarray:
    """A training call, with the dropout of the first."""
    for inner in layer.walk():
        if getattr(inner, "_rng", None) is not None:
            inner._rng = np.random.Generator(np.random.SFC64(1))
    return layer(x, training=True, mask=mask)


def differences(layer: Any, values: np.ndarray, loss: Callable[[], float]) -> np.ndarray:
    """Central differences of the loss by each element of `values`, in place."""
    found, step = np.empty_like(values), 1e-6 if layer.dtype == "float64" else 0.5
    for at in np.ndindex(values.shape):
        before, sides = values[at], []
        for side in before + step, before - step:
            values[at] = side
            for variable in layer.weights:
                variable.touch()
            sides.append(loss())
        values[at] = before
        found[at] = (sides[0] - sides[1]) / (2 * step)
    return found


def gradients(layer: Any, dy: np.ndarray, spared: bool = False) -> list[np.ndarray | None]:
    """Of the inputs and of the weights, as copies."""
    layer.default_call.spared = frozenset(range(9) if spared else [])
    dx = layer.backward(dy)
    return [*(None if one is None else one.copy() for one in each(dx)),
            *(v.grad.copy() for v in layer.trainable_weights)]


def wrong_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Others: some of the same size, some that NumPy would broadcast."""
    other = [shape[::-1], (*shape, 1), (1, *shape), shape[:-1], (1,) * len(shape), shape[-1:], (), (*shape[:-1], 1),
             (shape[0] + 1, *shape[1:]), (int(np.prod(shape[:-1])), shape[-1]), (int(np.prod(shape)),),
             (shape[1], shape[0], *shape[2:])]  # fmt: skip
    return [one for one in dict.fromkeys(other) if one != shape]


def assert_same(one: list, two: list) -> None:
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_layer_has_a_recipe():
    assert fastrnn.Sequential.__name__ in registry.objects      # enters itself when it is first asked for
    cells = {cls.__name__ for cls in registry.objects.values() if issubclass(cls, Cell)}    # see test_cells.py
    assert set(RECIPES) == {cls.__name__ for cls in registry.objects.values()} - cells
    for name, forms in RECIPES.items():
        for recipe in forms.values():
            assert type(recipe.make()).__name__ == name


@every_layer
def test_a_build_that_fails_leaves_nothing(recipe, monkeypatch):
    """Whichever weight cannot be made, the next try makes them all, once."""
    expected = [(w.name, w.shape) for w in built(recipe).weights]
    add_weight = Layer.add_weight
    for most in range(len(expected)):
        layer, made = recipe.make(), []
        if layer.built:
            return

        def limited(self, *arguments, made=made, most=most, **options):
            if len(made) == most:
                raise MemoryError
            made.append(add_weight(self, *arguments, **options))
            return made[-1]

        shapes = [(None, *shape[1:]) for shape in each(recipe.shape)]
        monkeypatch.setattr(Layer, "add_weight", limited)
        with pytest.raises(MemoryError):
            layer.build(*shapes)
        monkeypatch.setattr(Layer, "add_weight", add_weight)
        assert not layer.built
        layer.build(*shapes)
        assert [(w.name, w.shape) for w in layer.weights] == expected


@every_layer
def test_gradients_are_central_differences(recipe):
    for kind, mask in masks(recipe).items():
        layer = built(recipe)
        x = inputs(layer, recipe)
        y = run(layer, x, mask)
        assert y.dtype.name == (layer.output_dtype if isinstance(layer, Preparing) else layer.dtype)
        assert y.shape == layer.compute_output_shape(*(one.shape for one in each(x)))
        dy = np.random.default_rng(1).standard_normal(y.shape)
        found = gradients(layer, dy)
        dxs, dw = found[:len(each(x))], found[len(each(x)):]

        def loss(layer=layer, x=x, mask=mask, dy=dy) -> float:
            return float((run(layer, x, mask) * dy).sum())

        for one, dx in zip(each(x), dxs, strict=True):
            if not has_gradient(layer):
                assert dx is None
            else:
                np.testing.assert_allclose(dx, differences(layer, one, loss), rtol=1e-5, atol=1e-7, err_msg=kind)
        for variable, gradient in zip(layer.trainable_weights, dw, strict=True):
            np.testing.assert_allclose(gradient, differences(layer, variable.data, loss), rtol=1e-5, atol=1e-7,
                                       err_msg=f"{kind} {variable.path}")  # fmt: skip


@every_layer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_another_shape_are_refused(recipe, dtype):
    """And the right one is taken after it."""
    layer = built(recipe, dtype, name="this")
    x = inputs(layer, recipe)
    y = run(layer, x, None)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    expected = gradients(layer, dy)
    run(layer, x, None)
    for shape in wrong_shapes(y.shape):
        for values in np.ones(shape, dtype), np.ones(shape).tolist():
            with pytest.raises(ValueError, match=r" dy: expected shape \(.*\), got \("):
                layer.backward(values)
        with pytest.raises(ValueError, match=r" dy: expected shape"):
            gradients(layer, np.ones(shape, dtype), spared=True)
    assert_same(gradients(layer, dy), expected)


@every_layer
def test_gradients_of_logits_are_refused_alike(recipe):
    layer = built(recipe)
    if layer.output_activation is None:
        assert type(layer) not in (Dense, Activation)
        return
    layer.default_call.logits = True
    with pytest.raises(RuntimeError, match=r"backward needs a call with training=True"):
        layer.backward(np.ones((N, T)))
    y = run(layer, inputs(layer, recipe), None)
    for shape in wrong_shapes(y.shape):
        with pytest.raises(ValueError, match=r" dz: expected shape \(.*\), got \("):
            layer.backward(np.ones(shape))
    dx = layer.backward(np.ones(y.shape))
    assert dx is None or dx.shape == recipe.shape
    run(layer, inputs(layer, recipe), None)
    assert gradients(layer, np.ones(y.shape), spared=True)[0] is None


@every_layer
def test_backward_needs_a_call_in_training(recipe):
    layer = built(recipe)
    x = inputs(layer, recipe)
    dy = np.ones(layer(x).shape)
    with pytest.raises(RuntimeError, match=r"backward needs a call with training=True before it"):
        layer.backward(dy)


@every_layer
def test_the_last_of_two_calls_counts(recipe):
    """And one that only predicts changes nothing."""
    one, two = built(recipe), built(recipe)
    first, second = inputs(one, recipe, 1), inputs(one, recipe, 2)
    mask = masks(recipe).get("ends")
    run(one, like(lambda values: values[:1], first), None)
    run(one, second, mask)
    one(first)
    y = run(two, second, mask)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    assert_same(gradients(one, dy), gradients(two, dy))
    for moved, other in zip(two.non_trainable_weights, one.non_trainable_weights, strict=True):
        moved.assign(other.value)       # moving averages have seen as many calls as there were
    assert_same([one(first), one(second, mask=mask)], [two(first), two(second, mask=mask)])


@every_layer
def test_what_the_caller_changes_later_does_not_count(recipe):
    """Input, mask and output of a user's call are the user's; what `backward` needs of them, the layer has."""
    for dtype in "float32", "float64":
        one, two = built(recipe, dtype), built(recipe, dtype)
        kind = "int32" if takes_indices(one) else "U" if recipe.draw is not None else dtype
        x = like(lambda values, kind=kind: values.astype(kind), inputs(one, recipe))
        mask = masks(recipe).get("ends")
        y = run(one, x, mask)
        dy = np.random.default_rng(1).standard_normal(y.shape)
        given, given_mask = like(np.copy, x), None if mask is None else like(np.copy, mask)
        run(two, given, given_mask)[...] = 7
        y = run(two, given, given_mask)
        for values in each(given):
            values[...] = 1
        for values in each(given_mask):
            if values is not None:
                values[...] = ~values
        y[...] = 7
        assert_same(gradients(two, dy), gradients(one, dy))


@every_layer
def test_nothing_that_is_given_is_changed(recipe):
    layer = built(recipe)
    x, mask = inputs(layer, recipe), masks(recipe).get("ends")
    for array in (*each(x), *each(mask)):
        if array is not None:
            array.flags.writeable = False
    y = run(layer, x, mask)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dy.flags.writeable = False
    layer.backward(dy)
    layer(x, mask=mask)


@every_layer
def test_the_input_gradient_can_be_spared(recipe):
    layer = built(recipe)
    x = inputs(layer, recipe)
    y = run(layer, x, None)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    count = len(each(x))
    dw = gradients(layer, dy)[count:]
    run(layer, x, None)
    spared = gradients(layer, dy, spared=True)
    assert spared[:count] == [None] * count
    assert_same(spared[count:], dw)


@every_layer
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies_are_alike_and_apart(recipe, copied):
    layer = built(recipe)
    x, mask = inputs(layer, recipe), masks(recipe).get("ends")
    y = run(layer, x, mask)
    other = copied(layer)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    with pytest.raises(RuntimeError, match=r"backward needs a call with training=True"):
        other.backward(dy)
    expected = gradients(layer, dy)
    assert_same([run(other, x, mask)], [y])
    assert_same(gradients(other, dy), expected)
    other.set_weights([2 * w for w in other.get_weights()])
    assert_same([run(layer, x, mask)], [y])


@every_layer
def test_configurations_make_the_layer_again(recipe):
    layer = built(recipe, name="this")
    config = json.loads(json.dumps(serialize(layer)))
    for other in deserialize(config), type(layer).from_config(config["config"]):
        assert type(other) is type(layer) and other.name == "this"
        assert json.loads(json.dumps(serialize(other))) == config
        x, mask = inputs(layer, recipe), masks(recipe).get("ends")
        other(x)
        other.set_weights(layer.get_weights())
        np.testing.assert_array_equal(other(x, mask=mask), layer(x, mask=mask))
        assert [w.shape for w in other.weights] == [w.shape for w in layer.weights]


STATEFUL = {"GRU": (GRU, 1), "MinGRU": (MinGRU, 1), "LSTM": (LSTM, 2),
            "Bidirectional": (lambda *a, **k: Bidirectional(LSTM(*a, **k)), 4)}


@pytest.mark.parametrize(("make", "count"), STATEFUL.values(), ids=STATEFUL)
def test_states_are_the_callers_too(make, count):
    """Initial ones may change before `backward`, and gradients of final ones are checked before anything is used up."""
    rng = np.random.default_rng(2)
    layer, x = make(3, return_state=True, dtype="float64"), rng.standard_normal((N, T, D))
    states, dy = [rng.standard_normal((N, 3)) for _ in range(count)], rng.standard_normal((N, 3 if count < 4 else 6))
    found = []
    for change in False, True:
        given = [state.copy() for state in states]
        y, *final = layer(x, training=True, initial_state=given)
        for array in (y, *given, *final) if change else ():
            array[...] = 7
        for wrong in [states[0]] * (count + 1), [states[0].T] * count, [None] * (count - 1) + [np.ones((N, 1))]:
            with pytest.raises(ValueError, match=r" dstates: expected "):
                layer.backward(dy, *wrong)
        found.append([*layer.backward(dy, *states), *(v.grad.copy() for v in layer.weights)])
    assert_same(*found)


def test_two_outputs_want_two_gradients():
    layer, x = Bidirectional(GRU(3), merge_mode=None), np.ones((N, T, D), "float32")
    y = layer(x, training=True)
    for wrong in y[0], y[:1], [y[0], y[0][:1]], np.ones((2, N, 3)):
        with pytest.raises(ValueError, match=r"Bidirectional .* dy: expected "):
            layer.backward(wrong)
    assert layer.backward(y).shape == x.shape
