# SPDX-License-Identifier: Apache-2.0
"""Where the boxes of a drawing lie: in ranks, each after what it reads, with few crossings.

The method of Sugiyama, Tagawa & Toda (1981): ranks by the longest way from a source; arrows that pass by a rank have a
point there; the order within a rank by the mean place of the neighbours, up and down a few times.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

Point = tuple[float, float]
GAP, RANK_GAP, MARGIN = 0.3, 0.45, 0.2      # inches
SWEEPS = 8


class Layout(NamedTuple):
    """Sizes are in inches, y grows downwards."""

    width: float
    height: float
    centers: list[Point]                # of the boxes
    routes: list[list[Point]]           # of the arrows, from edge to edge


def lay_out(sizes: list[tuple[float, float]], arrows: list[tuple[int, int]], across: bool = False) -> Layout:
    """Places for boxes of these sizes (width, height).

    Args:
        sizes: of the boxes.
        arrows: from box to box, in no circle; each box comes after those that it reads.
        across: ranks go from left to right.

    Example:

    >>> layout = lay_out([(1.0, 0.4), (1.0, 0.4)], [(0, 1)])
    >>> layout.centers[0][0] == layout.centers[1][0], layout.centers[0][1] < layout.centers[1][1]
    (True, True)
    """
    along = [size[0] if across else size[1] for size in sizes]      # in the direction of the ranks
    side = [size[1] if across else size[0] for size in sizes]
    rank = [0] * len(sizes)
    for one, other in sorted(arrows, key=lambda arrow: arrow[1]):
        rank[other] = max(rank[other], rank[one] + 1)
    ranks: list[list[int]] = [[] for _ in range(max(rank, default=0) + 1)]
    for box, level in enumerate(rank):
        ranks[level].append(box)
    chains = []
    links: list[tuple[int, int]] = []
    for one, other in arrows:
        chain = [one]
        for level in range(rank[one] + 1, rank[other]):
            chain.append(len(side))
            ranks[level].append(len(side))
            side.append(0.05)
            along.append(0.0)
        chain.append(other)
        chains.append(chain)
        links += itertools.pairwise(chain)
    place = _places(ranks, side, links)
    starts, at = [], MARGIN
    for boxes in ranks:
        thick = max((along[box] for box in boxes), default=0.0)
        starts.append(at + thick / 2)
        at += thick + RANK_GAP
    length, breadth = at - RANK_GAP + MARGIN, max(place[box] + side[box] / 2 for box in range(len(side))) + MARGIN
    level_of = {box: level for level, boxes in enumerate(ranks) for box in boxes}

    def point(box: int, shift: float = 0.0) -> Point:
        forward = starts[level_of[box]] + shift
        return (forward, place[box]) if across else (place[box], forward)

    routes = [[point(chain[0], along[chain[0]] / 2), *map(point, chain[1:-1]), point(chain[-1], -along[chain[-1]] / 2)]
              for chain in chains]
    width, height = (length, breadth) if across else (breadth, length)
    return Layout(width, height, [point(box) for box in range(len(sizes))], routes)


def _places(ranks: list[list[int]], side: list[float], links: list[tuple[int, int]]) -> list[float]:
    """Where each box is within its rank: near its neighbours, and clear of those beside it."""
    near: list[list[int]] = [[] for _ in side]
    for one, other in links:
        near[one].append(other)
        near[other].append(one)
    place = [0.0] * len(side)
    for boxes in ranks:
        _spread(boxes, side, place, {box: float(index) for index, box in enumerate(boxes)})
    for sweep in range(SWEEPS):
        for boxes in ranks if sweep % 2 == 0 else reversed(ranks):
            wanted = {box: sum(place[other] for other in near[box]) / len(near[box]) if near[box] else place[box]
                      for box in boxes}
            boxes.sort(key=wanted.__getitem__)
            _spread(boxes, side, place, wanted)
    least = min(place[box] - side[box] / 2 for box in range(len(side)))
    return [at - least + MARGIN for at in place]


def _spread(boxes: list[int], side: list[float], place: list[float], wanted: dict[int, float]) -> None:
    """Put the boxes of a rank as near to where they want to be as their sizes allow."""
    at = float("-inf")
    for box in boxes:
        place[box] = max(wanted[box], at + side[box] / 2)
        at = place[box] + side[box] / 2 + GAP
    if boxes:
        shift = sum(wanted[box] - place[box] for box in boxes) / len(boxes)
        for box in boxes:
            place[box] += shift
