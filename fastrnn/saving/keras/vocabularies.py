# SPDX-License-Identifier: Apache-2.0
"""Vocabularies as Keras 3's archives have them: in the configuration where they were given, in a file of their own
(`assets/`) where they were learned; the weights of tokens lie among the layers' weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastrnn.layers import TextVectorization
from fastrnn.layers.preprocessing.index_lookup import IndexLookup
from fastrnn.layers.preprocessing.text import fit_length
from fastrnn.saving import locations
from fastrnn.saving.archive import Archive
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.keras.hdf5 import Group
from fastrnn.saving.tensors import check_fits, values

#: Bytes of a vocabulary's file.
MAX_VOCABULARY = 64 << 20
_WEIGHTS = "idf_weights"


def lookups(model: Any) -> Iterator[tuple[str, IndexLookup]]:
    """What has a vocabulary in a model, and its place in Keras's files; twice, as the layer and as a part of itself, if
    it is a `TextVectorization`."""
    for part in locations.parts(model):
        path = part.keras.removesuffix("/vars")
        if isinstance(part.layer, TextVectorization):
            yield path, part.layer.lookup
            yield f"{path}/_lookup_layer", part.layer.lookup
        elif isinstance(part.layer, IndexLookup):
            yield path, part.layer


def weights_of_tokens(model: Any) -> dict[str, np.ndarray]:
    """The arrays that Keras looks for beside the weights of layers, by path."""
    found = {}
    for path, lookup in lookups(model):
        if lookup.idf_weights is not None and lookup.depth is not None:
            found[f"{path}/vars/{_WEIGHTS}"] = fit_length(lookup.idf_weights, lookup.depth)
    return found


def read(model: Any, members: Archive, root: Any, file: str) -> None:
    """Give the layers that learned a vocabulary the one that an archive has in a file.

    Args:
        model: whose layers have none.
        members: of the archive.
        root: gives the group of all weights.
        file: name of the archive, for errors.

    Raises:
        ModelFileError: the file is too large or no text, or the vocabulary does not fit the layer.
    """
    for path, lookup in lookups(model):
        place = f"assets/{path}/vocabulary.txt"
        if lookup.has_vocabulary or place not in members:
            continue
        try:
            lines = bytes(members.read(place, MAX_VOCABULARY)).decode().split("\n")
        except UnicodeDecodeError as error:
            raise ModelFileError(file, place, f"expected a text in UTF-8: {error.reason}") from None
        while lines and not lines[-1]:
            del lines[-1]
        weights = _weights(root(), path, lookup, len(lines), file) if lookup.output_mode == "tf_idf" else None
        try:
            lookup.set_vocabulary(lookup.of_lines(lines), weights)
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(file, place, str(error)[:1000]) from None


def _weights(root: Group, path: str, lookup: IndexLookup, count: int, file: str) -> np.ndarray:
    tensor = root.group(f"{path}/vars").tensor(_WEIGHTS)
    size = lookup.max_tokens if lookup.pad_to_max_tokens else count
    assert size is not None
    check_fits(tensor, file, (size,), lookup.dtype, f"'{path}/{_WEIGHTS}'")
    return values(tensor, lookup.dtype)[:count]
