# SPDX-License-Identifier: Apache-2.0
"""Attention layers against Keras: values, masks, options of a call, training, files; and what they refuse."""

from __future__ import annotations

import json
import os

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import AdditiveAttention, Attention, Dense, GroupQueryAttention, MultiHeadAttention
from fastrnn.utils import set_random_seed

N, T, S, D = 3, 4, 5, 6
LISTED = {
    "dot": ("Attention", {}), "scaled": ("Attention", {"use_scale": True}),
    "concat": ("Attention", {"score_mode": "concat", "use_scale": True}), "additive": ("AdditiveAttention", {}),
    "plain additive": ("AdditiveAttention", {"use_scale": False}),
}  # fmt: skip
HEADS = {
    "multi": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
    "values": ("MultiHeadAttention", {"num_heads": 3, "key_dim": 2, "value_dim": 4, "use_bias": False,
                                       "dropout": 0.1}),
    "shape": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "output_shape": (2, 3)}),
    "window": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "sliding_window": 2, "use_gate": True}),
    "grouped": ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
    "one group": ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 1,
                                          "use_gate": True, "use_bias": False}),
}  # fmt: skip


def pair(name, options, rng, call):
    """The layer of both libraries, called once, with the same weights."""
    layers = [getattr(library.layers, name)(**options) for library in (fastrnn, keras)]
    for layer in layers:
        call(layer)
    layers[0].set_weights([rng.uniform(-0.8, 0.8, w.shape) for w in layers[0].weights])
    layers[1].set_weights(layers[0].get_weights())
    return layers


def same(ours, theirs):
    for one, two in zip(*(x if isinstance(x, (list, tuple)) else [x] for x in (ours, theirs)), strict=True):
        np.testing.assert_allclose(one, np.asarray(two), rtol=1e-4, atol=2e-6)


def arrays(rng, keys=D):
    return [rng.standard_normal(shape).astype("float32") for shape in ((N, T, D), (N, S, D), (N, S, keys))]


@pytest.mark.parametrize("name, options", LISTED.values(), ids=LISTED)
@pytest.mark.parametrize("key", [False, True])
def test_values_of_lists(name, options, key, rng):
    xs = arrays(rng)[:3 if key else 2]
    ours, theirs = pair(name, options, rng, lambda layer: layer(xs))
    masks = [rng.random((N, T)) < 0.6, rng.random((N, S)) < 0.6]
    masks[1][0] = False
    for given in ({}, {"mask": masks}, {"mask": [None, masks[1]]}, {"mask": [masks[0], None]},
                  {"use_causal_mask": True}, {"use_causal_mask": True, "mask": masks},
                  {"return_attention_scores": True, "mask": masks}):
        same(ours(xs, **given), theirs(xs, **given))


