# SPDX-License-Identifier: Apache-2.0
"""The layers, one a file, and the one table of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastrnn.layers.activation.elu import ELU
from fastrnn.layers.activation.leaky_relu import LeakyReLU
from fastrnn.layers.activation.prelu import PReLU
from fastrnn.layers.activation.relu import ReLU
from fastrnn.layers.activation.softmax import Softmax
from fastrnn.layers.base import Layer
from fastrnn.layers.core.activation import Activation
from fastrnn.layers.core.dense import Dense
from fastrnn.layers.core.embedding import Embedding
from fastrnn.layers.core.function_call import FunctionCall
from fastrnn.layers.core.input import Input, InputLayer
from fastrnn.layers.core.lambda_layer import Lambda
from fastrnn.layers.core.masking import Masking
from fastrnn.layers.core.time_distributed import TimeDistributed
from fastrnn.layers.mask_operations import MASK_OPERATIONS as _MASK_OPERATIONS
from fastrnn.layers.merge.add import Add, add
from fastrnn.layers.merge.average import Average, average
from fastrnn.layers.merge.concatenate import Concatenate, concatenate
from fastrnn.layers.merge.dot import Dot, dot
from fastrnn.layers.merge.maximum import Maximum, maximum
from fastrnn.layers.merge.minimum import Minimum, minimum
from fastrnn.layers.merge.multiply import Multiply, multiply
from fastrnn.layers.merge.subtract import Subtract, subtract
from fastrnn.layers.normalization.layer_normalization import LayerNormalization
from fastrnn.layers.operation import Operation
from fastrnn.layers.preprocessing.category_encoding import CategoryEncoding
from fastrnn.layers.preprocessing.discretization import Discretization
from fastrnn.layers.preprocessing.hashing import Hashing
from fastrnn.layers.preprocessing.integer_lookup import IntegerLookup
from fastrnn.layers.preprocessing.normalization import Normalization
from fastrnn.layers.preprocessing.rescaling import Rescaling
from fastrnn.layers.preprocessing.string_lookup import StringLookup
from fastrnn.layers.preprocessing.text_vectorization import TextVectorization
from fastrnn.layers.recurrent.bidirectional import Bidirectional
from fastrnn.layers.recurrent.gru import GRU
from fastrnn.layers.recurrent.lstm import LSTM
from fastrnn.layers.recurrent.min_gru import MinGRU
from fastrnn.layers.recurrent.simple_rnn import SimpleRNN
from fastrnn.layers.regularization.activity_regularization import ActivityRegularization
from fastrnn.layers.regularization.dropout import Dropout
from fastrnn.layers.regularization.gaussian_dropout import GaussianDropout
from fastrnn.layers.regularization.gaussian_noise import GaussianNoise
from fastrnn.layers.regularization.spatial_dropout1d import SpatialDropout1D
from fastrnn.layers.shape.cropping1d import Cropping1D
from fastrnn.layers.shape.flatten import Flatten
from fastrnn.layers.shape.permute import Permute
from fastrnn.layers.shape.repeat_vector import RepeatVector
from fastrnn.layers.shape.reshape import Reshape
from fastrnn.layers.shape.zero_padding1d import ZeroPadding1D
from fastrnn.layers.table import deserialize, register, serialize
from fastrnn.layers.variable import Variable
from fastrnn.registry import absent_from

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "Activation",
    "ActivityRegularization",
    "Add",
    "Average",
    "Bidirectional",
    "CategoryEncoding",
    "Concatenate",
    "Cropping1D",
    "Dense",
    "Discretization",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Hashing",
    "Input",
    "InputLayer",
    "FunctionCall",
    "Lambda",
    "IntegerLookup",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "MinGRU",
    "Minimum",
    "Multiply",
    "Normalization",
    "Operation",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SimpleRNN",
    "Softmax",
    "SpatialDropout1D",
    "StringLookup",
    "Subtract",
    "TextVectorization",
    "TimeDistributed",
    "Variable",
    "ZeroPadding1D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)

_ABSTRACT = (FunctionCall, Layer, Operation)

for _layer in (*(globals()[_name] for _name in __all__), *_MASK_OPERATIONS):
    if isinstance(_layer, type) and issubclass(_layer, Layer) and _layer not in _ABSTRACT:
        register(_layer)
