# SPDX-License-Identifier: Apache-2.0
"""A model to a C file and its header."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

from fastrnn.serving.c_export import layers
from fastrnn.serving.c_export.plan import plan_of
from fastrnn.serving.c_export.source import Source, identifier
from fastrnn.serving.c_export.text import header_text, source_text

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


def export_c(model: Any, path: Any, prefix: str | None = None) -> tuple[str, str]:
    """Write a model as C99, for programs without Python: microcontrollers, audio plug-ins, other languages.

    The file has the weights as constants and three functions, the header declares them. They need the mathematical
    library alone, allocate nothing, and keep what is between time steps in a struct that the caller owns, one for each
    stream. For a `model.c`::

        void model_init(model_state *state);                     a sequence begins
        int model_step(model_state *state, const float *x, float *y);
        int model_predict(model_state *state, const float *x, size_t steps, float *y);

    `model_step` takes the features of one time step, `MODEL_INPUT` of them, and writes what the model gives for it,
    `MODEL_OUTPUT` numbers; a model that gives one output for a whole sequence is given the output that it would have if
    the sequence ended there. `model_predict` runs a whole sequence, x (steps, MODEL_INPUT): y is (steps, MODEL_OUTPUT),
    or (MODEL_OUTPUT) of such a model. Below an `Embedding` x has indices, `int32_t`. Both return 0, or -1 for an index
    that the table has not, before anything is changed. A model of several inputs or outputs has an argument for each,
    in their order, `x_name` and `y_name`.

    Layers that act in training alone are left out; sequences begin with zeros as states, those of stateful layers too.
    Build it with ``-O3`` and the processor named, as in
    ``-march=native``: the loops are written to become vector instructions.

    Args:
        model: a built `Sequential` or `Model` of float32 whose inputs are sequences.
        path: of the file, with or without its `.c`; the header is beside it.
        prefix: what all names begin with; None for that of the file.

    Returns:
        The paths of both files.

    Raises:
        TypeError: it is no model.
        ValueError: the model is not built, or cannot run step by step; says which layer and why. The prefix is no
            name in C.
        OSError: a file cannot be written.

    Example:

    >>> import tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4), fastrnn.layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = export_c(model, os.path.join(folder, "meter"))
    ...     sorted(os.listdir(folder))
    ['meter.c', 'meter.h']
    """
    stem = os.fspath(path).removesuffix(".c")
    if prefix is None:
        prefix = identifier(os.path.basename(stem), "model")
    elif not _IDENTIFIER.fullmatch(prefix):
        raise ValueError(f"export_c prefix: expected a name in C, of letters, digits and _, got {prefix!r}")
    plan = plan_of(model)
    if not any(port.sequence for port in plan.inputs):
        raise ValueError(f"{model}: expected an input with a time axis, (batch, time, features), got "
                         f"{', '.join(str(symbol.shape) for symbol in model.inputs)}; put it into a TimeDistributed")
    source = Source(prefix)
    inputs = [layers.Value(name, port.width, port.sequence, port.rows is not None)
              for name, port in zip(source.arguments("x", [port.name for port in plan.inputs]), plan.inputs)]
    outputs = source.arguments("y", plan.output_names)
    results = layers.emit(source, plan, inputs, outputs)
    named = f"{type(model).__name__} {model.name!r}"
    files = {f"{stem}.h": header_text(source, named, plan, results),
             f"{stem}.c": source_text(source, named, f"{os.path.basename(stem)}.h", plan, results)}
    for name, text in files.items():
        _write(name, text)
    return f"{stem}.c", f"{stem}.h"


def _write(path: str, text: str) -> None:
    """A file, as a whole or not at all."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{path}: there is no such folder; make it first")
    descriptor, temporary = tempfile.mkstemp(suffix=".tmp", dir=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
