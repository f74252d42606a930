# SPDX-License-Identifier: Apache-2.0
"""The optimizers as Keras 2.11 to 2.15 name its older ones: the same classes, which take `lr` and `decay`."""

from fastrnn.optimizers.adadelta import Adadelta
from fastrnn.optimizers.adagrad import Adagrad
from fastrnn.optimizers.adam import Adam
from fastrnn.optimizers.adamax import Adamax
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.ftrl import Ftrl
from fastrnn.optimizers.nadam import Nadam
from fastrnn.optimizers.rmsprop import RMSprop
from fastrnn.optimizers.sgd import SGD

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "Optimizer", "RMSprop"]
