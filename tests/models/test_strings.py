# SPDX-License-Identifier: Apache-2.0
"""Strings through models: to the layers that read them, in every form that users have them in."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import fastrnn
from fastrnn import layers

TEXTS = ["a b c", "c a q", "b", "", "c c", "a a a a"] * 3
TARGETS = (np.arange(18) % 2).astype("float32")


def classifier(shape=(1,), **options):
    fastrnn.utils.set_random_seed(1)
    vectors = layers.TextVectorization(vocabulary=["a", "b", "c"], **options)
    inputs = [] if shape is None else [fastrnn.Input(shape, dtype="string")]
    model = fastrnn.Sequential([*inputs, vectors, layers.Embedding(5, 4, mask_zero=True), layers.LSTM(3),
                                layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def on_numbers(model):
    """The same model without its first layer."""
    rest = fastrnn.Sequential([fastrnn.Input((None,), dtype="int64"), *(
        layers.deserialize(layers.serialize(layer)) for layer in model.layers[1:])])
    rest.set_weights(model.get_weights())
    rest.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return rest


FORMS = {"list": TEXTS, "tuple": tuple(TEXTS), "U": np.array(TEXTS), "object": np.array(TEXTS, object),
         "S": np.array(TEXTS, "S"), "bytes": np.array([text.encode() for text in TEXTS], object),
         "column": np.array(TEXTS)[:, None], "lists": [[text] for text in TEXTS], "one": [np.array(TEXTS)[:, None]],
         "reversed": np.array(TEXTS[::-1])[::-1]}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(1,), (), None], ids=["column", "line", "unbuilt"])
def test_trains_as_on_numbers(form, shape):
    model = classifier(shape, output_sequence_length=4)
    x, numbers = FORMS[form], model.layers[0](TEXTS)
    if shape is None:
        model.predict(x, verbose=0)
    rest = on_numbers(model)
    for one, data in (model, x), (rest, numbers):
        fastrnn.utils.set_random_seed(3)
        one.history = one.fit(data, TARGETS, epochs=2, batch_size=5, validation_split=0.2, verbose=0)
    assert model.history.history == rest.history.history
    np.testing.assert_array_equal(model.predict(x, verbose=0), rest.predict(numbers, verbose=0))
    np.testing.assert_array_equal(model(x), rest(numbers))
    np.testing.assert_array_equal(model.predict_on_batch(x), rest.predict_on_batch(numbers))
    assert model.evaluate(x, TARGETS, verbose=0) == rest.evaluate(numbers, TARGETS, verbose=0)
    assert model.train_on_batch(x, TARGETS) == rest.train_on_batch(numbers, TARGETS)


def test_other_libraries_strings():
    import pandas as pd
    import tensorflow as tf

    model = classifier()
    expected = model.predict(TEXTS, verbose=0)
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, TARGETS)).batch(6)
    for x in pd.Series(TEXTS), pd.Series(TEXTS, dtype=object), tf.constant(TEXTS), dataset.map(lambda x, y: x):
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)
    assert len(model.fit(dataset, epochs=2, verbose=0, validation_data=dataset).history["val_loss"]) == 2
    assert fastrnn.Input((1,), dtype=tf.string).dtype == fastrnn.Input((1,), dtype=str).dtype == "string"


def test_beside_numbers():
    words, numbers = fastrnn.Input((2,), dtype="string", name="words"), fastrnn.Input((3,), name="numbers")
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    text = layers.Flatten()(layers.Embedding(3, 2)(lookup(words)))
    counts = layers.StringLookup(vocabulary=["b"], output_mode="count")(words)      # two read it
    model = fastrnn.Model([words, numbers], layers.Dense(1)(layers.concatenate([text, counts, numbers])))
    model.compile("sgd", "mse")
    x = {"numbers": np.ones((4, 3)), "words": [["a", "b"], ["q", "b"], ["b", "b"], ["a", "a"]]}
    model.fit(x, np.ones((4, 1)), epochs=2, batch_size=3, verbose=0)
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predict([x["words"], x["numbers"]], verbose=0), expected)
    np.testing.assert_array_equal(model([np.array(x["words"]), x["numbers"]]), expected)
    np.testing.assert_array_equal(copy.deepcopy(model).predict(x, verbose=0), expected)
    assert str(words) == "<Symbol shape=(None, 2), dtype=string, name=words>"
    with pytest.raises(ValueError, match=r"StringLookup '.*' input: expected strings, got numbers"):
        model.predict([np.ones((4, 2)), x["numbers"]], verbose=0)
    with pytest.raises(ValueError, match=r"expected numbers, got an array of strings"):
        model.predict([x["words"], np.array([["a"] * 3] * 4)], verbose=0)


def test_between_layers():
    """Strings that a layer gives to another, and to the user."""
    ids = fastrnn.Input((2,), dtype="int32")
    words = layers.StringLookup(vocabulary=["a", "long word", "c"], invert=True)(ids)
    assert words.dtype == "string"
    again = layers.StringLookup(vocabulary=["c", "long word"])(words)
    model = fastrnn.Model(ids, [words, again])
    found, numbers = model.predict([[1, 3], [2, 0], [2, 2]], batch_size=1, verbose=0)
    assert found.tolist() == [["a", "c"], ["long word", "[UNK]"], ["long word", "long word"]]
    assert numbers.tolist() == [[0, 1], [2, 0], [2, 2]]


def test_nested():
    inner = fastrnn.Sequential([fastrnn.Input((1,), dtype="string"),
                                layers.TextVectorization(vocabulary=["a", "b"], output_mode="count")])
    for model in (fastrnn.Sequential([inner, layers.Dense(1, kernel_initializer="ones")]),
                  fastrnn.Sequential([fastrnn.Input((1,), dtype="string"), inner,
                                      layers.Dense(1, kernel_initializer="ones")])):
        assert model.predict(["a b b", "q"], verbose=0).tolist() == [[3], [1]]
        assert model.predict([], verbose=0).shape == (0, 1) if model.built else True


def test_a_model_of_several_inputs_within_another():
    def graph():
        words, numbers = fastrnn.Input((2,), dtype="string"), fastrnn.Input((3,))
        inner = fastrnn.Model([numbers, words], layers.concatenate([
            numbers, layers.StringLookup(vocabulary=["a"], output_mode="count")(words)]))
        return words, numbers, inner

    words, numbers, inner = graph()
    model = fastrnn.Model([words, numbers], inner([layers.Rescaling(2.0)(numbers), words]))
    assert model.predict([[["a", "q"]], np.ones((1, 3))], verbose=0).tolist() == [[2, 2, 2, 1, 1]]
    with pytest.raises(ValueError, match="expected a symbol of numbers, got one of strings"):
        inner([words, words])
    with pytest.raises(ValueError, match="expected a symbol of strings, got one of numbers"):
        inner([numbers, layers.Dense(2)(numbers)])


@pytest.mark.parametrize(("make", "message"), [
    (lambda: layers.concatenate([fastrnn.Input((1,), dtype="string")] * 2), "expected a symbol of numbers"),
    (lambda: layers.Flatten()(fastrnn.Input((1,), dtype="string")), "Flatten '.*': expected a symbol of numbers"),
    (lambda: layers.Dense(2)(fastrnn.Input((1,), dtype="string")),
     r"Dense '.*': expected a symbol of numbers, got one of strings, .*; TextVectorization and StringLookup make"),
    (lambda: layers.Embedding(3, 2)(fastrnn.Input((1,), dtype="string")), "expected a symbol of numbers"),
    (lambda: layers.StringLookup(vocabulary=["a"])(layers.Dense(2)(fastrnn.Input((1,)))),
     r"StringLookup '.*': expected a symbol of strings, got one of numbers"),
    (lambda: classifier().predict(np.ones((3, 1)), verbose=0), r"input: expected strings, got numbers"),
    (lambda: classifier().predict(["a", 3], verbose=0), r"input: expected strings, got 3, which is a int"),
    (lambda: classifier().predict([["a", "b"]], verbose=0), r"TextVectorization '.*'|expected input of shape"),
    (lambda: classifier().predict("a", verbose=0), r"expected input of shape \(None, 1\), got \(\)"),
    (lambda: classifier().fit(TEXTS, TARGETS[:5], verbose=0), "expected as many samples as x has, 18, got 5"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
