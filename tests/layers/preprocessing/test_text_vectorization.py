# SPDX-License-Identifier: Apache-2.0
"""TextVectorization against Keras's, which runs on TensorFlow's functions of strings under every backend."""

from __future__ import annotations

import pickle

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import TextVectorization

TEXTS = ["The cat. sat on-the mat!", "É é ÀB\x0bx\xa0y\x1cz  the", "a\tb\nc", "", "it's [a] 'b' \\ ^_`{|}~ 10% ",
         "日本 語 ÿ"]
INPUTS = {"texts": ["the cat É", "", "mat mat on"], "column": [["the cat"], ["mat x y"]], "one": "the mat",
          "nothing": ["", ""], "long": ["a b c " * 20, "b"]}
OPTIONS = {
    "default": {}, "as it is": {"standardize": None}, "lower": {"standardize": "lower"},
    "strip": {"standardize": "strip_punctuation"}, "bigrams": {"ngrams": 2}, "bigrams alone": {"ngrams": (2,)},
    "wide": {"ngrams": (3, 1)}, "characters": {"split": "character"}, "whole": {"split": None},
    "multi_hot": {"output_mode": "multi_hot"}, "count": {"output_mode": "count", "ngrams": 2},
    "tf_idf": {"output_mode": "tf_idf"}, "binary": {"output_mode": "binary"},
    "limited": {"max_tokens": 6}, "limited count": {"max_tokens": 6, "output_mode": "count"},
    "padded": {"max_tokens": 40, "output_mode": "tf_idf", "pad_to_max_tokens": True},
    "length": {"output_sequence_length": 4}, "length of whole": {"output_sequence_length": 3, "split": None},
    "characters count": {"split": "character", "output_mode": "count", "standardize": None},
}


def both(**options):
    return TextVectorization(**options), keras.layers.TextVectorization(**options)


def words(vocabulary):
    return [str(word) for word in vocabulary]


@pytest.mark.parametrize("name", OPTIONS)
def test_is_keras(name):
    ours, theirs = both(**OPTIONS[name])
    for layer in ours, theirs:
        layer.adapt(TEXTS)
    for special in True, False:
        assert ours.get_vocabulary(special) == words(theirs.get_vocabulary(special))
    assert ours.vocabulary_size() == theirs.vocabulary_size()
    for kind, x in INPUTS.items():
        if name == "length of whole" and kind == "one":
            assert ours(x) == 1     # which Keras cannot pad
            continue
        expected, got = np.asarray(theirs(x)), ours(x)
        assert got.shape == expected.shape, kind
        np.testing.assert_allclose(got, expected, rtol=1e-6, err_msg=kind)
        assert got.dtype == ours.output_dtype == ("float32" if ours.output_mode == "tf_idf" else "int64")


@pytest.mark.parametrize("given", [
    TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object), np.array([text.encode() for text in TEXTS]),
    np.array([text.encode() for text in TEXTS], object), [[text] for text in TEXTS], np.array(TEXTS)[:, None]],
    ids=["list", "tuple", "U", "object", "S", "bytes", "column", "array column"])  # fmt: skip
def test_all_kinds_of_strings(given):
    layer, other = TextVectorization(), TextVectorization()
    layer.adapt(given)
    other.adapt(TEXTS)
    assert layer.get_vocabulary() == other.get_vocabulary()
    np.testing.assert_array_equal(layer(given), other(TEXTS))


@pytest.mark.parametrize("mode", ["int", "tf_idf"])
def test_adapts_on_batches(mode):
    import tensorflow as tf

    whole, theirs = both(output_mode=mode)
    whole.adapt(TEXTS)
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS)
    theirs.adapt(dataset.batch(2))
    kinds = {"dataset": dataset.batch(2), "unbatched": dataset, "generator": (TEXTS[i:i + 4] for i in (0, 4)),
             "pairs": ((np.array([text]), 0) for text in TEXTS), "steps": dataset.batch(2).repeat()}
    for kind, data in kinds.items():
        layer = TextVectorization(output_mode=mode)
        layer.adapt(data, steps=3 if kind == "steps" else None)
        assert layer.get_vocabulary() == whole.get_vocabulary() == words(theirs.get_vocabulary()), kind
        np.testing.assert_allclose(layer(TEXTS), np.asarray(theirs(TEXTS)), rtol=1e-6, err_msg=kind)


