# SPDX-License-Identifier: Apache-2.0
"""The data sets of Keras, from files of their layout that these tests write and serve."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import json
import pickle
import tarfile
import zipfile

import keras
import numpy as np
import pytest

from fastrnn import datasets
from fastrnn.datasets import files


@pytest.fixture
def origin(tmp_path, monkeypatch):
    """Where the test puts files in the place of Keras's; both packages are told their hashes."""
    folder = tmp_path / "origin"
    folder.mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(files, "ORIGIN", folder.as_uri() + "/")
    monkeypatch.setattr(files, "CIFAR", folder.as_uri() + "/")

    def put(name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        if name in files.HASHES:
            kind = "md5" if len(files.HASHES[name]) == 32 else "sha256"
            monkeypatch.setitem(files.HASHES, name, hashlib.new(kind, content).hexdigest())

        def local(fname=None, origin=None, **kwargs):
            kwargs.pop("file_hash", None)
            return keras.utils.get_file(fname, f"{folder.as_uri()}/{origin.rpartition('/')[2]}",
                                        cache_dir=str(tmp_path / "keras"), **kwargs)

        (tmp_path / "keras").mkdir(exist_ok=True)
        for module in datasets.__all__:
            monkeypatch.setattr(importlib.import_module(f"keras.src.datasets.{module}"), "get_file", local)

    return put


def npz(**arrays) -> bytes:
    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()


def ragged(rng, count):
    texts = np.empty(count, object)
    texts[:] = [rng.integers(1, 90, rng.integers(2, 12)).tolist() for _ in range(count)]
    return texts


def equal(ours, theirs):
    for (x, y), (their_x, their_y) in zip(ours, theirs, strict=True):
        assert x.dtype == their_x.dtype and x.shape == their_x.shape
        assert x.tolist() == their_x.tolist() and np.asarray(y).tolist() == np.asarray(their_y).tolist()
        assert y.shape == np.shape(their_y)


OPTIONS = [{}, {"num_words": 50}, {"skip_top": 5, "num_words": 60, "oov_char": None}, {"maxlen": 8, "seed": 3},
           {"start_char": None, "index_from": 0}, {"start_char": None, "index_from": 7, "oov_char": 4, "num_words": 30}]


@pytest.mark.parametrize("options", OPTIONS)
def test_imdb(origin, rng, options):
    origin("imdb.npz", npz(x_train=ragged(rng, 40), y_train=rng.integers(0, 2, 40), x_test=ragged(rng, 20),
                           y_test=rng.integers(0, 2, 20)))
    equal(datasets.imdb.load_data(**options), keras.datasets.imdb.load_data(**options))


@pytest.mark.parametrize("options", [*OPTIONS, {"test_split": 0.5}])
def test_reuters(origin, rng, options):
    origin("reuters.npz", npz(x=ragged(rng, 50), y=rng.integers(0, 46, 50)))
    equal(datasets.reuters.load_data(**options), keras.datasets.reuters.load_data(**options))


def test_words_and_topics(origin):
    for name in ("imdb", "reuters"):
        words = {"the": 1, "tyger": 2, "naïve": 3}
        origin(f"{name}_word_index.json", json.dumps(words, ensure_ascii=False).encode())
        assert getattr(datasets, name).get_word_index() == words
    assert datasets.reuters.get_label_names() == keras.datasets.reuters.get_label_names()


def test_no_short_text(origin, rng):
    origin("reuters.npz", npz(x=ragged(rng, 5), y=np.zeros(5, int)))
    with pytest.raises(ValueError, match="no text is shorter than maxlen=1"):
        datasets.reuters.load_data(maxlen=1)
    assert datasets.reuters.load_data(nb_words=50)[0][0].shape == (4,)
    with pytest.raises(TypeError, match=r"unknown keyword 'num_word' .did you mean 'num_words'"):
        datasets.reuters.load_data(num_word=50)


def test_mnist(origin, rng):
    arrays = {"x_train": rng.integers(0, 256, (6, 28, 28), "uint8"), "y_train": rng.integers(0, 10, 6, "uint8"),
              "x_test": rng.integers(0, 256, (2, 28, 28), "uint8"), "y_test": rng.integers(0, 10, 2, "uint8")}
    origin("mnist.npz", npz(**arrays))
    equal(datasets.mnist.load_data(), keras.datasets.mnist.load_data())


def test_fashion_mnist(origin, rng):
    for part, count in (("train", 6), ("t10k", 2)):
        origin(f"{part}-labels-idx1-ubyte.gz", gzip.compress(bytes(8) + bytes(range(count))))
        origin(f"{part}-images-idx3-ubyte.gz", gzip.compress(bytes(16) + rng.bytes(count * 784)))
    equal(datasets.fashion_mnist.load_data(), keras.datasets.fashion_mnist.load_data())


def cifar(rng, folder, members, labels) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, count in members.items():
            content = {b"data": rng.integers(0, 256, (count, 3072), "uint8"),
                       **{label: rng.integers(0, 10, count).tolist() for label in labels}, b"batch_label": b"of a test"}
            data = pickle.dumps(content, protocol=3)
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def test_cifar10(origin, rng):
    members = {**{f"data_batch_{i}": 3 for i in range(1, 6)}, "test_batch": 4}
    origin("cifar-10-python.tar.gz", cifar(rng, "cifar-10-batches-py", members, [b"labels"]))
    (x, y), (x_test, y_test) = datasets.cifar10.load_data()
    assert [part.shape for part in (x, y, x_test, y_test)] == [(15, 32, 32, 3), (15, 1), (4, 32, 32, 3), (4, 1)]
    assert x.dtype == y.dtype == np.uint8


@pytest.mark.parametrize("mode", ["fine", "coarse"])
def test_cifar100(origin, rng, mode):
    origin("cifar-100-python.tar.gz", cifar(rng, "cifar-100-python", {"train": 5, "test": 3},
                                            [b"fine_labels", b"coarse_labels"]))
    ours, theirs = datasets.cifar100.load_data(mode), keras.datasets.cifar100.load_data(mode)
    for (x, y), (their_x, their_y) in zip(ours, theirs):
        np.testing.assert_array_equal(x, their_x)
        np.testing.assert_array_equal(y, their_y)
    with pytest.raises(ValueError, match="expected label_mode 'fine' or 'coarse', got 'rough'"):
        datasets.cifar100.load_data("rough")


@pytest.mark.parametrize("name", ["boston_housing", "california_housing"])
@pytest.mark.parametrize("options", [{}, {"test_split": 0.0}, {"test_split": 0.33, "seed": 5}])
def test_houses(origin, rng, name, options):
    origin(f"{name}.npz", npz(x=rng.standard_normal((700, 8)), y=rng.standard_normal(700)))
    ours, theirs = getattr(datasets, name), getattr(keras.datasets, name)
    equal(ours.load_data(**options), theirs.load_data(**options))
    with pytest.raises(ValueError, match="expected test_split from 0 to below 1, got 1"):
        ours.load_data(test_split=1)


def test_districts(origin, rng):
    origin("california_housing.npz", npz(x=rng.standard_normal((700, 8)), y=rng.standard_normal(700)))
    equal(datasets.california_housing.load_data("small"), keras.datasets.california_housing.load_data("small"))
    with pytest.raises(ValueError, match="expected version 'large' or 'small', got 'tiny'"):
        datasets.california_housing.load_data("tiny")


def test_a_changed_file_is_refused(origin, tmp_path):
    origin("mnist.npz", npz(x=np.zeros(3)))
    (tmp_path / "origin" / "mnist.npz").write_bytes(b"changed")
    with pytest.raises(ValueError, match="to have the hash"):
        datasets.mnist.load_data()


class Evil:
    def __reduce__(self):
        return eval, ("1 + 1",)


@pytest.mark.parametrize("thing", [Evil(), [Evil()], {"a": np.array([Evil()], object)}])
def test_nothing_in_a_file_is_run(origin, thing, tmp_path):
    texts = np.empty(1, object)
    texts[0] = thing
    origin("reuters.npz", npz(x=texts, y=np.zeros(1)))
    with pytest.raises(pickle.UnpicklingError, match="expected arrays alone in the file of a data set, got builtin"):
        datasets.reuters.load_data()


def test_a_pickle_of_something_else(origin, tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    path = tmp_path / "odd.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + pickle.dumps([1]))
    with pytest.raises(pickle.UnpicklingError, match="expected an array in the file of a data set, got list"):
        files.read_npz(str(path))


def test_hashes_and_places_are_keras(monkeypatch, tmp_path):
    """What both ask for, by every loader."""
    asked = {"ours": [], "theirs": []}

    def asks(who, error=KeyError):
        def get_file(fname=None, origin=None, file_hash=None, extract=False, cache_subdir="datasets", **_):
            asked[who].append((fname, origin, file_hash, extract, cache_subdir))
            raise error
        return get_file

    monkeypatch.setattr(files, "get_file", asks("ours"))
    for name in datasets.__all__:
        theirs = importlib.import_module(f"keras.src.datasets.{name}")
        monkeypatch.setattr(theirs, "get_file", asks("theirs"))
        for module in (getattr(datasets, name), theirs):
            for call in ("load_data", "get_word_index"):
                if hasattr(module, call):
                    with pytest.raises(KeyError):
                        getattr(module, call)()
    order = sorted(set(asked["theirs"]), key=str)
    ours = sorted(set(asked["ours"]), key=str)
    assert len(order) == 10 and order == ours


def test_names():
    assert set(datasets.__all__) == {name for name in dir(keras.datasets) if not name.startswith("_")}
