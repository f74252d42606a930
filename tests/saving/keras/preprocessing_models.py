# SPDX-License-Identifier: Apache-2.0
"""Models that take strings, in any library with Keras's API; as a program, Keras's part on TensorFlow, on which alone
its models take strings: `python preprocessing_models.py make|use folder`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

TEXTS = ["the cat sat on the mat", "a dog! and a cat", "nothing here", "the end, of it", "É é naïve cat", ""]
WORDS = [["a", "b"], ["b", "zz"], ["c", "a"], ["é", "a"], ["a", "a"], ["q", "c"]]
NUMBERS = np.random.default_rng(0).standard_normal((6, 3)).astype("float32") * [1, 10, 0.1] + [0, 5, 2]
WHOLE = np.array([[3, 9], [7, 7], [9, 3], [1, 3], [2, 2], [9, 9]])


def _classifier(library: Any, shape: tuple[int, ...] = (1,), given: bool = False) -> Any:
    layers = library.layers
    vectors = layers.TextVectorization(max_tokens=12, output_sequence_length=5,
                                       vocabulary=["cat", "the", "a", "é"] if given else None)
    if not given:
        vectors.adapt(TEXTS)
    return library.Sequential([library.Input(shape, dtype="string"), vectors,
                               layers.Embedding(12, 4, mask_zero=True), layers.LSTM(3), layers.Dense(1)])


def _bag(library: Any, mode: str = "tf_idf") -> Any:
    layers = library.layers
    vectors = layers.TextVectorization(output_mode=mode, ngrams=2)
    vectors.adapt(TEXTS)
    x = library.Input((1,), dtype="string", name="text")
    vector = vectors(x)
    width = vectors.vocabulary_size()
    return library.Model(x, layers.Dense(2)(layers.Reshape((width,))(vector)))


def _features(library: Any) -> Any:
    layers = library.layers
    words, numbers = library.Input((2,), dtype="string", name="words"), library.Input((3,), name="numbers")
    whole = library.Input((2,), dtype="int64", name="whole")
    lookup, integers = layers.StringLookup(num_oov_indices=2), layers.IntegerLookup(mask_token=0, vocabulary=[9, 3])
    lookup.adapt(np.array(WORDS))
    normal, ranges = layers.Normalization(), layers.Discretization(num_bins=4, output_mode="count")
    normal.adapt(NUMBERS)
    ranges.adapt(NUMBERS)
    weighted = layers.StringLookup(output_mode="tf_idf", max_tokens=9, vocabulary=["a", "b"], idf_weights=[0.5, 2.0],
                                   pad_to_max_tokens=True)
    parts = [layers.Flatten()(layers.Embedding(8, 2)(lookup(words))), normal(numbers), ranges(numbers),
             layers.Rescaling(0.1, 1.0)(numbers), layers.CategoryEncoding(6)(integers(whole)), weighted(words)]
    return library.Model([words, numbers, whole], layers.Dense(2)(layers.Concatenate()(parts)))


def _back(library: Any) -> Any:
    layers = library.layers
    x = library.Input((2,), dtype="int64")
    return library.Model(x, layers.IntegerLookup(vocabulary=[30, 20, 10], invert=True)(x))


MODELS = {"column": _classifier, "line": lambda library: _classifier(library, ()),
          "given": lambda library: _classifier(library, given=True), "tf_idf": _bag,
          "count": lambda library: _bag(library, "count"), "features": _features, "back": _back}


def inputs(name: str) -> Any:
    """What a model takes."""
    if name == "features":
        return {"words": np.array(WORDS, object), "numbers": NUMBERS, "whole": WHOLE}
    if name == "back":
        return WHOLE % 4
    return np.array(TEXTS, object)[:, None] if name != "line" else np.array(TEXTS, object)


def make(library: Any, name: str) -> Any:
    """The model, with the same weights in every library."""
    model = MODELS[name](library)
    rng = np.random.default_rng(len(name))
    kept = {"normalization"}        # learned
    for layer in model.layers:
        if layer.weights and not any(layer.name.startswith(one) for one in kept):
            layer.set_weights([rng.uniform(-0.6, 0.6, w.shape).astype("float32") for w in layer.get_weights()])
    return model


def main(task: str, folder: Path) -> None:
    """make: save Keras's models. use: predict with those that fastrnn saved."""
    import keras
    import tensorflow as tf

    def predict(model: Any, name: str) -> np.ndarray:
        given = inputs(name)

        def tensor(x: Any) -> Any:
            return tf.constant(x.tolist()) if x.dtype == object else tf.constant(x)

        x = {key: tensor(one) for key, one in given.items()} if isinstance(given, dict) else tensor(given)
        return np.asarray(model(x))

    found = {}
    if task == "make":
        for name in MODELS:
            model = make(keras, name)
            model.save(folder / f"{name}.keras")
            found[name] = predict(model, name)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Normalization(), keras.layers.Dense(2)])
        model.layers[0].adapt(NUMBERS)
        model.save(folder / "normal.h5")
        found["normal"] = np.asarray(model(NUMBERS))
    else:
        for path in sorted(folder.glob("*.keras")):
            found[path.stem] = predict(keras.models.load_model(path), path.stem.split("-")[0])
        for path in folder.glob("normal-*.h5"):
            found[path.stem] = np.asarray(keras.models.load_model(path)(NUMBERS))
    np.savez(folder / f"{task}.npz", **found)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
