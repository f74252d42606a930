# SPDX-License-Identifier: Apache-2.0
"""Where each format keeps which weight of a model: by class and number, never by the names that layers were given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fastrnn.layers import Bidirectional, InputLayer, TimeDistributed
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.network import Network
from fastrnn.layers.recurrent import Recurrent
from fastrnn.registry import snake_case

#: Names, in Keras's files, of the layers inside a layer; those inside a `Sequential` are counted as a model's own.
_INSIDE: dict[type[Layer], tuple[str, ...]] = {
    Bidirectional: ("forward_layer", "backward_layer"),
    TimeDistributed: ("layer",),
}

class Part(NamedTuple):
    """A layer of a model, be it inside another.

    Attributes:
        layer: the layer.
        top: index in the model of the layer that it is, or is inside of.
        level: how many models around it are themselves layers; None in a wrapper as `Bidirectional`.
        trainable: whether it and all around it, but for the model, are.
        keras: where Keras 3's files have its weights: "layers/bidirectional/forward_layer/cell/vars".
        native: where native files have them: "bidirectional/forward_layer". By class and number, not by name: the names
            that layers get by themselves differ from model to model.
        input_shape: of what it gets, batch first; () where it was not asked for.
    """

    layer: Layer
    top: int
    level: int | None
    trainable: bool
    keras: str
    native: str
    input_shape: Shape


class Place(NamedTuple):
    """A weight, made or not, and where files keep it."""

    part: Part
    number: int
    name: str
    shape: tuple[int, ...]

    @property
    def keras(self) -> str:
        return f"{self.part.keras}/{self.number}"

    @property
    def native(self) -> str:
        return f"{self.part.native}/{self.name}"


class _Around(NamedTuple):
    """What a part has from what it is inside of."""

    keras: str = ""
    native: str = ""
    top: int | None = None
    level: int | None = 0
    trainable: bool = True


_MODEL = _Around()


def parts(layers: Sequence[Layer], input_shape: Shape = (), around: _Around = _MODEL) -> Iterator[Part]:
    """The layers of a stack and those inside them, in the order of their weights."""
    shape, counts = input_shape, dict[str, int]()
    stack = [layer for layer in layers if not isinstance(layer, InputLayer)]
    for index, layer in enumerate(stack):
        name = snake_case(type(layer).__name__)     # Keras counts the layers of each class
        number = counts[name] = counts.get(name, -1) + 1
        name = f"{name}_{number}" if number else name
        yield from _inside(layer, shape, around._replace(
            keras=f"{around.keras}layers/{name}", native=f"{around.native}{name}",
            top=index if around.top is None else around.top))
        if shape:
            shape = layer.compute_output_shape(shape)


def _inside(layer: Layer, shape: Shape, at: _Around) -> Iterator[Part]:
    """The parts of a layer; `at` has its own paths."""
    assert at.top is not None
    cell = "/cell" if isinstance(layer, Recurrent) else ""
    trainable = at.trainable and layer.trainable
    yield Part(layer, at.top, at.level, trainable, f"{at.keras}{cell}/vars", at.native, shape)
    at = at._replace(keras=f"{at.keras}/", native=f"{at.native}/", trainable=trainable)
    if isinstance(layer, Network):
        level = None if at.level is None else at.level + 1
        yield from parts(layer.layers, shape and layer.takes(shape), at._replace(level=level))
        return
    names = _INSIDE.get(type(layer), ())
    inner = layer.sublayers()
    if len(names) != len(inner):
        raise TypeError(f"{layer}: files have no place for the layers inside {type(layer).__name__}")
    if isinstance(layer, TimeDistributed):
        shape = (*shape[:1], *shape[2:])
    for name, sublayer in zip(names, inner):
        yield from _inside(sublayer, shape, at._replace(
            keras=f"{at.keras}{name}", native=f"{at.native}{name}", level=None))


def places(layers: Sequence[Layer], input_shape: Shape = ()) -> list[Place]:
    """Every weight of a stack of layers, in Keras's order, from the layers' arguments alone: nothing is made.

    Args:
        layers: built, or not.
        input_shape: batch first; not needed of layers that are built.

    Raises:
        ValueError, TypeError: a layer does not fit the one before.
    """
    found = []
    for part in parts(layers, input_shape):
        layer = part.layer
        if layer.built:
            shapes = {variable.name: variable.shape for variable in layer._variables}
        elif isinstance(layer, Network):
            shapes = {}
        else:       # no sample is enough to ask whether the layer can take the shape
            kind = np.int32 if layer.input_kind == "index" else layer.dtype
            layer.check_input(np.zeros((0, *(1 if size is None else size for size in part.input_shape[1:])), kind))
            shapes = layer.weight_shapes(part.input_shape)
        found += [Place(part, number, name, shape) for number, (name, shape) in enumerate(shapes.items())]
    return found
