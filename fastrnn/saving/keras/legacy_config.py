# SPDX-License-Identifier: Apache-2.0
"""What Keras 1 and 2 wrote, in the words of Keras 3; and back."""

from __future__ import annotations

from typing import Any

from fastrnn.layers.table import with_inner

#: Layers that another one with the same formula stands for; their weights' layouts are in `layouts`.
_NAMES = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "GroupedQueryAttention": "GroupQueryAttention"}
#: What version 2 writes of the shapes that a MultiHeadAttention was built for, and the calls say again.
_SHAPES = ("query_shape", "value_shape", "key_shape")
#: Whose arguments Keras misreads in the older form: it takes "dot" for its function of that name.
_TODAYS = ("Attention",)
#: Names that older files alone have for classes of today.
_OLD_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}

#: Keras 1's arguments, by class; None for those that change no result.
_RECURRENT = {
    "output_dim": "units", "init": "kernel_initializer", "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation", "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer", "b_regularizer": "bias_regularizer", "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout", "consume_less": None, "input_dtype": None,
}  # fmt: skip
_KERAS_1: dict[str, dict[str, str | None]] = {
    "SimpleRNN": _RECURRENT, "LSTM": _RECURRENT, "GRU": _RECURRENT,
    "Dense": {"output_dim": "units", "init": "kernel_initializer", "W_regularizer": "kernel_regularizer",
              "b_regularizer": "bias_regularizer", "W_constraint": "kernel_constraint",
              "b_constraint": "bias_constraint", "bias": "use_bias", "input_dtype": None},
    "Embedding": {"init": "embeddings_initializer", "input_dtype": None, "W_regularizer": "embeddings_regularizer",
                  "W_constraint": "embeddings_constraint"},
    "Dropout": {"p": "rate", "input_dtype": None},
}  # fmt: skip


#: Arguments that Keras 2's layers have from the convolution that they are made of there, and do not use.
_UNUSED: dict[str, tuple[str, ...]] = {
    name: ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint", *more)
    for name, more in {"SeparableConv1D": (), "DepthwiseConv1D": ("filters",)}.items()
} | {"Conv1DTranspose": ("groups",)}


def modern_name(name: str) -> str:
    """The class that stands for one of an older version."""
    return _NAMES.get(name, name)


def modern_config(name: str, config: dict[str, Any], version: int) -> dict[str, Any]:
    """A layer's configuration of Keras's major version `version`, in the form of version 3.

    >>> modern_config("LSTM", {"output_dim": 4, "inner_activation": "hard_sigmoid", "consume_less": "cpu"}, 1)
    {'units': 4, 'recurrent_activation': 'hard_sigmoid'}
    """
    config = dict(config)
    if version < 2:
        config = _of_keras_1(name, config)
    if version < 3:
        if name in ("GRU", "GRUCell"):  # the argument is younger than version 2
            config.setdefault("reset_after", False)
        if config.get("causal") is False and name in ("Attention", "AdditiveAttention"):
            del config["causal"]        # an argument of calls, since
        if name == "MultiHeadAttention":
            config = {key: value for key, value in config.items() if key not in _SHAPES}
        for argument in _UNUSED.get(name, ()):
            config.pop(argument, None)
    if name == "CuDNNGRU":
        config["reset_after"] = True
    if config.get("activity_regularizer", config) is None:
        del config["activity_regularizer"]
    return config


def _of_keras_1(name: str, config: dict[str, Any]) -> dict[str, Any]:
    names = _KERAS_1.get(name, {})
    found = {}
    for key, value in config.items():
        new = names.get(key, key)
        if new is None:
            continue
        if isinstance(value, dict) and value.get("name") in ("WeightRegularizer", "L1L2Regularizer"):
            value = {"class_name": "L1L2", "config": {"l1": value.get("l1", 0.0), "l2": value.get("l2", 0.0)}}
        found[new] = value
    if "forget_bias_init" in found:
        found["unit_forget_bias"] = found.pop("forget_bias_init") == "one"
    if name == "Embedding" and not found.get("dropout"):
        found.pop("dropout", None)
    return found


# back --------------------------------------------------------------------------------------------------------------

def old_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """A layer's or model's configuration in the form of version 2, as far as it has one: Keras 2 and 3 read it.

    A call with symbols among its keywords, and an operation on arrays, stay in the form of version 3.

    >>> old_entry({"module": "keras.layers", "class_name": "Dropout", "config": {"rate": 0.5}, "registered_name": None})
    {'class_name': 'Dropout', 'config': {'rate': 0.5}}
    """
    found = dict(entry)
    module = str(found.get("module"))
    if module.startswith("keras.src.ops") or found["class_name"] in _TODAYS:
        return found
    if module.startswith("keras"):
        del found["module"], found["registered_name"]
        found["class_name"] = _OLD_NAMES.get(found["class_name"], found["class_name"])
    config = dict(found["config"])
    if "layers" in config:
        models = {layer["config"]["name"] for layer in config["layers"] if "layers" in layer["config"]}
        config["layers"] = [_old_calls(old_entry(layer), models) for layer in config["layers"]]
    config = with_inner(config, lambda inner: {**inner, **old_entry(inner)})    # which have their module in both
    if found["class_name"] == "InputLayer":
        config["batch_input_shape"] = config.pop("batch_shape")
    if not config.get("zero_output_for_mask", True):        # which version 2 does not know
        del config["zero_output_for_mask"]
    if "recurrent_dropout" in config and config.get("seed", 0) is None:
        del config["seed"]
    found["config"] = config
    return found


def old_optimizer(config: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's configuration without what is as it is by default, of which versions know different parts.

    >>> old_optimizer({"class_name": "SGD", "config": {"learning_rate": 0.1, "clipnorm": None, "use_ema": False,
    ...                                               "ema_momentum": 0.99}})
    {'class_name': 'SGD', 'config': {'learning_rate': 0.1}}
    """
    inner = {key: value for key, value in config["config"].items() if value is not None}
    if not inner.get("use_ema"):
        inner = {key: value for key, value in inner.items() if key not in ("use_ema", "ema_momentum")}
    return {"class_name": config["class_name"], "config": inner}


def _old_calls(entry: dict[str, Any], models: set[str]) -> dict[str, Any]:
    """A layer with its calls in the form of version 2, if it has one for all: not where it is called on the output of
    a model, whose calls versions count differently."""
    if "module" in entry or "inbound_nodes" not in entry:
        return entry
    nodes = [_old_call(node) for node in entry["inbound_nodes"]]
    if None in nodes or any(reference[0] in models for node in nodes for reference in node):
        return entry
    return {**entry, "inbound_nodes": nodes}


def _old_call(node: dict[str, Any]) -> Any:
    """A call in the form of version 2; None if it has none."""
    args, kwargs = node["args"], node["kwargs"]
    if len(args) != 1 or not all(value is None or isinstance(value, (bool, int, float, str))
                                 for value in kwargs.values()):
        return None
    kwargs = {key: bool(value) if key == "training" else value for key, value in kwargs.items()}
    found = [_history(arg) for arg in (args[0] if isinstance(args[0], list) else args)]
    return None if None in found else [[*history, kwargs] for history in found]


def _history(value: Any) -> Any:
    return value["config"]["keras_history"] if (
        isinstance(value, dict) and value.get("class_name") == "__keras_tensor__") else None
