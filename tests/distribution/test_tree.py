# SPDX-License-Identifier: Apache-2.0
"""Sums in the order of a tree."""

from __future__ import annotations

import numpy as np
import pytest

from fastrnn.distribution.state import drifted
from fastrnn.distribution.tree import Node, add_rows


@pytest.mark.parametrize("leaves", [1, 2, 8])
def test_a_node(leaves):
    node = Node(lambda a, b: (a, b))
    for leaf in range(leaves):
        node.take(leaf)

    def tree(low, high):
        return low if high - low == 1 else (tree(low, (low + high) // 2), tree((low + high) // 2, high))

    assert node.whole() == tree(0, leaves)
    node.take("next")
    assert node.whole() == "next"


def test_rows():
    rng = np.random.default_rng(0)
    parts = [(np.sort(rng.choice(9, size, False)), rng.standard_normal((size, 3)).astype("float32"))
             for size in (4, 0, 9)]
    for one in parts:
        for other in parts:
            dense = np.zeros((9, 3), "float32")
            dense[one[0]] += one[1]
            dense[other[0]] += other[1]
            indices, rows = add_rows(one, other)
            assert indices.tolist() == sorted({*one[0].tolist(), *other[0].tolist()})
            assert rows.dtype == np.float32 and (rows == dense[indices]).all()


def test_drifted():
    assert drifted([b"x"] * 3) == []
    assert drifted([b"x", b"y", b"y"]) == [0]
    assert drifted([b"x", b"y", b"z"]) == [1, 2]
