# SPDX-License-Identifier: Apache-2.0
"""StringLookup and IntegerLookup against Keras's."""

from __future__ import annotations

import pickle

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import IntegerLookup, StringLookup

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
STRINGS = [["b", "a", "b"], ["z", "é", "a"], ["", "a", "zz"]]
NUMBERS = [[12, 36, 12], [1138, 42, -7], [0, 12, 42]]
OPTIONS = {"default": {}, "mask": {"mask": True}, "three unknown": {"num_oov_indices": 3},
           "none unknown": {"num_oov_indices": 0}, "limited": {"max_tokens": 4},
           "padded": {"max_tokens": 12, "pad_to_max_tokens": True}}


def both(kind, options):
    options = dict(options)
    if options.pop("mask", False):
        options["mask_token"] = "" if kind == "StringLookup" else 0
    return getattr(fastrnn.layers, kind)(**options), getattr(keras.layers, kind)(**options)


def plain(vocabulary):
    return [str(one) if isinstance(one, str) else int(one) for one in vocabulary]


@pytest.mark.parametrize("kind", ["StringLookup", "IntegerLookup"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OPTIONS)
def test_is_keras(kind, mode, name):
    options = {**OPTIONS[name], "output_mode": mode}
    if mode == "int":
        options.pop("pad_to_max_tokens", None)
    data = STRINGS if kind == "StringLookup" else NUMBERS
    ours, theirs = both(kind, options)
    for layer in ours, theirs:
        layer.adapt(np.array(data))
    for special in True, False:
        assert ours.get_vocabulary(special) == plain(theirs.get_vocabulary(special))
    assert ours.vocabulary_size() == theirs.vocabulary_size()
    known = data if name == "none unknown" else [[*row, unknown] for row, unknown in zip(
        data, ("qqq", "a longer string", "w") if kind == "StringLookup" else (5, -8, 10**12))]
    for x in (known, known[0], [[one] for one in known[0]], [known, known], known[0][0]):
        if mode in ("multi_hot", "count", "tf_idf") and name == "mask" and np.ndim(x) == 3:
            continue                    # Keras's one_hot fails on the number that stands for a mask
        expected, got = np.asarray(theirs(np.array(x))), ours(x)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        assert got.dtype == ("float32" if mode == "tf_idf" else "int64")


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 257])
def test_unknown_strings_are_hashed_as_tensorflow_does(length, rng):
    texts = [bytes(row).decode("latin-1") for row in rng.integers(1, 256, (4, length), dtype=np.uint8)]
    for salt in None, 7, [-3, 2**60 + 1]:
        options = {"vocabulary": ["known"], "num_oov_indices": 1_000_003, "salt": salt}
        np.testing.assert_array_equal(StringLookup(**options)(texts),
                                      np.asarray(keras.layers.StringLookup(**options)(np.array(texts, object))))


def test_numbers_can_be_hashed():
    options = {"vocabulary": [1], "num_oov_indices": 7, "oov_method": "farmhash"}
    x = np.arange(-20, 40).reshape(6, 10)
    for salt in None, [1, 2]:
        options["salt"] = salt
        np.testing.assert_array_equal(IntegerLookup(**options)(x), np.asarray(keras.layers.IntegerLookup(**options)(x)))


@pytest.mark.parametrize("options", [{}, {"mask_token": "[M]"}, {"num_oov_indices": 2}, {"num_oov_indices": 0}],
                         ids=str)  # fmt: skip
def test_back_to_strings(options):
    """Keras gives them on TensorFlow alone: bytes, of these values."""
    layer = StringLookup(vocabulary=["a", "b"], invert=True, **options)
    special = layer.get_vocabulary()[:layer.token_start]
    assert layer.get_vocabulary() == [*special, "a", "b"]
    found = layer([[*range(layer.vocabulary_size()), 99, -1]])
    assert found.tolist() == [[*special, "a", "b", "[UNK]", "[UNK]"]] and found.dtype.kind == "U"
    forward = StringLookup(vocabulary=layer.get_vocabulary(), **options)
    assert layer(forward(["b", "a"])).tolist() == ["b", "a"]


def test_back_to_numbers():
    for options in {}, {"mask_token": 0}, {"num_oov_indices": 2}:
        ours, theirs = both("IntegerLookup", {"vocabulary": [12, 36], "invert": True, **options})
        x = [[0, 1, 2], [3, 4, 99]]
        np.testing.assert_array_equal(ours(x), np.asarray(theirs(np.array(x))))


