# SPDX-License-Identifier: Apache-2.0
"""fastrnn: SimpleRNN, LSTM and GRU models trained and served on CPUs, with Keras's names."""

__version__ = "0.1.0"

from fastrnn import activations, callbacks, initializers, layers, losses, metrics, models, optimizers, utils
from fastrnn.layers import Input
from fastrnn.models import Sequential
from fastrnn.runtime import get_num_threads, set_num_threads, show_config
