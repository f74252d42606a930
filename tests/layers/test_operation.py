# SPDX-License-Identifier: Apache-2.0
"""Operations on symbols: `+`, `@`, `[]` and their like, against Keras and central differences."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import layers
from fastrnn.layers.array_functions import FUNCTIONS
from fastrnn.layers.operation import Operation
from fastrnn.layers.table import operations, registry
from tests.conftest import assert_gradients

ROW, MATRIX = np.array([0.5, -1.5, 2.0, 1.0], "float32"), np.linspace(-1, 1, 8, dtype="float32").reshape(4, 2)

#: Of x (batch, 3, 4), y of the same shape, z (batch, 4, 5), v (batch, 4), i (batch, 3) of whole numbers.
EXPRESSIONS = [
    "x + y", "x + 2", "2 + x", "x + ROW", "x + v[:, None]", "i + 1", "i + 1.5", "i + i[:, ::-1]", "i + x[..., 0]",
    "x - y", "1 - x", "x - ROW", "i - 1",
    "x * y", "x * 2", "0.5 * x", "x * ROW", "x * x", "x * (y > 0)", "i * 2",
    "x / (y * y + 1)", "x / 2", "1 / (x * x + 1)", "i / 2",
    "x ** 2", "x ** 3", "(x * x) ** 0.5", "(x * x + 1) ** y", "2 ** x", "i ** 2", "x ** 0",
    "x @ z", "x @ MATRIX", "x @ ROW", "x @ z @ z[:, 0, :, None] * v[:, :1, None]", "x[:, None] @ z[:, None]",
    "-x", "-i", "abs(x)", "abs(i)",
    "x < y", "x <= 0", "x > 0.5", "x >= y", "0 < x", "i > 2", "i >= 1.5",
    "x[:, -1]", "x[:, 1:]", "x[:, ::-1]", "x[:, ::2, 1]", "x[..., 0]", "x[:, None, 1]", "x[:, 1:1]", "x[:, :, -3:-1]",
    "x[:, -1, None, ..., ::-1]", "i[:, 0]", "x[:, 2] - x[:, 0] * v",
]  # fmt: skip


def symbols(library: Any) -> dict[str, Any]:
    return {"x": library.Input((3, 4), name="x"), "y": library.Input((3, 4), name="y"),
            "z": library.Input((4, 5), name="z"), "v": library.Input((4,), name="v"),
            "i": library.Input((3,), dtype="int32", name="i")}  # fmt: skip


def values(dtype: str = "float32") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {name: rng.standard_normal((2, *shape)).astype(dtype)
             for name, shape in {"x": (3, 4), "y": (3, 4), "z": (4, 5), "v": (4,)}.items()}  # fmt: skip
    return {**found, "i": rng.integers(0, 5, (2, 3)).astype("int32")}


def evaluate(expression: str, names: dict[str, Any]) -> Any:
    return eval(expression, {"ROW": ROW, "MATRIX": MATRIX, "abs": abs}, names)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values_are_numpys_and_shapes_and_dtypes_keras(expression):
    ours, theirs = symbols(fastrnn), symbols(keras)
    y, expected = evaluate(expression, ours), evaluate(expression, theirs)
    assert (y.shape, y.dtype, y.masked) == (expected.shape, expected.dtype, False)
    names = [name for name in ours if name in expression.replace("ROW", "").replace("MATRIX", "")]
    given = [values()[name] for name in names]
    model = fastrnn.Model([ours[name] for name in names], y)
    found = model(given)
    # As NumPy's operators have them; Keras compiles each for half a second, and has its turn in the model below.
    np.testing.assert_allclose(found, evaluate(expression, values("float64")), rtol=1e-4, atol=1e-5)
    assert found.dtype == y.dtype and found.flags.c_contiguous


@pytest.mark.parametrize("expression", [one for one in EXPRESSIONS if "i" not in one and not set("<>") & set(one)])
def test_gradients_are_central_differences(expression):
    names = [name for name in "xyzv" if name in expression.replace("ROW", "").replace("MATRIX", "")]
    given = {name: fastrnn.Input(value.shape[1:], dtype="float64") for name, value in values().items() if name in names}
    model = fastrnn.Model([given[name] for name in names], evaluate(expression, given))
    assert model.dtype == "float64"
    model.takes_many = len(names) > 1
    assert_gradients(model, [values()[name] for name in names])


@pytest.mark.parametrize("shapes", [((4,), (4,)), ((4,), (4, 2)), ((3, 4), (4,)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)),
                                    ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (5, 4, 2)), ((1, 3, 4), (2, 4, 2))], ids=str)
def test_gradients_of_products_of_any_rank(shapes):
    rng = np.random.default_rng(0)
    layer = operations.objects["Matmul"]()
    xs = [rng.standard_normal(shape) for shape in shapes]
    np.testing.assert_allclose(layer(*xs), xs[0] @ xs[1])
    assert layer.compute_output_shape(*shapes) == (xs[0] @ xs[1]).shape
    layer.takes_many = True
    assert_gradients(layer, xs)


def test_powers_at_zero():
    """Of the base and of the exponent, where formulas with a division or a logarithm have none."""
    layer = operations.objects["Power"]()
    a, b = np.array([0.0, 0.0, 0.0, 2.0]), np.array([0.0, 1.0, 2.0, 0.0])
    np.testing.assert_array_equal(layer(a, b, training=True), [1, 0, 0, 1])
    da, db = layer.backward(np.ones(4))
    np.testing.assert_array_equal(da, [0, 1, 0, 0])
    np.testing.assert_allclose(db, [0, 0, 0, np.log(2)])


def attention(library: Any) -> Any:
    """A model with every operator between layers with weights."""
    words = library.Input((6,), dtype="int32")
    encoded = library.layers.GRU(4, return_sequences=True)(library.layers.Embedding(9, 5)(words))
    query = library.layers.Dense(4, "tanh")(encoded[:, -1])
    scores = (encoded @ query[:, :, None])[..., 0] / 2.0
    weights = 2 ** (scores - 1)
    weights = weights / (weights @ np.ones((6, 1), "float32"))
    context = (weights[:, None] @ encoded)[:, 0]
    gate = library.layers.Dense(4, "sigmoid")(context)
    mixed = gate * context + (1 - gate) * query ** 2 - abs(query) * (context > 0)
    return library.Model(words, library.layers.Dense(3, "softmax")(-mixed))


def test_a_model_of_operations_is_keras_model():
    ours, theirs = attention(fastrnn), attention(keras)
    rng = np.random.default_rng(0)
    ours.set_weights([rng.uniform(-0.8, 0.8, weight.shape) for weight in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    x, target = rng.integers(0, 9, (8, 6)), rng.integers(0, 3, 8)
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-6)
    for library, model in (fastrnn, ours), (keras, theirs):
        model.compile(library.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
        model.fit(x, target, epochs=3, batch_size=4, shuffle=False, verbose=0)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_no_mask_goes_on():
    found = []
    for library in fastrnn, keras:
        words = library.Input((None,), dtype="int32")
        masked = library.layers.Embedding(5, 2, mask_zero=True, embeddings_initializer="ones")(words)
        lstm = library.layers.LSTM(3, kernel_initializer="ones", recurrent_initializer="ones")
        model = library.Model(words, [lstm(masked), lstm(masked + 0.0), lstm(masked[:, :3])])
        found.append(np.array([np.asarray(one) for one in model(np.array([[1, 2, 0, 0]]))]))
    np.testing.assert_allclose(*found, rtol=1e-5)
    y, added, sliced = found[0]
    assert np.abs(y - added).max() > 0.01 and np.abs(y - sliced).max() > 0.01


# constants and calls -------------------------------------------------------------------------------------------------

def test_constants_are_the_layers_own():
    x, constant = fastrnn.Input((2,)), np.array([1.0, 2.0])
    model = fastrnn.Model(x, x + constant)
    constant[:] = 100
    np.testing.assert_array_equal(model(np.zeros((1, 2))), [[1, 2]])


def test_other_constants_need_another_layer():
    x, layer = fastrnn.Input((2,)), operations.objects["Add"]()
    assert layer(x, 1).shape == layer(x, 1).shape
    for operands in (x, 2), (1, x), (x, x), (x, np.ones(2)):
        with pytest.raises(ValueError, match="Add '.*': was called with other constants before"):
            layer(*operands)
    with pytest.raises(ValueError, match="was not called yet"):
        operations.objects["Add"]().compute_output_shape((2,))


def test_arrays_are_operands_too():
    layer = operations.objects["Multiply"]()
    y = layer(np.array([[1.0, 2.0]], "float32"), 3, training=True)
    np.testing.assert_array_equal(y, [[3, 6]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 2))), [[3, 3]])
    assert y.dtype == "float32"
    assert operations.objects["Less"]()([1, 2], [2, 1]).tolist() == [True, False]
    assert operations.objects["TrueDivide"]()(np.array([1]), np.array([2])).dtype == "float32"
    compared = operations.objects["Less"]()
    compared(np.ones(2), np.ones(2), training=True)
    assert compared.backward(np.ones(2)) == [None, None]
    with pytest.raises(ValueError, match=r"dy: expected shape \(1, 2\), got \(2,\)"):
        layer.backward(np.ones(2))


WRONG = {
    "x + 'a'": (TypeError, r"Add '.*': expected symbols, arrays and numbers, got 'a'"),
    "x + None": (TypeError, r"Add '.*': expected symbols, arrays and numbers, got None"),
    "x + object": (TypeError, r"Add '.*' operand: expected"),
    "x + v[:, 1:]": (ValueError, r"Add '.*': expected shapes that broadcast, got \(None, 3, 4\) and \(None, 3\)"),
    "x @ x": (ValueError, r"Matmul '.*': expected matrices of which the first has as many columns"),
    "x @ 2": (ValueError, r"Matmul '.*': expected operands of at least one axis"),
    "x[:, 3]": (ValueError, r"GetItem '.*': index 3 is out of range for an array of shape \(None, 3, 4\)"),
    "x[:, -4]": (ValueError, r"GetItem '.*': index -4 is out of range"),
    "x[0, 0, 0, 0]": (ValueError, r"GetItem '.*': expected at most 3 indices for an array of shape .*, got 4"),
    "x[..., ...]": (TypeError, r"GetItem '.*': expected at most one Ellipsis"),
    "x[:, [0]]": (TypeError, r"GetItem '.*': expected whole numbers, slices of them, None and an Ellipsis"),
    "x['a']": (TypeError, r"GetItem '.*': expected whole numbers"),
    "x[True]": (TypeError, r"GetItem '.*': expected whole numbers"),
    "x[1.0:]": (TypeError, r"GetItem '.*': expected whole numbers"),
    "x[:, i]": (TypeError, r"GetItem '.*': expected whole numbers"),
    "(x > 0) - (x < 1)": (TypeError, r"Subtract '.*': expected numbers, got booleans alone"),
}


@pytest.mark.parametrize("expression", WRONG)
def test_what_does_not_fit_is_refused(expression):
    error, message = WRONG[expression]
    with pytest.raises(error, match=message):
        evaluate(expression, {**symbols(fastrnn), "object": object()})


def test_operands_are_counted():
    for name, operands in ("Add", (1,)), ("Negative", (1, 2)), ("GetItem", (np.ones(2),)):
        with pytest.raises(TypeError, match=rf"{name} '.*': expected \d operands, got {len(operands)}"):
            operations.objects[name]()(*operands)


def test_sizes_that_vary_are_checked_when_they_are_known():
    x = fastrnn.Input((None, 2))
    added, item = fastrnn.Model(x, x + np.ones((3, 2), "float32")), fastrnn.Model(x, x[:, 4])
    with pytest.raises(ValueError, match="Add '.*': operands could not be broadcast"):
        added(np.ones((1, 4, 2)))
    with pytest.raises(ValueError, match="GetItem '.*': index 4 is out of bounds"):
        item(np.ones((1, 4, 2)))


# configurations ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("expression", [
    "x + y", "x - 2", "2 * x", "x / y", "x ** 2", "x @ z", "-x", "abs(x)", "x < y", "x <= y", "x > y", "x >= 0",
    "x[:, -1]"])
def test_configurations_are_keras(expression):
    ours, theirs = evaluate(expression, symbols(fastrnn)), evaluate(expression, symbols(keras))
    operation = theirs._keras_history.operation
    expected = keras.saving.serialize_keras_object(operation)
    found = json.loads(json.dumps(layers.serialize(ours.node.layer)))
    assert (found["module"], found["class_name"]) == (expected["module"], expected["class_name"])
    assert set(found["config"]) == set(expected["config"]) == {"name"}
    node = operation._inbound_nodes[0].arguments
    assert len(ours.node.args) == len(node.args) and ours.node.kwargs == node.kwargs
    for one, other in zip(ours.node.args, node.args, strict=True):
        assert one == other if "Tensor" not in type(other).__name__ else one.name == other.name or one.node
    again = layers.deserialize(found)
    assert type(again) is type(ours.node.layer) and again.name == found["config"]["name"]
    assert again(*ours.node.args).shape == ours.shape


def test_operations_and_layers_of_one_name_are_told_apart():
    both = {name for name in registry.objects if issubclass(operations.objects.get(name, type), Operation)}
    assert both >= {"Add", "Multiply", "Subtract"}
    for name in both:
        layer, operation = registry.objects[name](name="here"), operations.objects[name](name="here")
        for one in layer, operation:
            assert type(layers.deserialize(layers.serialize(one))) is type(one)
        assert type(layer) is not type(operation) and not isinstance(layer, Operation)


def test_the_table_has_keras_operations():
    assert {function.name for function in FUNCTIONS.values()} == {
        cls.__name__ for cls in operations.objects.values() if issubclass(cls, Operation)}
    for name in (function.name for function in FUNCTIONS.values()):
        assert operations.objects[name].__name__ == name
        assert getattr(keras.src.ops.numpy, name)().name.startswith(fastrnn.registry.snake_case(name))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies_are_alike_and_apart(copied):
    model = attention(fastrnn)
    x = np.random.default_rng(0).integers(0, 9, (2, 6))
    other = copied(model)
    np.testing.assert_array_equal(other(x), model(x))
    before = model(x)
    other.set_weights([2 * weight for weight in other.get_weights()])
    np.testing.assert_array_equal(model(x), before)
