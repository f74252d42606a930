# SPDX-License-Identifier: Apache-2.0
"""The layers, one a file, and the one table of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastrnn.layers.activation import Activation
from fastrnn.layers.base import Layer, Variable
from fastrnn.layers.bidirectional import Bidirectional
from fastrnn.layers.dense import Dense
from fastrnn.layers.dropout import Dropout
from fastrnn.layers.embedding import Embedding
from fastrnn.layers.gru import GRU
from fastrnn.layers.input import Input, InputLayer
from fastrnn.layers.layer_normalization import LayerNormalization
from fastrnn.layers.lstm import LSTM
from fastrnn.layers.min_gru import MinGRU
from fastrnn.layers.simple_rnn import SimpleRNN
from fastrnn.layers.table import deserialize, register, serialize
from fastrnn.layers.time_distributed import TimeDistributed
from fastrnn.registry import absent_from

__all__ = ["GRU", "LSTM", "Activation", "Bidirectional", "Dense", "Dropout", "Embedding", "Input", "InputLayer",
           "Layer", "LayerNormalization", "MinGRU", "SimpleRNN", "TimeDistributed", "Variable", "deserialize",
           "serialize"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)

for _layer in (Activation, Bidirectional, Dense, Dropout, Embedding, GRU, InputLayer, LSTM, LayerNormalization,
               MinGRU, SimpleRNN, TimeDistributed):
    register(_layer)
