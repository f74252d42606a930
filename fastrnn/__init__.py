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
        callbacks,
        constraints,
        datasets,
        generation,
        initializers,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        preprocessing,
        regularizers,
        saving,
        utils,
    )
    from fastrnn.layers import Input
    from fastrnn.models import Model, Sequential

__all__ = [
    "Input", "Model", "Sequential", "__version__", "activations", "callbacks", "constraints", "datasets", "generation",
    "get_num_threads", "initializers", "layers", "losses", "metrics", "models", "ops", "optimizers", "preprocessing",
    "regularizers", "saving", "set_num_threads", "show_config", "utils",
]  # fmt: skip

_homes = {"Input": "fastrnn.layers", "Model": "fastrnn.models", "Sequential": "fastrnn.models"}


spellings.install()


def __getattr__(name: str) -> Any:
    if name in _homes:
        value: Any = getattr(importlib.import_module(_homes[name]), name)
    elif name in __all__:
        value = importlib.import_module(f"fastrnn.{name}")
    else:
        value = spellings.find(__name__, name)
        if value is spellings.NOTHING:
            raise absent(__name__, name, __all__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