@pytest.mark.parametrize("name, options", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("key", [False, True])
def test_values_of_heads(name, options, key, rng):
    xs = arrays(rng, D if name.startswith("Group") else 2)[:3 if key else 2]
    ours, theirs = pair(name, options, rng, lambda layer: layer(*xs))
    scores = rng.random((N, T, S)) < 0.6
    masks = {"query_mask": rng.random((N, T)) < 0.6, "value_mask": rng.random((N, S)) < 0.6}
    masks["value_mask"][0] = False
    for given in ({}, {"attention_mask": scores}, {"attention_mask": scores[0]}, {"use_causal_mask": True},
                  {"attention_mask": scores, "use_causal_mask": True},
                  {"attention_mask": scores, "return_attention_scores": True},
                  {"value_mask": masks["value_mask"]}, {"return_attention_scores": True},
                  {"value_mask": masks["value_mask"], "return_attention_scores": True, "use_causal_mask": True}):
        same(ours(*xs, **given), theirs(*xs, **given))
    if name.startswith("Group"):        # Keras's MultiHeadAttention takes no mask of the query by this name
        same(ours(*xs, **masks), theirs(*xs, **masks))
    per_head = rng.random((N, ours.query_heads, T, S)) < 0.6
    same(ours(*xs, attention_mask=per_head), theirs(*xs, attention_mask=per_head))
    assert [v.path.split("/", 1)[1] for v in ours.weights] == [v.path.split("/", 1)[1] for v in theirs.weights]


# in models -----------------------------------------------------------------------------------------------------------


def words(library, steps, name):
    return library.Input((steps,), dtype="int32", name=name)


def luong(library):
    """A decoder's steps ask the encoder's; padding does not count."""
    layers = library.layers
    source, target = words(library, S, "source"), words(library, T, "target")
    embed = layers.Embedding(9, D, mask_zero=True)
    keys, h, c = layers.LSTM(D, return_sequences=True, return_state=True)(embed(source))
    query = layers.LSTM(D, return_sequences=True)(embed(target), initial_state=[h, c])
    context = layers.Attention(use_scale=True)([query, keys])
    return library.Model([source, target], layers.Dense(1)(layers.GRU(4)(layers.Concatenate()([query, context]))))


def bahdanau(library):
    layers = library.layers
    source, target = words(library, S, "source"), words(library, T, "target")
    embed = layers.Embedding(9, D, mask_zero=True)
    keys = layers.GRU(D, return_sequences=True)(embed(source))
    query = layers.GRU(D, return_sequences=True)(embed(target))
    context, scores = layers.AdditiveAttention()([query, keys], return_attention_scores=True)
    flat = layers.LSTM(4)(context)
    return library.Model([source, target], layers.Dense(1)(layers.Concatenate()([flat, layers.LSTM(3)(scores)])))


def transformer(library):
    """A block of a decoder, which asks itself and then the source; its heads see the masks of both."""
    layers = library.layers
    source, target = words(library, S, "source"), words(library, T, "target")
    embed = layers.Embedding(9, D, mask_zero=True)
    memory = layers.Dense(D, activation="relu")(embed(source))
    x = embed(target)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True))
    asked = layers.MultiHeadAttention(2, 4)(query=x, value=memory, key=memory)
    x = layers.LayerNormalization()(layers.Add()([x, asked]))
    x = layers.BatchNormalization()(layers.Dense(8, activation="relu")(x))
    y, _ = layers.GroupQueryAttention(2, 4, 2)(x, x, return_attention_scores=True)
    return library.Model([source, target], layers.Dense(1)(layers.LSTM(4)(y)))


def told(library):
    """A mask of the scores is an input of the model, and another a constant."""
    layers = library.layers
    x, allowed = library.Input((S, D), name="source"), library.Input((S, S), dtype="bool", name="target")
    y = layers.MultiHeadAttention(2, 3)(x, x, attention_mask=allowed)
    return library.Model([x, allowed], layers.Dense(1)(layers.LSTM(4)(y)))


MODELS = [luong, bahdanau, transformer, told]


def data(make, rng):
    if make is told:
        return [rng.standard_normal((20, S, D)).astype("float32"), rng.random((20, S, S)) < 0.7]
    source, target = rng.integers(1, 9, (20, S)).astype("int32"), rng.integers(1, 9, (20, T)).astype("int32")
    source[::3, 3:] = 0
    target[::4, 2:] = 0
    return [source, target]


