# SPDX-License-Identifier: Apache-2.0
"""Lists, tuples and dictionaries, one in the other, with leaves: as `keras.tree` has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastrnn.graph import symbol
from fastrnn.registry import absent_from

__all__ = ["assert_same_structure", "flatten", "flatten_with_path", "is_nested", "lists_to_tuples", "map_structure",
           "pack_sequence_as", "traverse"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)


def is_nested(structure: Any) -> bool:
    """Whether it is a list, a tuple or a dictionary.

    Args:
        structure: anything.

    Example:

    >>> is_nested([1]), is_nested(1)
    (True, False)
    """
    return isinstance(structure, (list, tuple, Mapping))


def flatten(structure: Any) -> list[Any]:
    """The leaves in order, those of a dictionary by its sorted keys.

    Args:
        structure: lists, tuples and dictionaries of leaves, or a leaf.

    Example:

    >>> flatten({"b": [2, (3,)], "a": 1})
    [1, 2, 3]
    """
    return symbol.flatten(structure)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves, each with the keys and numbers that lead to it.

    Args:
        structure: as in `flatten`.

    Example:

    >>> flatten_with_path({"a": [5, 6]})
    [(('a', 0), 5), (('a', 1), 6)]
    """
    if not is_nested(structure):
        return [((), structure)]
    items = ([(key, structure[key]) for key in sorted(structure)] if isinstance(structure, Mapping)
             else list(enumerate(structure)))
    return [((key, *path), leaf) for key, part in items for path, leaf in flatten_with_path(part)]


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """A structure like this one, with other leaves.

    Args:
        structure: as in `flatten`.
        flat_sequence: the leaves, in the order of `flatten`.

    Raises:
        ValueError: there are too many or too few.

    Example:

    >>> pack_sequence_as({"a": 1, "b": [2]}, ["x", "y"])
    {'a': 'x', 'b': ['y']}
    """
    leaves, wanted = list(flat_sequence), len(flatten(structure))
    if len(leaves) != wanted:
        raise ValueError(f"pack_sequence_as flat_sequence: expected {wanted} leaves, got {len(leaves)}")
    return symbol.rebuild(structure, leaves)


def map_structure(func: Callable[..., Any], *structures: Any) -> Any:
    """A structure of what a function gives for the leaves.

    Args:
        func: takes a leaf of each structure.
        structures: one, or several alike.

    Raises:
        TypeError: none is given.
        ValueError: they differ.

    Example:

    >>> map_structure(lambda x, y: x + y, {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
    {'a': 11, 'b': [22]}
    """
    if not structures:
        raise TypeError("map_structure structures: expected one or more, got none")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    return symbol.rebuild(structures[0], [func(*leaves) for leaves in zip(*map(flatten, structures))])


def assert_same_structure(a: Any, b: Any) -> None:
    """Accept two structures that differ in their leaves alone.

    Args:
        a: as in `flatten`.
        b: as in `flatten`.

    Raises:
        ValueError: they differ; says where.

    Example:

    >>> assert_same_structure([1, (2,)], [3, (4,)])
    """
    def differ(a: Any, b: Any, path: str) -> str | None:
        if not is_nested(a) and not is_nested(b):
            return None
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            if a.keys() != b.keys():
                return f"keys {sorted(a)} and {sorted(b)} at {path or 'the top'}"
            return next((found for key in a if (found := differ(a[key], b[key], f"{path}[{key!r}]"))), None)
        if type(a) is not type(b) or len(a) != len(b):
            return f"{a!r} and {b!r} at {path or 'the top'}"
        pairs = enumerate(zip(a, b))
        return next((found for number, (one, two) in pairs if (found := differ(one, two, f"{path}[{number}]"))), None)

    found = differ(a, b, "")
    if found:
        raise ValueError(f"the structures differ: {found}")


def lists_to_tuples(structure: Any) -> Any:
    """The structure with tuples in the place of lists.

    Args:
        structure: as in `flatten`.

    Example:

    >>> lists_to_tuples([1, [2, 3]])
    (1, (2, 3))
    """
    if isinstance(structure, Mapping):
        return {key: lists_to_tuples(part) for key, part in structure.items()}
    return tuple(map(lists_to_tuples, structure)) if is_nested(structure) else structure


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Call a function on each part and each leaf; what it gives takes their place, unless that is None.

    Args:
        func: of a part or a leaf.
        structure: as in `flatten`.
        top_down: on a part before those inside it, which then are left alone where it gives something.

    Example:

    >>> traverse(lambda x: None if is_nested(x) else x + 1, [1, (2,)])
    [2, (3,)]
    """
    if top_down:
        found = func(structure)
        if found is not None:
            return found
    if isinstance(structure, Mapping):
        structure = {key: traverse(func, part, top_down) for key, part in structure.items()}
    elif is_nested(structure):
        structure = type(structure)([traverse(func, part, top_down) for part in structure])
    if top_down:
        return structure
    found = func(structure)
    return structure if found is None else found