def test_adapts_on_batches():
    import tensorflow as tf

    for mode in "int", "tf_idf":
        dataset = tf.data.Dataset.from_tensor_slices(STRINGS).batch(2)
        ragged = [["a", "b"], ["c"]]
        for data in dataset, (np.array(row) for row in STRINGS), [tf.ragged.constant(ragged)].__iter__():
            ours, theirs = both("StringLookup", {"output_mode": mode})
            data, again = (data, data) if data is dataset else (lambda kept: (kept, kept))(list(data))
            ours.adapt(iter(data))
            theirs.adapt(iter(again))
            assert ours.get_vocabulary() == plain(theirs.get_vocabulary())
            if mode == "tf_idf":
                np.testing.assert_allclose(ours.idf_weights, theirs.idf_weights_const, rtol=1e-6)
    limited = StringLookup()
    limited.adapt(dataset.repeat(), steps=1)
    assert set(limited.get_vocabulary()) == {"[UNK]", "a", "b", "z", "é"}


def test_vocabularies_of_other_libraries():
    import tensorflow as tf

    for given in tf.constant(["[UNK]", "a", "b"]), np.array([b"[UNK]", b"a", b"b"]), np.array(["a", "b"], object):
        assert StringLookup(vocabulary=given).get_vocabulary() == ["[UNK]", "a", "b"]
    assert IntegerLookup(vocabulary=tf.constant([-1, 5, 3])).get_vocabulary() == [-1, 5, 3]
    with pytest.raises(ValueError, match=r"it is a ragged tensor; pass x.to_tensor\(\)"):
        StringLookup(vocabulary=["a"])(tf.ragged.constant([["a"], ["b", "c"]]))


def test_vocabularies_of_files(tmp_path):
    strings, numbers = tmp_path / "strings.txt", tmp_path / "numbers.txt"
    strings.write_text("a b\n[UNK]\nc\n", encoding="utf-8")
    numbers.write_text("12\n-3\n")
    for kind, name, x in ("StringLookup", strings, ["c", "a b", "q"]), ("IntegerLookup", numbers, [-3, 12, 5]):
        ours, theirs = both(kind, {"vocabulary": str(name)})
        assert ours.get_vocabulary() == plain(theirs.get_vocabulary())
        np.testing.assert_array_equal(ours(x), np.asarray(theirs(np.array(x))))
        with pytest.raises(ValueError, match="got the name of a file, which is not read"):
            type(ours).from_config({"vocabulary": str(name)})
    with pytest.raises(ValueError, match="expected a whole number in each line"):
        IntegerLookup(vocabulary=str(strings))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: StringLookup(num_oov_indices=-1), "num_oov_indices: expected a whole number, 0 or more"),
    (lambda: StringLookup(invert=True, output_mode="count"), "output_mode: expected 'int', as invert is True"),
    (lambda: StringLookup(salt="a"), "salt: expected a whole number, two of them or None"),
    (lambda: IntegerLookup(salt=3), "salt: expected None, as oov_method is 'floormod'"),
    (lambda: IntegerLookup(vocabulary_dtype="int32"), "vocabulary_dtype: expected 'int64'"),
    (lambda: IntegerLookup(oov_method="md5"), "oov_method: expected 'floormod' or 'farmhash'"),
    (lambda: IntegerLookup(vocabulary=[1.5]), "vocabulary: expected whole numbers, got 1.5"),
    (lambda: IntegerLookup(vocabulary=["a"]), "vocabulary: expected numbers"),
    (lambda: StringLookup(vocabulary=["a", "[UNK]"], invert=True), "expected the oov_token '\\[UNK\\]' at the beginn"),
    (lambda: StringLookup(vocabulary=["a"], num_oov_indices=0)(["a", "b"]), "num_oov_indices is 0, got \\['b'\\]"),
    (lambda: StringLookup()(["a"]), "has no vocabulary; call adapt"),
    (lambda: StringLookup(vocabulary=["a"])([1.0]), "expected strings, got 1.0, which is a float"),
    (lambda: IntegerLookup(vocabulary=[1])([0.5]), "expected whole numbers, got 0.5"),
    (lambda: IntegerLookup(vocabulary=[1])([np.nan]), "expected whole numbers, got nan"),
    (lambda: IntegerLookup(vocabulary=[1])(["a"]), "expected numbers, got an array of strings"),
    (lambda: StringLookup(vocabulary=["a"], output_mode="tf_idf", idf_weights=[[1.0]]), "got shape \\(1, 1\\)"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [StringLookup, lambda: IntegerLookup(output_mode="tf_idf", mask_token=np.int64(0))])
def test_copies(make):
    layer = make()
    data = np.array(STRINGS if isinstance(layer, StringLookup) else NUMBERS)
    layer.adapt(data)
    for other in (pickle.loads(pickle.dumps(layer)), type(layer).from_config(layer.get_config()),
                  fastrnn.layers.deserialize(fastrnn.layers.serialize(layer))):
        np.testing.assert_array_equal(other(data), layer(data))
        other.adapt(data)
        assert other.get_vocabulary() == layer.get_vocabulary()
