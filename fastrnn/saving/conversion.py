# SPDX-License-Identifier: Apache-2.0
"""A model file in another format, and whether it gives the same results."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from fastrnn.layers import Dense, Embedding, Input
from fastrnn.models.cloning import clone_model
from fastrnn.models.sequential import Sequential
from fastrnn.saving import files
from fastrnn.saving.errors import ModelFileError, shown
from fastrnn.saving.files import ONNX, SOURCE
from fastrnn.saving.onnx.export import export_onnx, input_kinds
from fastrnn.saving.onnx.model import OnnxModel, load_onnx
from fastrnn.saving.reading import load_model
from fastrnn.saving.torch.reading import from_torch, is_state_dict
from fastrnn.serving.c_export import export_c

_SAMPLES, _STEPS = 8, 16
#: Formats that hold weights alone.
_WEIGHTS = (".weights.h5",)


class Parity(NamedTuple):
    """How near two models' predictions for the same random batch are.

    Attributes:
        shape: of the batch; of several inputs a tuple of shapes.
        values: numbers compared.
        largest: the largest difference between two of them.
        scale: the largest of them.
    """

    shape: tuple[Any, ...]
    values: int
    largest: float
    scale: float

    @property
    def holds(self) -> bool:
        """Whether they are the same up to rounding: within 1e-6, of the largest value where that is above one."""
        return self.largest <= 1e-6 * max(1.0, self.scale)

    def __str__(self) -> str:
        return (f"parity: a random batch {self.shape} through both, {self.values} outputs up to {self.scale:.6g}, "
                f"largest difference {self.largest:.3g}")


def convert(source: Any, target: Any, prefix: str | None = None, key: str | None = None) -> Parity | None:
    """Load a model file and save it in the format that the target's name asks for; then load that, and compare.

    Of PyTorch's state dicts one module is taken, as `from_torch` reads it: a recurrent one becomes a `Sequential` of
    its layers, another one a `Sequential` of its layer.

    Args:
        source: a `.safetensors`, `.keras` or `.h5` file; or a state dict of PyTorch's, in a file of any name.
        target: a name with the suffix `.safetensors`, `.keras`, `.h5` or `.onnx`, which takes what is computed, without
            how the model is trained; `.weights.h5` takes the weights alone. `.c` is the model as C and its header, by
            `fastrnn.serving.export_c`.
        prefix: which module of a state dict is wanted, "encoder.lstm"; None where there is but one.
        key: of the state dict in a PyTorch checkpoint, "model_state_dict".

    Returns:
        How near the results are; None of C, which only a compiler can run.

    Raises:
        ValueError, OSError, ImportError: as `load_model`, `from_torch`, `save_model`, `export_onnx` and `export_c`.

    Example:

    >>> import tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "encoder.safetensors"))
    ...     found = convert(os.path.join(folder, "encoder.safetensors"), os.path.join(folder, "encoder.onnx"))
    >>> found.shape, found.holds
    ((8, 16, 3), True)
    """
    source, target = files.named(source), files.named(target)
    suffix = os.path.splitext(target)[1]
    if suffix in files.TORCH:
        raise ModelFileError(target, "", "a state dict has the names of the modules of a PyTorch program, "
                             "which no model file says; give them: torch.save(fastrnn.saving.to_torch({'encoder': "
                             "model}), path)")
    if source.endswith(ONNX) and not is_state_dict(source):
        raise ModelFileError(source, "", "an ONNX graph has operators, of which no layers are made; run it "
                                                    "by fastrnn.saving.load_onnx")
    if suffix not in (ONNX, SOURCE):
        files.suffix_of(target)     # a format that there is, before a large file is read
    model = _open(source, prefix, key)
    if suffix == SOURCE:
        export_c(model, target)
        return None
    other: Any
    if suffix == ONNX:
        export_onnx(model, target)
        other = load_onnx(target)
    elif files.suffix_of(target) in _WEIGHTS:
        model.save_weights(target)
        other = clone_model(model)
        other.load_weights(target)
    else:
        model.save(target)
        other = load_model(target)
    return parity(model, other)


def _open(path: str, prefix: str | None, key: str | None) -> Any:
    """The model in a file, or a model of a module's layers."""
    if not is_state_dict(path):
        for name, value in (("prefix", prefix), ("key", key)):
            if value is not None:
                raise ModelFileError(path, "", f"has a whole model; a {name}, {value!r}, is for PyTorch's state dicts")
        return load_model(path)
    layers = from_torch(path, key=key) if prefix is None else {prefix: from_torch(path, prefix, key=key)}
    if len(layers) != 1:
        raise ModelFileError(path, "", f"a state dict does not say how its modules are put together; name one by "
                                       f"--prefix: {shown(', '.join(map(repr, layers)))}")
    ((name, layer),) = layers.items()
    if isinstance(layer, Sequential):
        return layer
    shape = {Embedding: (None,), Dense: layer.weights[0].shape[:1]}.get(type(layer), layer.weights[0].shape)
    return Sequential([Input(shape), layer], name=f"{name or 'module'}_model")


def parity(first: Any, second: Any) -> Parity:
    """Compare two models of the same inputs on a random batch, the same each time; the second may be an ONNX graph."""
    rng = np.random.default_rng(0)
    words = min((layer.input_dim for layer in first.walk() if isinstance(layer, Embedding)), default=2)
    xs = [_sample(rng, symbol, kind, words) for symbol, kind in zip(first.inputs, input_kinds(first))]
    one = first.run(first.prepare(xs))[0]
    two = second.run(xs) if isinstance(second, OnnxModel) else second.run(second.prepare(xs))[0]
    pairs = [(np.asarray(a, "float64"), np.asarray(b, "float64")) for a, b in zip(one, two, strict=True)]
    shapes = tuple(x.shape for x in xs)
    return Parity(shapes if len(shapes) > 1 else shapes[0], sum(a.size for a, _ in pairs),
                  max(float(np.abs(a - b).max()) for a, b in pairs), max(float(np.abs(a).max()) for a, _ in pairs))


def _sample(rng: np.random.Generator, symbol: Any, kind: str, words: int) -> np.ndarray:
    """A random input."""
    shape = (_SAMPLES, *(_STEPS if size is None else size for size in symbol.shape[1:]))
    if kind == "index":
        return rng.integers(0, words, shape)
    dtype = symbol.dtype if symbol.dtype.startswith("float") else "float32"
    return rng.standard_normal(shape).astype(dtype)
