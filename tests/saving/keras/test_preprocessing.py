# SPDX-License-Identifier: Apache-2.0
"""Models of layers that prepare data, from Keras's files and to them."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import fastrnn
from tests.saving.keras import preprocessing_models as zoo


def on_tensorflow(task, folder):
    """Run Keras's part; what its models predict."""
    run = subprocess.run([sys.executable, zoo.__file__, task, str(folder)], capture_output=True, text=True,
                         env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"})  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return dict(np.load(folder / f"{task}.npz"))


@pytest.fixture(scope="module")
def keras_made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras")
    return folder, on_tensorflow("make", folder)


def predicted(model, name):
    return model.predict(zoo.inputs(name), verbose=0)


@pytest.mark.parametrize("name", zoo.MODELS)
def test_keras_files_are_read(keras_made, name):
    folder, expected = keras_made
    model = fastrnn.models.load_model(folder / f"{name}.keras")
    np.testing.assert_allclose(predicted(model, name), expected[name], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(predicted(zoo.make(fastrnn, name), name), expected[name], rtol=1e-5, atol=1e-5)


def test_keras_reads_what_it_is_given(keras_made, tmp_path):
    """Models that fastrnn made, and those that it read from Keras's files."""
    folder, expected = keras_made
    for name in zoo.MODELS:
        zoo.make(fastrnn, name).save(tmp_path / f"{name}-own.keras")
        fastrnn.models.load_model(folder / f"{name}.keras").save(tmp_path / f"{name}-again.keras")
    read = fastrnn.models.load_model(folder / "normal.h5")
    np.testing.assert_allclose(read.predict(zoo.NUMBERS, verbose=0), expected["normal"], rtol=1e-5, atol=1e-5)
    read.save(tmp_path / "normal-again.h5")
    found = on_tensorflow("use", tmp_path)
    assert len(found) == 2 * len(zoo.MODELS) + 1
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name.split("-")[0]], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", zoo.MODELS)
@pytest.mark.parametrize("suffix", [".keras", ".safetensors", ".h5"])
def test_round_trips(name, suffix, tmp_path):
    model = zoo.make(fastrnn, name)
    model.save(tmp_path / f"model{suffix}")
    again = fastrnn.models.load_model(tmp_path / f"model{suffix}")
    np.testing.assert_array_equal(predicted(again, name), predicted(model, name))
    for one, other in zip(model.layers, again.layers, strict=True):
        if hasattr(one, "get_vocabulary"):
            assert one.get_vocabulary() == other.get_vocabulary()


def changed(source, target, place, content):
    """A copy of an archive with another member."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        assert place in old.namelist()
        for member in old.namelist():
            new.writestr(member, content if member == place else old.read(member))
    return target


@pytest.mark.parametrize(("content", "message"), [
    (b"\xff\xfe", "expected a text in UTF-8"), (b"a\na\n", "expected each value once"),
    (b"[UNK]\na\nb", "the vocabulary has 31 values|vocabulary has .* values"), (b"", "expected at least one value"),
])  # fmt: skip
def test_vocabularies_that_do_not_fit(keras_made, tmp_path, content, message):
    place = "assets/layers/text_vectorization/vocabulary.txt"
    path = changed(keras_made[0] / "count.keras", tmp_path / "bad.keras", place, content)
    with pytest.raises(fastrnn.saving.ModelFileError, match=message):
        fastrnn.models.load_model(path)


def test_functions_are_the_callers(tmp_path):
    def shout(texts):
        return np.char.upper(texts)

    layer = fastrnn.layers.TextVectorization(standardize=shout)
    layer.adapt(zoo.TEXTS)
    model = fastrnn.Sequential([fastrnn.Input((), dtype="string"), layer, fastrnn.layers.Embedding(40, 2)])
    for suffix in ".keras", ".safetensors":
        model.save(tmp_path / f"model{suffix}")
        again = fastrnn.models.load_model(tmp_path / f"model{suffix}", custom_objects={"shout": shout})
        np.testing.assert_array_equal(again.predict(zoo.TEXTS, verbose=0), model.predict(zoo.TEXTS, verbose=0))
        with pytest.raises(fastrnn.saving.ModelFileError, match="is a function 'shout', which is not among"):
            fastrnn.models.load_model(tmp_path / f"model{suffix}")


def test_no_file_is_read_by_a_name_in_a_configuration(tmp_path):
    (tmp_path / "words.txt").write_text("secret\n")
    layer = fastrnn.layers.StringLookup(vocabulary=["a"])
    config = fastrnn.layers.serialize(layer)
    config["config"]["vocabulary"] = str(tmp_path / "words.txt")
    with pytest.raises(ValueError, match="got the name of a file, which is not read"):
        fastrnn.layers.deserialize(config)


def test_a_vocabulary_too_long_for_a_file_is_refused_when_it_is_saved(tmp_path):
    layer = fastrnn.layers.StringLookup(vocabulary=[f"word number {i}" for i in range(130_000)])
    model = fastrnn.Sequential([fastrnn.Input((1,), dtype="string"), layer])
    for suffix in ".keras", ".safetensors":
        with pytest.raises(ValueError, match="at most 2097152 can be read again; limit vocabularies by max_tokens"):
            model.save(tmp_path / f"model{suffix}")
