# SPDX-License-Identifier: Apache-2.0
"""text_dataset_from_directory: texts in files, their classes in the names of folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastrnn.utils.dataset import Array, Dataset

_WHO = "text_dataset_from_directory"


def text_dataset_from_directory(directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
                                class_names: Sequence[str] | None = None, batch_size: int | None = 32,
                                max_length: int | None = None, shuffle: bool = True, seed: int | None = None,
                                validation_split: float | None = None, subset: str | None = None,
                                follow_links: bool = False, format: str = "tf", verbose: bool = True) -> Any:
    """Batches of texts from the `.txt` files below a folder, and of their labels.

    Args:
        directory: with a folder for each class, where labels are inferred.
        labels: "inferred" numbers the folders in alphabetical order; a list has a whole number for each file, sorted by
            path; None gives texts alone.
        label_mode: "int" gives labels int32 `(batch,)`, "binary" float32 `(batch, 1)`, "categorical" one-hot float32
            `(batch, classes)`, None none.
        class_names: the folders to read, in the order of their labels, where these are inferred.
        batch_size: texts in a batch; None gives them one by one.
        max_length: bytes of a file that are read, None for all.
        shuffle: texts in random order, another one each time; else sorted by path.
        seed: of that order, and of what is split off.
        validation_split: fraction of the files for validation.
        subset: "training", "validation", or "both" for a list of two datasets, where there is a `validation_split`.
        follow_links: read folders that symbolic links name.
        format: "tf" or "grain", without effect; what is given is a `Dataset`.
        verbose: print how many files there are.

    Returns:
        A `Dataset` of `(texts, labels)`, texts an array of strings `(batch,)`; its `class_names` has the classes.

    Raises:
        ValueError: an argument does not fit the files or the others, or there are none.
        OSError: there is no such folder.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name, text in (("bad/1.txt", "no"), ("good/1.txt", "yes"), ("good/2.txt", "oh yes")):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     _ = (folder / name).write_text(text)
    >>> data = text_dataset_from_directory(folder, shuffle=False)
    Found 3 files belonging to 2 classes.
    >>> [(texts.tolist(), labels.tolist()) for texts, labels in data], data.class_names
    ([(['no', 'yes', 'oh yes'], [0, 1, 1])], ['bad', 'good'])
    """
    _check(labels, label_mode, class_names, validation_split, subset, shuffle, seed, format)
    if labels is None or label_mode is None:
        labels, label_mode = None, None
    seed = int(np.random.randint(10**6)) if seed is None else seed
    paths, numbers, names = _files(os.fspath(directory), labels, class_names, follow_links)
    if not paths:
        raise ValueError(f"{_WHO}: found no .txt files in {os.fspath(directory)!r}")
    if label_mode == "binary" and len(names or ()) != 2:
        raise ValueError(f"{_WHO}: label_mode 'binary' is for 2 classes, got {len(names or ())}: {names}")
    if verbose:
        of = f" belonging to {len(names)} classes" if names is not None else ""
        print(f"Found {len(paths)} files{of}.")
    if shuffle:
        np.random.RandomState(seed).shuffle(paths)
        np.random.RandomState(seed).shuffle(numbers)
    targets = _targets(numbers, label_mode, len(names or ()))

    def dataset(part: slice, shuffled: bool) -> Dataset:
        some = paths[part]
        if not some:
            raise ValueError(f"{_WHO}: validation_split={validation_split} of {len(paths)} files leaves a subset empty")
        made = Dataset(_reader(some, None if targets is None else targets[part], batch_size, max_length,
                               seed if shuffled else None), -(-len(some) // (batch_size or 1)), batch_size)
        made.class_names = names
        return made

    if not validation_split:
        return dataset(slice(None), shuffle)
    first = len(paths) - int(validation_split * len(paths))
    parts = {"training": slice(first), "validation": slice(first, None)}
    if verbose:
        for name, part in parts.items():
            if subset in (name, "both"):
                print(f"Using {len(paths[part])} files for {name}.")
    if subset == "both":
        return [dataset(parts["training"], shuffle), dataset(parts["validation"], False)]
    return dataset(parts[str(subset)], shuffle)


def _check(labels: Any, label_mode: Any, class_names: Any, validation_split: Any, subset: Any, shuffle: bool, seed: Any,
           format: str) -> None:
    """Raise a ValueError if arguments are wrong, or do not fit each other."""
    if labels not in ("inferred", None) if isinstance(labels, str) or labels is None else \
            not isinstance(labels, (list, tuple, np.ndarray)):
        raise ValueError(f"{_WHO}: expected labels to be 'inferred', None or a list of whole numbers, got {labels!r}")
    if class_names and not (isinstance(labels, str) and labels == "inferred"):
        raise ValueError(f"{_WHO}: class_names is for labels='inferred' alone")
    for name, value, known in (("label_mode", label_mode, ("int", "categorical", "binary", None)),
                               ("subset", subset, ("training", "validation", "both", None)),
                               ("format", format, ("tf", "grain"))):
        if value not in known:
            raise ValueError(f"{_WHO}: expected {name} to be one of {', '.join(map(repr, known))}, got {value!r}")
    if validation_split and not 0 < validation_split < 1:
        raise ValueError(f"{_WHO}: expected validation_split between 0 and 1, got {validation_split}")
    if bool(validation_split) != bool(subset):
        raise ValueError(f"{_WHO}: validation_split and subset go together, got {validation_split} and {subset!r}")
    if validation_split and shuffle and seed is None:
        raise ValueError(f"{_WHO}: pass a seed, so that what is shuffled and split the same way twice has no file in "
                         "both subsets; or shuffle=False")


def _files(directory: str, labels: Any, class_names: Sequence[str] | None, follow_links: bool
           ) -> tuple[list[str], np.ndarray, list[str] | None]:
    """The paths of the files, their labels, and the names of the classes."""
    inferred = isinstance(labels, str)
    folders = [""]
    if inferred:
        folders = sorted(name for name in os.listdir(directory)
                         if os.path.isdir(os.path.join(directory, name)) and not name.startswith("."))
        if class_names is not None:
            if not set(class_names) <= set(folders):
                raise ValueError(f"{_WHO}: expected class_names among the folders {folders}, got {list(class_names)}")
            folders = list(class_names)
    paths: list[str] = []
    numbers: list[int] = []
    for number, folder in enumerate(folders):
        for root, _, names in sorted(os.walk(os.path.join(directory, folder), followlinks=follow_links)):
            found = [os.path.join(root, name) for name in sorted(names) if name.lower().endswith(".txt")]
            paths += found
            numbers += [number] * len(found)
    if inferred:
        return paths, np.array(numbers, "int32"), folders
    if labels is None:
        return paths, np.array(numbers, "int32"), None
    if len(labels) != len(paths):
        raise ValueError(f"{_WHO}: expected a label for each of the {len(paths)} files, got {len(labels)}")
    return paths, np.array(labels, "int32"), [str(label) for label in sorted(set(labels))]


def _targets(numbers: np.ndarray, label_mode: str | None, classes: int) -> np.ndarray | None:
    if label_mode is None:
        return None
    if label_mode == "binary":
        return numbers[:, None].astype("float32")
    return np.eye(classes, dtype="float32")[numbers] if label_mode == "categorical" else numbers


def _reader(paths: list[str], targets: np.ndarray | None, batch_size: int | None, max_length: int | None,
            seed: int | None) -> Any:
    """What makes the iterators over texts and targets; with a seed each has another order."""
    generator = None if seed is None else np.random.default_rng(seed)

    def items() -> Iterator[Any]:
        order = np.arange(len(paths)) if generator is None else generator.permutation(len(paths))
        for at in range(0, len(order), batch_size or 1):
            some: Any = order[at : at + batch_size] if batch_size else order[at]
            texts = np.array([_text(paths[i], max_length) for i in some] if batch_size else
                             _text(paths[some], max_length)).view(Array)
            yield texts if targets is None else (texts, np.asarray(targets[some]).view(Array))

    return items


def _text(path: str, max_length: int | None) -> str:
    with open(path, "rb") as file:
        return file.read(-1 if max_length is None else max_length).decode("utf-8", "replace")
