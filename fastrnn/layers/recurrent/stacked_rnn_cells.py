# SPDX-License-Identifier: Apache-2.0
"""StackedRNNCells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.graph.symbol import flatten
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.recurrent import calls, steps
from fastrnn.layers.recurrent.cell import Cell
from fastrnn.layers.table import deserialize, serialize


class StackedRNNCells(Cell):
    """Cells in a row that are one cell: each takes the output of the one before. The states are a list of each one's.

    Args:
        cells: the cells, or their configurations.
        **kwargs: as every layer's.

    Raises:
        ValueError: there are none; one is no cell.

    Example:

    >>> from fastrnn.layers import RNN, LSTMCell
    >>> cell = StackedRNNCells([LSTMCell(4), LSTMCell(3)])
    >>> y, (one, two) = cell(np.zeros((2, 8)), cell.get_initial_state(2))
    >>> y.shape, one[1].shape
    ((2, 3), (2, 4))
    >>> RNN(cell)(np.zeros((2, 5, 8))).shape
    (2, 3)
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Unpack[LayerArguments]) -> None:
        cells = [deserialize(cell) if isinstance(cell, Mapping) else cell for cell in cells]
        if not cells:
            raise ValueError("StackedRNNCells cells: expected one or more, got none")
        for cell in cells:
            steps.as_cell(cell, "StackedRNNCells cells")
        kwargs.setdefault("dtype", cells[0].dtype)
        super().__init__(**kwargs)
        self.cells = cells

    def sublayers(self) -> Sequence[Layer]:
        return list(dict.fromkeys(self.cells))      # one may be there twice

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for cell in getattr(self, "cells", ()):
            cell.trainable = value

    @property
    def state_size(self) -> list[Any]:
        """Of each cell, the first one's first."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """Of the last cell."""
        shape = steps.output_shape(self.cells[-1])
        return shape[0] if len(shape) == 1 else list(shape)

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Of each cell, the first one's first.

        Args:
            batch_size: number of samples.
        """
        return [steps.first_states(cell, batch_size or 1, nested=True) for cell in self.cells]

    def build(self, *input_shapes: Any) -> None:
        shape = tuple(input_shapes[0])
        for cell in self.cells:
            steps.build_cell(cell, shape)
            for variable in cell.weights:
                variable.path = f"{self.name}/{cell.name}/{variable.name}"
            shape = (shape[0], *steps.output_shape(cell))
        self.built = True

    def check_input(self, x: Any) -> np.ndarray:
        found: np.ndarray = self.cells[0].check_input(x)
        return found

    def compute_output_shape(self, *input_shapes: Any) -> list[Shape]:
        batch = input_shapes[0][0]
        states = [(batch, *size) for cell in self.cells for size in steps.state_shapes(cell)]
        return [(batch, *steps.output_shape(self.cells[-1])), *states]

    def forward(self, x: np.ndarray, *states: np.ndarray, call: Call) -> list[np.ndarray]:
        new: list[np.ndarray] = []
        for index, cell in enumerate(self.cells):
            count = len(flatten(cell.state_size))
            own, states = states[:count], states[count:]
            x, *found = steps.one_step(cell, x, own, calls.inside(call, index, spared=index == 0 and not call.wants()))
            new += found
        if call.taped:
            call.kept = True
        return [x, *new]

    def backward(self, dy: Any, *dstates: Any, call: Call | None = None) -> list[Any]:
        """Gradients after a step with training=True: of x, and of the states it began with."""
        call = self.taped(call)
        pass_ = calls.begun(call)
        left, dold = list(dstates) or [None] * self.state_count, list[Any]()
        for index, cell in reversed(list(enumerate(self.cells))):
            count = len(flatten(cell.state_size))
            own = calls.again(call, index, index == 0 and not call.wants())
            dy, *found = cell.backward(dy, *left[len(left) - count:], call=own)
            pass_.done()
            del left[len(left) - count:]
            dold[:0] = found
        call.kept = None
        return [dy, *dold]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [serialize(cell) for cell in self.cells]}