def test_given_vocabularies(tmp_path):
    weights = [0.25, 0.75, 0.6, 0.4]
    name = tmp_path / "words.txt"
    name.write_text("earth\nwind\nand\nfire\n")
    for options in ({"vocabulary": ["earth", "wind", "and", "fire"]}, {"vocabulary": str(name)},
                    {"vocabulary": ("", "[UNK]", "earth", "wind", "and", "fire")},
                    {"vocabulary": np.array(["earth", "wind", "and", "fire"]), "output_mode": "tf_idf",
                     "idf_weights": weights},
                    {"vocabulary": ["[UNK]", "earth", "wind", "and"], "output_mode": "tf_idf", "idf_weights": weights,
                     "max_tokens": 7, "pad_to_max_tokens": True}):
        ours, theirs = both(**options)
        assert ours.get_vocabulary() == words(theirs.get_vocabulary())
        x = ["earth, wind and earth", "water"]
        np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-6)
        with pytest.raises(ValueError, match="cannot learn a vocabulary, as it was given one"):
            ours.adapt(["a"])


def test_functions_of_the_user():
    """Which get NumPy's strings, and may give other libraries'."""
    import tensorflow as tf

    def standard(texts):
        return tf.strings.regex_replace(tf.strings.lower(texts), "<br />", " ")

    def plain(texts):
        assert texts.dtype.kind == "U"
        return np.char.replace(np.char.lower(texts), "<br />", " ")

    def commas(texts):
        return [str(text).split(",") for text in texts]

    texts = ["One<br />two,three", "two,One"]
    for split in "whitespace", commas, lambda texts: tf.strings.split(texts, ","):
        results = []
        for standardize in standard, plain:
            layer = TextVectorization(standardize=standardize, split=split)
            layer.adapt(texts)
            results.append((layer.get_vocabulary(), layer(texts).tolist(), layer([["two"]]).tolist()))
        assert results[0] == results[1]
    assert "one two" in results[0][0]
    with pytest.raises(ValueError, match=r"split: its result: expected a list of tokens for each of 2 texts, got 1"):
        TextVectorization(split=lambda texts: [["a"]]).adapt(texts)
    with pytest.raises(ValueError, match=r"standardize: its result: expected texts of shape \(2, 1\), got \(2,\)"):
        TextVectorization(standardize=lambda texts: texts[:, 0]).adapt(texts)


def test_the_encoding_is_that_of_bytes():
    layer = TextVectorization(encoding="latin-1")
    layer.adapt(np.array(["é".encode("latin-1")], object))
    assert layer.get_vocabulary() == ["", "[UNK]", "é"]
    layer = TextVectorization()
    layer.adapt(np.array(["é".encode("latin-1")], object))
    with pytest.raises(ValueError, match="encoding: expected the one of the strings, got 'utf-8'"):
        layer.get_vocabulary()


def test_ragged_gives_lists():
    options = {"ragged": True, "output_sequence_length": 4, "vocabulary": ["a", "b"]}
    ours, theirs = TextVectorization(**options), keras.layers.TextVectorization(vocabulary=["a", "b"])
    expected = [row[:length] for row, length in zip(np.asarray(theirs(["a b b b b b", "a", ""])).tolist(), (4, 1, 0))]
    assert ours(["a b b b b b", "a", ""]) == expected
    assert ours("a b") == [2, 3]
    with pytest.raises(ValueError, match="ragged: expected False within a model"):
        ours(fastrnn.Input((), dtype="string"))