@pytest.mark.parametrize("make", MODELS)
def test_training_and_files_are_keras(make, rng, tmp_path):
    set_random_seed(0)
    model, theirs = make(fastrnn), make(keras)
    theirs.set_weights(model.get_weights())
    x, y = data(make, rng), rng.standard_normal((20, 1)).astype("float32")
    same(model.predict(x, verbose=0), theirs.predict(x, verbose=0))
    histories = []
    for one, library in (model, fastrnn), (theirs, keras):
        one.compile(library.optimizers.SGD(0.05), "mse")
        histories.append(one.fit(x, y, batch_size=5, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(histories[0], histories[1], rtol=2e-4)
    for ours, other in zip(model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-3, atol=1e-4)
    for ending in ("keras", "h5"):
        ours, other = (os.fspath(tmp_path / f"{name}.{ending}") for name in ("ours", "theirs"))
        model.save(ours)
        theirs.save(other)
        again = keras.models.load_model(ours, compile=False)
        same(again.predict(x, verbose=0), model.predict(x, verbose=0))
        loaded = fastrnn.models.load_model(other)
        same(loaded.predict(x, verbose=0), theirs.predict(x, verbose=0))
        assert [w.shape for w in loaded.weights] == [w.shape for w in theirs.weights]


@pytest.mark.parametrize("make", MODELS)
def test_native_files_and_texts(make, rng, tmp_path):
    model, x = make(fastrnn), data(make, rng)
    path = os.fspath(tmp_path / "model.safetensors")
    model.save(path)
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(fastrnn.models.load_model(path).predict(x, verbose=0), expected)
    other = fastrnn.models.model_from_json(model.to_json())
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(other.predict(x, verbose=0), expected)
    assert json.loads(other.to_json()) == json.loads(model.to_json())


def test_a_constant_mask_of_the_scores(rng):
    x = fastrnn.Input((S, D))
    layer, allowed = MultiHeadAttention(2, 3), np.tri(S, dtype=bool)
    model = fastrnn.Model(x, layer(x, x, attention_mask=allowed))
    values = rng.standard_normal((N, S, D)).astype("float32")
    np.testing.assert_allclose(model.predict(values, verbose=0), layer(values, values, use_causal_mask=True), rtol=1e-5)
    other = fastrnn.models.model_from_json(model.to_json())
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(other.predict(values, verbose=0), model.predict(values, verbose=0))


def test_one_layer_called_in_two_ways(rng):
    """Each call has options of its own."""
    x = fastrnn.Input((S, D))
    layer = Attention()
    model = fastrnn.Model(x, [layer([x, x]), layer([x, x], use_causal_mask=True)])
    values = rng.standard_normal((N, S, D)).astype("float32")
    one, two = model.predict(values, verbose=0)
    np.testing.assert_array_equal(one, layer([values, values]))
    np.testing.assert_array_equal(two, layer([values, values], use_causal_mask=True))
    assert np.abs(one - two).max() > 0.01


@pytest.mark.parametrize("layer", [Attention(use_scale=True, dtype="float64"),
                                   MultiHeadAttention(2, 3, dtype="float64", use_gate=True)], ids=str)
def test_gradients_of_scores(layer, rng):
    """And where they alone are read."""
    x, y = rng.standard_normal((2, T, D)), rng.standard_normal((2, S, D))
    shape = layer([x, y], return_attention_scores=True)[1].shape
    for dy in rng.standard_normal((2, T, D)), None:
        dscores = rng.standard_normal(shape)

        def loss(x, y, dy=dy, dscores=dscores):
            out, scores = layer([x, y], return_attention_scores=True)
            return (0 if dy is None else (out * dy).sum()) + (scores * dscores).sum()

        layer([x, y], training=True, return_attention_scores=True)
        found = layer.backward(dy, dscores)
        for values, gradient in zip((x, y), found, strict=True):
            for at in [(0, 0, 0), (1, 2, 3), (1, 3, 5)]:
                before, sides = values[at], []
                for step in 1e-6, -1e-6:
                    values[at] = before + step
                    sides.append(loss(x, y))
                values[at] = before
                np.testing.assert_allclose(gradient[at], (sides[0] - sides[1]) / 2e-6, rtol=1e-5, atol=1e-8)


def test_configurations_of_keras_2():
    """Written out by hand: there, causal was an argument of the layer, and heads wrote what they were built for."""
    heads = {"name": "heads", "trainable": True, "dtype": "float32", "num_heads": 2, "key_dim": 3, "value_dim": 3,
             "dropout": 0.0, "use_bias": True, "output_shape": None, "attention_axes": [1],
             "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
             "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": None,
             "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None,
             "bias_constraint": None, "query_shape": [None, 5, 4], "key_shape": [None, 5, 4],
             "value_shape": [None, 5, 4]}
    attention = {"name": "attention", "trainable": True, "dtype": "float32", "causal": False, "dropout": 0.0,
                 "use_scale": False}
    inner = [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"batch_input_shape": [None, 5, 4], "dtype": "float32", "sparse": False, "ragged": False,
                    "name": "x"}},
        {"class_name": "MultiHeadAttention", "name": "heads", "config": heads, "inbound_nodes": [
            [["x", 0, 0, {"value": ["x", 0, 0], "key": None, "use_causal_mask": True, "training": None}]]]},
        {"class_name": "Attention", "name": "attention", "config": attention, "inbound_nodes": [
            [["heads", 0, 0, {"training": None}], ["x", 0, 0, {"training": None}]]]}]
    text = json.dumps({"class_name": "Functional", "keras_version": "2.8.0", "backend": "tensorflow", "config": {
        "name": "model", "layers": inner, "input_layers": [["x", 0, 0]], "output_layers": [["attention", 0, 0]]}})
    model = fastrnn.models.model_from_json(text)
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype("float32")
    asked = model.get_layer("heads")(x, x, use_causal_mask=True)
    np.testing.assert_allclose(model.predict(x, verbose=0), Attention()([asked, x]), rtol=1e-5, atol=1e-6)


