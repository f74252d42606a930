# SPDX-License-Identifier: Apache-2.0
"""Structures, against `keras.tree`."""

from __future__ import annotations

import keras
import pytest

from fastrnn import tree

STRUCTURES = [1, [1, 2], (1, [2, {"b": 3, "a": (4,)}]), {"z": [], "a": {"c": 1, "b": 2}}, [None, {"a": None}], []]


@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_as_keras(structure):
    assert tree.flatten(structure) == keras.tree.flatten(structure)
    assert tree.flatten_with_path(structure) == keras.tree.flatten_with_path(structure)
    assert tree.is_nested(structure) == keras.tree.is_nested(structure)
    assert tree.lists_to_tuples(structure) == keras.tree.lists_to_tuples(structure)
    assert tree.map_structure(str, structure) == keras.tree.map_structure(str, structure)
    leaves = list(range(len(tree.flatten(structure))))
    assert tree.pack_sequence_as(structure, leaves) == keras.tree.pack_sequence_as(structure, leaves)


@pytest.mark.parametrize("top_down", [True, False])
def test_traverse(top_down):
    def change(x):
        return "list" if x == [2, 3] else None if tree.is_nested(x) else x + 1

    structure = (1, [1, 2], {"a": [2, 3]})
    assert tree.traverse(change, structure, top_down) == keras.tree.traverse(change, structure, top_down)


@pytest.mark.parametrize(("a", "b"), [([1], (1,)), ([1], [1, 2]), ({"a": 1}, {"b": 1}), (1, [1]), ([[1]], [1]),
                                      ({"a": [1]}, {"a": 1})], ids=str)  # fmt: skip
def test_structures_that_differ(a, b):
    with pytest.raises(ValueError):
        keras.tree.assert_same_structure(a, b)
    with pytest.raises(ValueError, match="differ"):
        tree.assert_same_structure(a, b)
    with pytest.raises(ValueError, match="differ"):
        tree.map_structure(lambda x, y: x, a, b)


def test_errors():
    with pytest.raises(ValueError, match="expected 2 leaves, got 3"):
        tree.pack_sequence_as([1, [2]], [1, 2, 3])
    with pytest.raises(TypeError, match="expected one or more"):
        tree.map_structure(str)
