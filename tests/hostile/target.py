# SPDX-License-Identifier: Apache-2.0
"""A format to be fuzzed: trees of values, of which a file is made, and the way it is read."""

from __future__ import annotations

import contextlib
import io
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from fastrnn.layers import GRU, LSTM, Add, Bidirectional, Dense, Embedding, TimeDistributed
from fastrnn.saving import archive, inspect
from tests.hostile.changes import Edit, edited_bytes, edited_tree

Json = Any
LATIN = "latin-1"      # bytes as text, for trees


def small_model() -> fastrnn.Sequential:
    """Each kind of place that a configuration can have, with few arrays."""
    fastrnn.utils.set_random_seed(0)
    model = fastrnn.Sequential([
        fastrnn.Input((None,)), Embedding(5, 2, name="words"),
        Bidirectional(GRU(1, use_bias=False, return_sequences=True), name="both"),
        TimeDistributed(Dense(2, use_bias=False), name="steps"), LSTM(1, use_bias=False, name="top")], name="good")
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)
    return model


def small_graph() -> fastrnn.Model:
    """Each kind of call that a configuration can have, with few arrays."""
    fastrnn.utils.set_random_seed(0)
    words, signal = fastrnn.Input((3,), dtype="int32", name="words"), fastrnn.Input((None, 2), name="signal")
    encoder = GRU(2, use_bias=False, return_state=True, name="encoder")
    one, state = encoder(Embedding(5, 2, mask_zero=True, name="table")(words))
    two, _ = encoder(signal, initial_state=state)
    x = fastrnn.Input((2,), name="x")
    inside = fastrnn.Model(x, Dense(2, use_bias=False, name="dense")(x), name="inside")
    line = fastrnn.Sequential([fastrnn.Input((2,)), Dense(2, use_bias=False, name="deep")], name="line")
    both = Add(name="both")([inside(one), line(inside(two))]) * 2.0
    model = fastrnn.Model([words, signal], Dense(1, use_bias=False, name="out")(both[:, :1]), name="good")
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit([np.ones((2, 3)), np.ones((2, 3, 2))], np.ones((2, 1)), verbose=0)
    return model


class Target(ABC):
    """A format.

    Attributes:
        suffix: of its files.
        trees: what a good file is made of, as JSON has it, by name.
    """

    suffix: str

    def __init__(self, trees: dict[str, Json]) -> None:
        self.trees = trees
        self.good = self.assemble(trees)

    def make(self, changes: list[Edit]) -> bytes:
        """A file with these changes."""
        names, own = [*self.trees, ""], dict[str, list[Edit]]()
        for change in changes:
            own.setdefault(names[change.part % len(names)], []).append(change)
        edits = own.pop("", [])
        trees = {name: edited_tree(self.trees[name], changes) for name, changes in own.items()}
        return edited_bytes(self.assemble({**self.trees, **trees}) if trees else self.good, edits)

    @abstractmethod
    def assemble(self, trees: dict[str, Json]) -> bytes:
        """A file of these trees."""

    @abstractmethod
    def read(self, path: Path) -> None:
        """Read a file in each way that there is for it."""


def look(path: Path) -> None:
    """Inspect one of four files: it takes as long as to load it, and looks at less."""
    if path.stat().st_size % 4 == 0:
        inspect(path)


def touch(weights: list[np.ndarray]) -> None:
    """Read every number, some of which may lie in the file."""
    for weight in weights:
        weight.sum()


def zipped(names: Json, members: dict[str, bytes]) -> bytes:
    """An archive of members by these names; what is said for a name, is put in place of it."""
    buffer = io.BytesIO()
    with contextlib.suppress(Exception):
        archive.write(buffer, {name: members.get(name, b"") if text == "" else json.dumps(text).encode()
                               for name, text in names.items()})
    return buffer.getvalue()
