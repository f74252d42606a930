# SPDX-License-Identifier: Apache-2.0
"""Changes of a good file: of a tree of values, which is then put together anew, and of bytes."""

from __future__ import annotations

import copy
import json
import struct
from typing import Any, NamedTuple

from hypothesis import strategies as st

#: Values that have been faults somewhere.
ODD = [None, True, -1, 0, 1, 2**31, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, "", "a", "Lambda", "os.system", "../../x",
       "/etc/passwd", "\0", "relu", "hard_sigmoid", "float64", "GRU", "Dense", "O", [], {}, [[]], [None, None, 4],
       {"class_name": "Dense", "config": {"units": 2}}, {"class_name": "__lambda__", "config": {"code": "x"}}]
_NUMBERS = [0, 1, 2**16, 2**31, 2**32 - 1, 2**48, 2**63, 2**64 - 1]
_KINDS = 5


class Edit(NamedTuple):
    """One change.

    Attributes:
        part: which of the file's trees, or its bytes: a number, taken modulo how many there are, as all of these.
        kind: what to do there.
        where: the place.
        value: what to put there.
    """

    part: int
    kind: int
    where: int
    value: Any


_odd = st.one_of(st.sampled_from(ODD), st.integers(-10, 10), st.text(max_size=5))
edits = st.lists(st.builds(Edit, st.integers(0, 11), st.integers(0, _KINDS - 1), st.integers(0, 2**32), _odd),
                 min_size=1, max_size=5)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree: its dictionary or list, and the key."""
    found: list[tuple[Any, Any]] = []
    rest = [value]
    while rest:
        outer = rest.pop()
        for key, inner in outer.items() if isinstance(outer, dict) else enumerate(outer):
            found.append((outer, key))
            if isinstance(inner, (dict, list)):
                rest.append(inner)
    return found


def edited_tree(tree: Any, changes: list[Edit]) -> Any:
    """A copy of the tree, changed."""
    tree = json.loads(json.dumps(tree))
    for change in changes:
        places = _places(tree)
        if not places:
            break
        outer, key = places[change.where % len(places)]
        other, name = places[change.where // 7 % len(places)]
        if change.kind == 0:
            del outer[key]
        elif change.kind == 1:
            outer[key] = copy.deepcopy(other[name])
        elif change.kind == 2 and isinstance(outer, dict):
            outer[str(change.value)] = outer.pop(key)
        elif change.kind == 2:
            outer.insert(key, copy.deepcopy(other[name]))
        else:
            outer[key] = copy.deepcopy(change.value)
    return tree


def edited_bytes(data: bytes, changes: list[Edit]) -> bytes:
    """The bytes, changed."""
    changed = bytearray(data)
    for change in changes:
        size, where, byte = len(changed), change.where & 0xffffff, change.where >> 24 & 255
        if not size:
            break
        # Of three places one in the first and one in the last two thousand bytes, where the structure is.
        at = [where % size, where % min(size, 2000), size - 1 - where % min(size, 2000)][where // 7 % 3]
        if change.kind == 0:
            del changed[at:at + byte % 64 if byte % 4 else size]
        elif change.kind == 1:
            changed[at:at] = bytes([byte]) * (byte % 16)
        elif change.kind == 2:
            changed[at] ^= 1 << byte % 8
        elif change.kind == 3:
            changed[at] = byte
        else:
            number = struct.pack("<Q", _NUMBERS[byte % 8])
            changed[at:at + 8] = number[:size - at]
    return bytes(changed)