def test_dropout_leaves_the_mean(rng):
    query, value = np.zeros((1, 1, 2)), np.ones((1, 1000, 2))
    y = Attention(dropout=0.5, seed=1)([query, value], training=True)
    assert 0.8 < y[0, 0, 0] < 1.2 and y[0, 0, 0] != 1


def test_setting_trainable_reaches_the_projections():
    layer = MultiHeadAttention(2, 3)
    layer.build((None, T, D), (None, S, D))
    assert len(layer.trainable_weights) == 8
    layer.trainable = False
    assert not layer.query_dense.trainable and layer.trainable_weights == []


BAD = {
    "one array": (lambda x: Attention(name="a")(x), ValueError, "expected a list of query and value"),
    "four": (lambda x: Attention(name="a")([x] * 4), ValueError, "expected a list of query and value.* got 4"),
    "ranks": (lambda x: Attention(name="a")([x, x[0]]), ValueError, "expected query .batch, queries, features"),
    "features": (lambda x: Attention(name="a")([x, x[..., :2]]), ValueError, "expected query .batch, queries"),
    "keys": (lambda x: Attention(name="a")([x, x[:, :2], x]), ValueError, "expected query .batch, queries"),
    "mask": (lambda x: Attention(name="a")([x, x], mask=np.ones((N, T), bool)), ValueError, "mask: expected a list"),
    "wide mask": (lambda x: Attention(name="a")([x, x], mask=[None, np.ones((N, 2), bool)]), ValueError, "mask: exp"),
    "mode": (lambda x: Attention(name="a", score_mode="sum"), ValueError, "score_mode: expected 'dot' or 'concat'"),
    "dropout": (lambda x: AdditiveAttention(name="a", dropout=2), ValueError, "dropout: expected a fraction"),
    "no value": (lambda x: MultiHeadAttention(2, 3, name="a")(x), TypeError, "expected query and value"),
    "heads": (lambda x: MultiHeadAttention(0, 3, name="a"), ValueError, "num_heads: expected a positive whole"),
    "axes": (lambda x: MultiHeadAttention(2, 3, attention_axes=2, name="a"), ValueError, "attention_axes: expected 1"),
    "steps": (lambda x: MultiHeadAttention(2, 3, name="a")(x, x[:, :2], x), ValueError, "expected query .batch, quer"),
    "scores": (lambda x: MultiHeadAttention(2, 3, name="a")(x, x, attention_mask=np.ones((N, T, 3))), ValueError,
               "attention_mask: expected"),
    "no mask": (lambda x: MultiHeadAttention(2, 3, name="a")(x, x, attention_mask="all"), ValueError,
                "attention_mask: expected"),
    "in a line": (lambda x: fastrnn.Sequential([fastrnn.Input((T, D)), MultiHeadAttention(2, 3, name="a")]), ValueError,
                  "expected query and value"),
    "groups": (lambda x: GroupQueryAttention(2, 3, 2, name="a"), ValueError, "num_key_value_heads: expected a divisor"),
}  # fmt: skip


@pytest.mark.parametrize("call, kind, problem", BAD.values(), ids=BAD)
def test_errors(call, kind, problem, rng):
    with pytest.raises(kind, match=f" 'a'.*{problem}"):
        call(rng.standard_normal((N, T, D)))


def test_later_inputs_that_do_not_fit(rng):
    layer = MultiHeadAttention(2, 3, name="a")
    x = rng.standard_normal((N, T, D))
    layer(x, x)
    with pytest.raises(ValueError, match=r"'a' value: expected 6 features, got \(3, 4, 2\)"):
        layer(x, x[..., :2], x)
    layer = AdditiveAttention(name="b")
    layer([x, x])
    with pytest.raises(ValueError, match=r"'b': expected a query with 6 features"):
        layer([x[..., :2], x[..., :2]])
    symbol = fastrnn.Input((T, D))
    with pytest.raises(ValueError, match=r"'a' attention_mask: expected"):
        MultiHeadAttention(2, 3, name="a")(symbol, symbol, attention_mask=fastrnn.Input((T, 3), dtype="bool"))
    with pytest.raises(TypeError, match="expected symbols alone"):
        MultiHeadAttention(2, 3, name="a")(symbol, x)
    assert Dense(1)(MultiHeadAttention(2, 3)(symbol, symbol)).shape == (None, T, 1)
