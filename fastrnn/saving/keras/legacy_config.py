# SPDX-License-Identifier: Apache-2.0
"""What Keras 1 and 2 wrote, in the words of Keras 3."""

from __future__ import annotations

from typing import Any

#: Layers that another one with the same formula stands for; their weights' layouts are in `layouts`.
_NAMES = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}

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
        if name == "GRU":               # the argument is younger than version 2
            config.setdefault("reset_after", False)
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
