# SPDX-License-Identifier: Apache-2.0
"""The recurrent layers together, where Keras 1 and 2 have them, and their base."""

from __future__ import annotations

from fastrnn.layers.gru import GRU
from fastrnn.layers.lstm import LSTM
from fastrnn.layers.recurrent_base import Recurrent
from fastrnn.layers.simple_rnn import SimpleRNN

__all__ = ["GRU", "LSTM", "Recurrent", "SimpleRNN"]
