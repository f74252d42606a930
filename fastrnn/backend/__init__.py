# SPDX-License-Identifier: Apache-2.0
"""Keras 2's `K.*`: its names of functions on arrays, in a user's own `call` on traced arrays, and on symbols.

`x` is an array, a list of numbers or a symbol; `axis` is an axis or several, None for all; `keepdims` leaves axes of
length 1 in their place; `dtype` is a name; `name` has no effect. There are more functions in
`fastrnn.ops`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastrnn.backend.arrays import (
    arange,
    argmax,
    argmin,
    batch_dot,
    batch_flatten,
    batch_normalization,
    bias_add,
    cast_to_floatx,
    clip,
    concatenate,
    constant,
    count_params,
    cumprod,
    cumsum,
    elu,
    expand_dims,
    eye,
    flatten,
    foldl,
    foldr,
    gather,
    hard_sigmoid,
    in_top_k,
    int_shape,
    l2_normalize,
    map_fn,
    one_hot,
    ones,
    ones_like,
    permute_dimensions,
    pow,
    relu,
    repeat,
    repeat_elements,
    reshape,
    reverse,
    spatial_2d_padding,
    sqrt,
    sum,
    switch,
    temporal_padding,
    tile,
    zeros,
    zeros_like,
)
from fastrnn.backend.ctc import ctc_batch_cost, ctc_decode
from fastrnn.backend.drawing import (
    dropout,
    random_bernoulli,
    random_binomial,
    random_normal,
    random_normal_variable,
    random_uniform,
    random_uniform_variable,
    truncated_normal,
)
from fastrnn.backend.rnn import rnn
from fastrnn.backend.state import (
    backend,
    batch_get_value,
    batch_set_value,
    clear_session,
    eval,
    get_uid,
    get_value,
    in_test_phase,
    in_train_phase,
    is_keras_tensor,
    is_sparse,
    learning_phase,
    moving_average_update,
    name_scope,
    print_tensor,
    reset_uids,
    set_value,
    to_dense,
    update,
    update_add,
    update_sub,
    variable,
)
from fastrnn.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from fastrnn.ops import (
    abs,
    all,
    any,
    binary_crossentropy,
    cast,
    categorical_crossentropy,
    cos,
    dot,
    dtype,
    equal,
    exp,
    greater,
    greater_equal,
    is_tensor,
    less,
    less_equal,
    log,
    logsumexp,
    max,
    maximum,
    mean,
    min,
    minimum,
    ndim,
    not_equal,
    prod,
    round,
    shape,
    sigmoid,
    sign,
    sin,
    softmax,
    softplus,
    softsign,
    sparse_categorical_crossentropy,
    square,
    squeeze,
    stack,
    std,
    stop_gradient,
    tanh,
    transpose,
    var,
)
from fastrnn.registry import absent

#: What Keras 2 has and fastrnn has not, and the way out.
INSTEAD = {
    "placeholder": "make symbols by Input(shape)",
    "function": "make a Model(inputs, outputs), and call it or its predict_on_batch",
    "gradients": "train by fit or train_on_batch, or give a layer a forward and a backward of your own; "
                 "layer(x, training=True) and layer.backward(dy) give the gradient of its input",
    "GradientTape": "train by fit or train_on_batch; add_loss in a call of your own adds to the loss",
    "get_session": "there is no session: call models and layers on arrays",
    "set_session": "there is no session; threads are set by fastrnn.set_num_threads",
    "set_learning_phase": "give training=True or False to the call of a layer or a model",
    "manual_variable_initialization": "variables have their values from the start",
    "conv1d": "use layers.Conv1D", "conv2d": "use layers.Conv2D", "pool2d": "use layers.MaxPooling2D",
}

__all__ = [
    "abs", "all", "any", "arange", "argmax", "argmin", "backend", "batch_dot", "batch_flatten", "batch_get_value",
    "batch_normalization", "batch_set_value", "bias_add", "binary_crossentropy", "cast", "cast_to_floatx",
    "categorical_crossentropy", "clear_session", "clip", "concatenate", "constant", "cos", "count_params",
    "ctc_batch_cost", "ctc_decode", "cumprod", "cumsum", "dot", "dropout", "dtype", "elu", "epsilon", "equal", "eval",
    "exp", "expand_dims", "eye", "flatten", "floatx", "foldl", "foldr", "gather", "get_uid", "get_value", "greater",
    "greater_equal", "hard_sigmoid", "image_data_format", "in_test_phase", "in_top_k", "in_train_phase", "int_shape",
    "is_keras_tensor", "is_sparse", "is_tensor", "l2_normalize", "learning_phase", "less", "less_equal", "log",
    "logsumexp", "map_fn", "max", "maximum", "mean", "min", "minimum", "moving_average_update", "name_scope", "ndim",
    "not_equal", "one_hot", "ones", "ones_like", "permute_dimensions", "pow", "print_tensor", "prod",
    "random_bernoulli", "random_binomial", "random_normal", "random_normal_variable", "random_uniform",
    "random_uniform_variable", "relu", "repeat", "repeat_elements", "reset_uids", "reshape", "reverse", "rnn", "round",
    "set_epsilon", "set_floatx", "set_image_data_format", "set_value", "shape", "sigmoid", "sign", "sin", "softmax",
    "softplus", "softsign", "sparse_categorical_crossentropy", "spatial_2d_padding", "sqrt", "square", "squeeze",
    "stack", "std", "stop_gradient", "sum", "switch", "tanh", "temporal_padding", "tile", "to_dense", "transpose",
    "truncated_normal", "update", "update_add", "update_sub", "var", "variable", "zeros", "zeros_like",
]  # fmt: skip

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    def __getattr__(name: str) -> Any:
        raise absent(__name__, name, __all__) if name not in INSTEAD else AttributeError(
            f"module {__name__!r} has no attribute {name!r}: {INSTEAD[name]}")
