# SPDX-License-Identifier: Apache-2.0
"""Running one program on Keras, which keeps the weights that it begins with, or on fastrnn, which begins with those.

    python -m tests.programs.running RESULTS PROGRAM...     runs programs on Keras, one after the other
"""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import re
import sys
import tempfile
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.programs.spellings import in_keras_3

HERE = Path(__file__).parent

#: What a user changes: the name behind `import` and `from`.
IMPORTS = [
    (r"^(\s*)import (?:tensorflow\.)?keras$", r"\1import fastrnn as keras"),
    (r"^(\s*)import (?:tensorflow\.)?keras\.([\w.]+) as", r"\1import fastrnn.\2 as"),
    (r"^(\s*)import (?:tensorflow\.)?keras as", r"\1import fastrnn as"),
    (r"^(\s*)from (?:tensorflow(?:\.python)?\.)?keras([\w.]*) import", r"\1from fastrnn\2 import"),
    (r"^(\s*)from tensorflow import keras$", r"\1import fastrnn as keras"),
]


def on_fastrnn(source: str) -> str:
    """The program with its imports changed, and nothing else."""
    for pattern, replacement in IMPORTS:
        source = re.sub(pattern, replacement, source, flags=re.MULTILINE)
    return source


def backend(source: str) -> str:
    """The backend that a program asks Keras for: TensorFlow where it uses that, else PyTorch, which is the quickest.

    On PyTorch, Keras does not train a stateful layer: it overwrites the states that the gradient needs.
    """
    asked = re.search(r'environ\["KERAS_BACKEND"\] = "(\w+)"', source)
    if asked:
        return asked[1]
    needed = re.search(r"^\s*import tensorflow as tf|backend as K$|stateful=", source, re.MULTILINE)
    return "tensorflow" if needed else "torch"


def run(path: Path, source: str, begin: Callable[..., None]) -> dict[str, Any]:
    """What `main` of the program gives, in an empty folder and with the same random numbers each time."""
    module = types.ModuleType(f"program_{path.stem}")
    sys.modules[module.__name__] = module   # where pickle and inspect look for its classes
    random.seed(1)
    np.random.seed(1)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        try:
            exec(compile(source, str(path), "exec"), module.__dict__)
            return as_plain(module.main(begin))
        finally:
            del sys.modules[module.__name__]


def as_plain(value: Any) -> Any:
    """Arrays of any framework as NumPy's, in dictionaries and lists."""
    if isinstance(value, dict):
        return {str(key): as_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(part) for part in value]
    if hasattr(value, "detach"):
        value = value.detach()
    return value if isinstance(value, str | bytes | None) else np.asarray(value)


def sum_repeated_rows() -> None:
    """Gives Keras's optimizers on TensorFlow an Embedding's gradient as one array, as the other backends do: of a row
    that is repeated they would square each part by itself."""
    import keras
    import tensorflow as tf

    apply = keras.optimizers.Optimizer.apply

    def apply_dense(self: Any, grads: list[Any], trainable_variables: Any = None) -> Any:
        dense = [None if grad is None else tf.convert_to_tensor(grad) for grad in grads]
        return apply(self, dense, trainable_variables)

    keras.optimizers.Optimizer.apply = apply_dense


def with_keras(path: Path) -> dict[str, Any]:
    """The weights that the program's models begin with, and its results; or the traceback."""
    import keras

    weights: list[list[np.ndarray]] = []
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    try:
        results = run(path, in_keras_3(path.read_text()),
                      lambda *models: weights.extend([np.array(w) for w in m.get_weights()] for m in models))
    except Exception:
        return {"error": traceback.format_exc()}
    return {"weights": weights, "results": results}


def with_fastrnn(path: Path, weights: list[list[np.ndarray]]) -> dict[str, Any]:
    """The program's results on fastrnn, from the weights that it began with on Keras."""
    remaining = list(weights)

    def begin(*models: Any) -> None:
        for model in models:
            model.set_weights(remaining.pop(0))

    results = run(path, on_fastrnn(path.read_text()), begin)
    assert not remaining, f"the program began with {len(weights)} models on Keras, and {len(remaining)} less here"
    return results


if __name__ == "__main__":
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        sum_repeated_rows()
    found = {program: with_keras(HERE / program) for program in sys.argv[2:]}
    Path(sys.argv[1]).write_bytes(pickle.dumps(found))
