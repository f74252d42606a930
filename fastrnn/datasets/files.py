# SPDX-License-Identifier: Apache-2.0
"""The files of data sets: where they are, their hashes, and how they are read without running what is in them."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import IO, Any

import numpy as np

from fastrnn.utils.files import get_file

Pair = tuple[np.ndarray, np.ndarray]

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
CIFAR = "https://www.cs.toronto.edu/~kriz/"
HASHES = {
    "boston_housing.npz": "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    "california_housing.npz": "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    "cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-100-python.tar.gz": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    "imdb.npz": "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    "imdb_word_index.json": "bfafd718b763782e994055a2d397834f",
    "mnist.npz": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    "reuters.npz": "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    "reuters_word_index.json": "4d44cc38712099c9e383dc6e5f11a921",
}

#: All that an array is made of in a pickle.
_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_OF_ARRAYS = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype,
              ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
              ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT}


def fetch(name: str, path: str | None = None, **options: Any) -> str:
    """The path of a file of a data set, downloaded if it is not there.

    Args:
        name: in the folder of its origin.
        path: what to call it.
        options: of `get_file`.
    """
    origin = CIFAR if name.startswith("cifar") else ORIGIN
    return get_file(path or name, origin + name, file_hash=HASHES.get(name), **options)


class ArraysAlone(pickle.Unpickler):
    """Reads a pickle of arrays and plain values, and refuses all else that a pickle could name."""

    def find_class(self, module: str, name: str) -> Any:
        """One of the few things that arrays are made of."""
        found = _OF_ARRAYS.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"expected arrays alone in the file of a data set, got {module}.{name}; the "
                                         "file was changed, or damaged")
        return found


def read_npz(path: str) -> dict[str, np.ndarray]:
    """The arrays of a file of NumPy's, those of sequences of unequal length among them."""
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): _read_npy(io.BytesIO(archive.read(name))) for name in archive.namelist()}


def _read_npy(file: IO[bytes]) -> np.ndarray:
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    dtype = read_header(file)[2]
    if dtype.hasobject:                 # what follows is a pickle
        array = ArraysAlone(file).load()
        if not isinstance(array, np.ndarray):
            raise pickle.UnpicklingError("expected an array in the file of a data set, got "
                                         f"{type(array).__name__}; the file was changed, or damaged")
        return array
    file.seek(0)
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def shuffled(random: int | np.random.RandomState, *parts: np.ndarray) -> list[np.ndarray]:
    """Arrays in one random order, which is Keras's; by a seed, or what one has made."""
    order = np.arange(len(parts[0]))
    (random if isinstance(random, np.random.RandomState) else np.random.RandomState(random)).shuffle(order)
    return [part[order] for part in parts]


def split(x: np.ndarray, y: np.ndarray, test_split: float) -> tuple[Pair, Pair]:
    """The first samples for training, the last ones, a fraction of all, for the test.

    Raises:
        ValueError: `test_split` is no such fraction.
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"load_data: expected test_split from 0 to below 1, got {test_split}")
    first = int(len(x) * (1 - test_split))
    return (x[:first], y[:first]), (x[first:], y[first:])
