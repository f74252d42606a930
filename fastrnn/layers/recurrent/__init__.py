# SPDX-License-Identifier: Apache-2.0
"""The recurrent layers together, where Keras 1 and 2 have them, and their base."""

from __future__ import annotations

from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.layers.recurrent.gru import GRU
from fastrnn.layers.recurrent.lstm import LSTM
from fastrnn.layers.recurrent.simple_rnn import SimpleRNN

__all__ = ["GRU", "LSTM", "Recurrent", "SimpleRNN"]
