# SPDX-License-Identifier: Apache-2.0
"""fastrnn: SimpleRNN, LSTM and GRU models trained and served on CPUs, with Keras's names.

What this module offers is imported when it is first asked for, so that a program pays for what it uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastrnn import spellings
from fastrnn._version import __version__
from fastrnn.registry import absent
from fastrnn.runtime import get_num_threads, set_num_threads, show_config

if TYPE_CHECKING:
    from fastrnn import (
        activations,
        backend,
        callbacks,
        capi,
        config,
        constraints,
        datasets,
        distribution,
        generation,
        initializers,
        layers,
        losses,
        metrics,
        mixed_precision,
        models,
        ops,
        optimizers,
        preprocessing,
        random,
        regularizers,
        saving,
        serving,
        tree,
        utils,
    )
    from fastrnn.backend import name_scope
    from fastrnn.capi import get_include
    from fastrnn.config import DTypePolicy
    from fastrnn.graph.symbol import Symbol as KerasTensor
    from fastrnn.initializers import Initializer
    from fastrnn.layers import Input, InputSpec, Layer, Operation
    from fastrnn.layers.variable import Variable
    from fastrnn.losses import Loss
    from fastrnn.metrics import Metric
    from fastrnn.models import Model, Sequential
    from fastrnn.optimizers import Optimizer
    from fastrnn.regularizers import Regularizer

__all__ = [
    "DTypePolicy", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer", "Loss", "Metric", "Model", "Operation",
    "Optimizer", "Regularizer", "Sequential", "Variable", "__version__", "activations", "backend", "callbacks", "capi",
    "config", "constraints", "datasets", "distribution", "generation", "get_include", "get_num_threads", "initializers",
    "layers", "losses", "metrics", "mixed_precision", "models", "name_scope", "ops", "optimizers", "preprocessing",
    "random", "regularizers", "saving", "serving", "set_num_threads", "show_config", "tree", "utils", "version",
]  # fmt: skip

_homes = {
    "DTypePolicy": "config", "Initializer": "initializers", "Input": "layers", "InputSpec": "layers", "Layer": "layers",
    "Loss": "losses", "Metric": "metrics", "Model": "models", "Operation": "layers", "Optimizer": "optimizers",
    "Regularizer": "regularizers", "Sequential": "models", "Variable": "layers.variable", "get_include": "capi",
    "name_scope": "backend",
}  # fmt: skip

#: What programs ask of Keras or TensorFlow, and fastrnn has not; and the way out.
_INSTEAD = {
    "GradientTape": "train by fit or train_on_batch; add_loss in a call of your own adds to the loss",
    "StatelessScope": "layers change no state of their own when they are called",
    "device": "everything runs on the CPU; set_num_threads sets its threads",
    "function": "leave the decorator out: there is nothing to compile",
    "quantizers": "there is no quantized training",
}


def version() -> str:
    """The version of this package.

    >>> import fastrnn
    >>> fastrnn.version() == fastrnn.__version__
    True
    """
    return __version__


spellings.install()


def __getattr__(name: str) -> Any:
    if name in _homes:
        value: Any = getattr(importlib.import_module(f"fastrnn.{_homes[name]}"), name)
    elif name == "KerasTensor":
        value = importlib.import_module("fastrnn.graph.symbol").Symbol
    elif name in __all__ or name == "sklearn":      # which needs scikit-learn, so that `import *` leaves it out
        value = importlib.import_module(f"fastrnn.{name}")
    elif name in _INSTEAD:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: {_INSTEAD[name]}")
    else:
        value = spellings.find(__name__, name)
        if value is spellings.NOTHING:
            raise absent(__name__, name, __all__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