@pytest.mark.parametrize(("options", "message"), [
    ({"standardize": "upper"}, r"standardize: expected 'lower_and_strip_punctuation', .* got 'upper'"),
    ({"split": "words"}, r"split: expected 'whitespace', 'character', None or a function, got 'words'"),
    ({"output_mode": "one_hot"}, r"output_mode: expected 'int', .* got 'one_hot'"),
    ({"ngrams": 0}, "ngrams: expected None"), ({"ngrams": "two"}, "ngrams: expected None"),
    ({"ngrams": (1, -1)}, "ngrams: expected None"),
    ({"output_sequence_length": 0}, "output_sequence_length: expected a positive whole number"),
    ({"output_mode": "count", "output_sequence_length": 3}, "output_sequence_length: expected None"),
    ({"output_mode": "count", "ragged": True}, "ragged: expected False"),
    ({"sparse": True, "output_mode": "count"}, "sparse: expected False"),
    ({"max_tokens": 1}, "max_tokens: expected more than 1"),
    ({"pad_to_max_tokens": True, "output_mode": "count"}, "pad_to_max_tokens: needs max_tokens"),
    ({"vocabulary": ["a", "a"]}, "expected each value once, got \\['a'\\] more often"),
    ({"vocabulary": ["a", ""]}, "expected the mask_token '' at the beginning alone"),
    ({"vocabulary": []}, "expected at least one value"), ({"vocabulary": [1]}, "vocabulary: expected strings, got 1"),
    ({"vocabulary": ["a", "b"], "max_tokens": 3}, "expected at most max_tokens=3 values"),
    ({"vocabulary": ["a"], "output_mode": "tf_idf"}, "idf_weights: expected those of the vocabulary"),
    ({"vocabulary": ["a"], "idf_weights": [1.0]}, "idf_weights: need output_mode='tf_idf'"),
    ({"vocabulary": ["a"], "idf_weights": [1, 2], "output_mode": "tf_idf"}, "expected as many as the vocabulary has"),
])  # fmt: skip
def test_arguments_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        TextVectorization(**options)


def test_unknown_arguments_name_the_nearest():
    with pytest.raises(TypeError, match="unknown keyword 'max_token' .did you mean 'max_tokens'"):
        TextVectorization(max_token=3)
    with pytest.raises(FileNotFoundError):
        TextVectorization(vocabulary="no such file")


@pytest.mark.parametrize(("x", "message"), [
    ([1, 2], "input: expected strings, got 1, which is a int"),
    (np.ones(3), r"input: expected strings, got numbers \(dtype float64\)"),
    (["a", None], "got None, which is a NoneType; fill in the missing ones"),
    ([["a"], ["b", "c"]], "got a ragged sequence"), ([["a", "b"]], r"expected texts \(batch,\) or \(batch, 1\)"),
    ({"a": "b"}, "got a dictionary"),
], ids=str)  # fmt: skip
def test_what_is_no_text(x, message):
    with pytest.raises(ValueError, match=f"TextVectorization '.*'.*{message}"):
        TextVectorization(vocabulary=["a"])(x)


def test_vectors_need_a_vocabulary():
    with pytest.raises(ValueError, match="has no vocabulary; call adapt, or give one as vocabulary"):
        TextVectorization(output_mode="count")(["a"])
    layer = TextVectorization(output_mode="count")
    layer.adapt(["a b"])
    with pytest.raises(RuntimeError, match="the vocabulary has 3 values, which the width of the output is, and cannot"):
        layer.adapt(["a b c"])
    assert layer.get_vocabulary() == ["[UNK]", "b", "a"]
    with pytest.raises(TypeError, match="adapt: expected an array, a list or batches of them, got a str"):
        TextVectorization().adapt("a b")


def test_copies():
    layer = TextVectorization(output_mode="tf_idf")
    layer.adapt(TEXTS)
    for other in (pickle.loads(pickle.dumps(layer)), fastrnn.layers.deserialize(fastrnn.layers.serialize(layer)),
                  TextVectorization.from_config(layer.get_config())):
        np.testing.assert_array_equal(other(TEXTS), layer(TEXTS))
        assert other.get_vocabulary() == layer.get_vocabulary()
        other.adapt(TEXTS)


def test_within_a_pipeline_of_tensorflow():
    import tensorflow as tf

    layer = TextVectorization(output_sequence_length=5)
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, range(len(TEXTS)))).batch(4)
    layer.adapt(dataset.map(lambda text, label: text))
    mapped = dataset.map(lambda text, label: (layer(tf.expand_dims(text, -1)), label))
    assert mapped.element_spec[0].shape.as_list() == [None, 5] and mapped.element_spec[0].dtype == tf.int64
    found = np.concatenate([x.numpy() for x, _ in mapped])
    np.testing.assert_array_equal(found, layer(TEXTS))
    singly = tf.data.Dataset.from_tensor_slices(TEXTS).map(layer)
    np.testing.assert_array_equal(next(iter(singly)).numpy(), layer(TEXTS[0]))
