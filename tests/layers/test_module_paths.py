# SPDX-License-Identifier: Apache-2.0
"""Where programs import layers from."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from fastrnn import _core, layers
from fastrnn.layers.recurrent import GRU, LSTM, SimpleRNN
from tests.conftest import states_of


def test_recurrent_layers_at_their_older_path():
    assert (SimpleRNN, LSTM, GRU) == (layers.SimpleRNN, layers.LSTM, layers.GRU)


@pytest.mark.parametrize("name", [name for name in layers.__all__ if name[0].isupper()])
def test_no_module_has_something_else_under_the_name_of_a_layer(name):
    """Whichever module of the package has the name, it is the layer's."""
    for info in pkgutil.iter_modules(layers.__path__, "fastrnn.layers."):
        assert getattr(importlib.import_module(info.name), name, None) in (None, getattr(layers, name))


@pytest.mark.parametrize("cell", [SimpleRNN, LSTM, GRU, layers.MinGRU])
def test_cells_are_numbered_by_the_kernels(cell, rng):
    assert cell.state_count == len(states_of(cell.__name__, 1, 1, rng))
    for dtype in "float32", "float64":
        entry = _core.kernels(dtype).CELLS[cell.__name__]
        assert (cell(3, dtype=dtype).cell, cell.gates, cell.state_count) == tuple(
            entry[key] for key in ("number", "gates", "states"))
