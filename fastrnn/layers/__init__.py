# SPDX-License-Identifier: Apache-2.0
"""The layers, one a file, and the one table of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastrnn import spellings
from fastrnn.layers.activation.elu import ELU
from fastrnn.layers.activation.leaky_relu import LeakyReLU
from fastrnn.layers.activation.prelu import PReLU
from fastrnn.layers.activation.relu import ReLU
from fastrnn.layers.activation.softmax import Softmax
from fastrnn.layers.attention.additive_attention import AdditiveAttention
from fastrnn.layers.attention.attention import Attention
from fastrnn.layers.attention.group_query_attention import GroupQueryAttention
from fastrnn.layers.attention.multi_head_attention import MultiHeadAttention
from fastrnn.layers.base import Layer
from fastrnn.layers.convolution.conv1d import Conv1D, Convolution1D
from fastrnn.layers.convolution.conv1d_transpose import Conv1DTranspose, Convolution1DTranspose
from fastrnn.layers.convolution.conv2d import Conv2D, Convolution2D
from fastrnn.layers.convolution.depthwise_conv1d import DepthwiseConv1D
from fastrnn.layers.convolution.separable_conv1d import SeparableConv1D, SeparableConvolution1D
from fastrnn.layers.core.activation import Activation
from fastrnn.layers.core.dense import Dense
from fastrnn.layers.core.einsum_dense import EinsumDense
from fastrnn.layers.core.embedding import Embedding
from fastrnn.layers.core.function_call import FunctionCall
from fastrnn.layers.core.identity import Identity
from fastrnn.layers.core.input import Input, InputLayer
from fastrnn.layers.core.input_spec import InputSpec
from fastrnn.layers.core.lambda_layer import Lambda
from fastrnn.layers.core.masking import Masking
from fastrnn.layers.core.time_distributed import TimeDistributed
from fastrnn.layers.core.wrapper import Wrapper
from fastrnn.layers.merge.add import Add, add
from fastrnn.layers.merge.average import Average, average
from fastrnn.layers.merge.concatenate import Concatenate, concatenate
from fastrnn.layers.merge.dot import Dot, dot
from fastrnn.layers.merge.maximum import Maximum, maximum
from fastrnn.layers.merge.minimum import Minimum, minimum
from fastrnn.layers.merge.multiply import Multiply, multiply
from fastrnn.layers.merge.subtract import Subtract, subtract
from fastrnn.layers.normalization.batch_normalization import BatchNormalization
from fastrnn.layers.normalization.layer_normalization import LayerNormalization
from fastrnn.layers.normalization.rms_normalization import RMSNormalization
from fastrnn.layers.normalization.unit_normalization import UnitNormalization
from fastrnn.layers.operation import Operation
from fastrnn.layers.pooling.average_pooling1d import AveragePooling1D, AvgPool1D
from fastrnn.layers.pooling.average_pooling2d import AveragePooling2D, AvgPool2D
from fastrnn.layers.pooling.global_average_pooling1d import GlobalAveragePooling1D, GlobalAvgPool1D
from fastrnn.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D, GlobalAvgPool2D
from fastrnn.layers.pooling.global_max_pooling1d import GlobalMaxPool1D, GlobalMaxPooling1D
from fastrnn.layers.pooling.global_max_pooling2d import GlobalMaxPool2D, GlobalMaxPooling2D
from fastrnn.layers.pooling.max_pooling1d import MaxPool1D, MaxPooling1D
from fastrnn.layers.pooling.max_pooling2d import MaxPool2D, MaxPooling2D
from fastrnn.layers.preprocessing.category_encoding import CategoryEncoding
from fastrnn.layers.preprocessing.discretization import Discretization
from fastrnn.layers.preprocessing.hashing import Hashing
from fastrnn.layers.preprocessing.integer_lookup import IntegerLookup
from fastrnn.layers.preprocessing.normalization import Normalization
from fastrnn.layers.preprocessing.rescaling import Rescaling
from fastrnn.layers.preprocessing.string_lookup import StringLookup
from fastrnn.layers.preprocessing.text_vectorization import TextVectorization
from fastrnn.layers.recurrent.bidirectional import Bidirectional
from fastrnn.layers.recurrent.cudnn import CuDNNGRU, CuDNNLSTM
from fastrnn.layers.recurrent.gru import GRU
from fastrnn.layers.recurrent.gru_cell import GRUCell
from fastrnn.layers.recurrent.lstm import LSTM
from fastrnn.layers.recurrent.lstm_cell import LSTMCell
from fastrnn.layers.recurrent.min_gru import MinGRU
from fastrnn.layers.recurrent.min_gru_cell import MinGRUCell
from fastrnn.layers.recurrent.rnn import RNN
from fastrnn.layers.recurrent.simple_rnn import SimpleRNN
from fastrnn.layers.recurrent.simple_rnn_cell import SimpleRNNCell
from fastrnn.layers.recurrent.stacked_rnn_cells import StackedRNNCells
from fastrnn.layers.regularization.activity_regularization import ActivityRegularization
from fastrnn.layers.regularization.alpha_dropout import AlphaDropout
from fastrnn.layers.regularization.dropout import Dropout
from fastrnn.layers.regularization.gaussian_dropout import GaussianDropout
from fastrnn.layers.regularization.gaussian_noise import GaussianNoise
from fastrnn.layers.regularization.spatial_dropout1d import SpatialDropout1D
from fastrnn.layers.regularization.spatial_dropout2d import SpatialDropout2D
from fastrnn.layers.shape.cropping1d import Cropping1D
from fastrnn.layers.shape.flatten import Flatten
from fastrnn.layers.shape.permute import Permute
from fastrnn.layers.shape.repeat_vector import RepeatVector
from fastrnn.layers.shape.reshape import Reshape
from fastrnn.layers.shape.up_sampling1d import UpSampling1D
from fastrnn.layers.shape.up_sampling2d import UpSampling2D
from fastrnn.layers.shape.zero_padding1d import ZeroPadding1D
from fastrnn.layers.shape.zero_padding2d import ZeroPadding2D
from fastrnn.layers.table import deserialize, register, serialize
from fastrnn.layers.variable import Variable
from fastrnn.registry import absent_from

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "Average",
    "BatchNormalization",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "Bidirectional",
    "CategoryEncoding",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Cropping1D",
    "CuDNNGRU",
    "CuDNNLSTM",
    "Dense",
    "Discretization",
    "DepthwiseConv1D",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "FunctionCall",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "Hashing",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "LSTMCell",
    "Lambda",
    "IntegerLookup",
    "GroupQueryAttention",
    "Identity",
    "InputSpec",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "MinGRU",
    "MinGRUCell",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "Operation",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv1D",
    "SeparableConvolution1D",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "SpatialDropout1D",
    "StringLookup",
    "SpatialDropout2D",
    "StackedRNNCells",
    "Subtract",
    "TextVectorization",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "Variable",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
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

_ABSTRACT = (FunctionCall, Layer, Operation, Wrapper)

for _layer in (globals()[_name] for _name in __all__):
    if isinstance(_layer, type) and issubclass(_layer, Layer) and _layer not in _ABSTRACT:
        register(_layer)
        spellings.accept(_layer)
spellings.open_packages()
