# SPDX-License-Identifier: Apache-2.0
"""The recurrent layers and cells together, where Keras 1 and 2 have them, and the base of the layers."""

from __future__ import annotations

from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.layers.recurrent.gru import GRU
from fastrnn.layers.recurrent.gru_cell import GRUCell
from fastrnn.layers.recurrent.lstm import LSTM
from fastrnn.layers.recurrent.lstm_cell import LSTMCell
from fastrnn.layers.recurrent.rnn import RNN
from fastrnn.layers.recurrent.simple_rnn import SimpleRNN
from fastrnn.layers.recurrent.simple_rnn_cell import SimpleRNNCell
from fastrnn.layers.recurrent.stacked_rnn_cells import StackedRNNCells

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "Recurrent", "SimpleRNN", "SimpleRNNCell", "StackedRNNCells"]
