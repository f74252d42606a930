# SPDX-License-Identifier: Apache-2.0
"""Where each format keeps which weight of a model: by class and number, never by the names that layers were given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastrnn.layers import RNN, Bidirectional, StackedRNNCells, TimeDistributed
from fastrnn.layers.base import Layer
from fastrnn.layers.network import Network
from fastrnn.layers.own import NOT_INSIDE
from fastrnn.layers.recurrent import Recurrent
from fastrnn.layers.table import is_known, is_operation
from fastrnn.layers.variable import Variable
from fastrnn.registry import snake_case

#: Names, in Keras's files, of the layers inside a layer; those inside a model are counted as a model's own.
_INSIDE: dict[type[Layer], tuple[str, ...]] = {
    Bidirectional: ("forward_layer", "backward_layer"),
    RNN: ("cell",),
    TimeDistributed: ("layer",),
}

class Part(NamedTuple):
    """A layer of a model, be it inside another.

    Attributes:
        layer: the layer.
        top: the layer of the model that it is, or is inside of.
        level: how many models around it are themselves layers; None in a wrapper as `Bidirectional`.
        trainable: whether it and all around it, but for the model, are.
        keras: where Keras 3's files have its weights: "layers/bidirectional/forward_layer/cell/vars".
        native: where native files have them: "bidirectional/forward_layer". By class and number, not by name: the names
            that layers get by themselves differ from model to model.
    """

    layer: Layer
    top: Layer
    level: int | None
    trainable: bool
    keras: str
    native: str


class Place(NamedTuple):
    """A weight, and where files keep it."""

    part: Part
    number: int
    variable: Variable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.variable.shape

    @property
    def keras(self) -> str:
        return f"{self.part.keras}/{self.number}"

    @property
    def native(self) -> str:
        return f"{self.part.native}/{self.variable.name}"


class _Around(NamedTuple):
    """What a part has from what it is inside of."""

    keras: str = ""
    native: str = ""
    top: Layer | None = None
    level: int | None = 0
    trainable: bool = True


_MODEL = _Around()


def parts(model: Any) -> Iterator[Part]:
    """The layers of a model and those inside them, in the order of their weights; each once, be it shared or not."""
    if is_own_model(model):
        yield from _inside(model, _MODEL, set())
    else:
        yield from _layers(model, _MODEL, set())


def places(model: Any) -> list[Place]:
    """Every weight of a model that is built, in Keras's order."""
    return [Place(part, number, variable)
            for part in parts(model) for number, variable in enumerate(part.layer._variables)]


def _layers(model: Any, around: _Around, seen: set[int]) -> Iterator[Part]:
    """The parts of a model's layers."""
    for layer, name in zip(model.layers, _counted(model.layers)):
        yield from _inside(layer, around._replace(
            keras=f"{around.keras}layers/{name}", native=f"{around.native}{name}", top=around.top or layer), seen)


def _counted(layers: Sequence[Layer]) -> list[str]:
    """The names of layers in a list, of which Keras counts those of each class."""
    counts: dict[str, int] = {}
    names = []
    for layer in layers:
        name = class_name(layer)
        counts[name] = counts.get(name, -1) + 1
        names.append(f"{name}_{counts[name]}" if counts[name] else name)
    return names


def class_name(layer: Layer) -> str:
    """The name of a layer's class as files have it.

    >>> import fastrnn
    >>> x = fastrnn.Input((3,))
    >>> class_name(fastrnn.Model(x, fastrnn.layers.Dense(2)(x)))
    'functional'
    """
    cls = type(layer)
    if is_operation(layer):     # which is no layer to Keras, so that it counts none
        return f"operation_{snake_case(cls.__name__)}"
    if not is_known(layer):
        return snake_case(cls.__name__)
    return snake_case(getattr(cls, "keras_class", getattr(cls, "keras_name", cls.__name__)))


def _inside(layer: Layer, at: _Around, seen: set[int]) -> Iterator[Part]:
    """The parts of a layer; `at` has its own paths."""
    if id(layer) in seen:
        return
    seen.add(id(layer))
    cell = "/cell" if isinstance(layer, Recurrent) else ""
    trainable = at.trainable and layer.trainable
    yield Part(layer, at.top or layer, at.level, trainable, f"{at.keras}{cell}/vars".removeprefix("/"), at.native)
    if at.native:       # of a model with a `call` the layers stand at the top, by the names of its attributes
        at = at._replace(keras=f"{at.keras}/", native=f"{at.native}/")
    at = at._replace(trainable=trainable)
    if isinstance(layer, Network) and not is_own_model(layer):
        yield from _layers(layer, at._replace(level=None if at.level is None else at.level + 1), seen)
        return
    inner = layer.sublayers()
    for name, sublayer in zip(_names_inside(layer), inner, strict=True):
        yield from _inside(sublayer, at._replace(keras=f"{at.keras}{name}", native=f"{at.native}{name}",
                                                 top=at.top or sublayer, level=None), seen)


def _names_inside(layer: Layer) -> tuple[str, ...]:
    """The names of the layers inside a layer: in a class of the user's own, of the attributes that have them."""
    if type(layer) in _INSIDE:
        return _INSIDE[type(layer)]
    if isinstance(layer, StackedRNNCells):
        of_cells = dict(zip(reversed(layer.cells), reversed(_counted(layer.cells))))
        return tuple(f"cells/{of_cells[cell]}" for cell in layer.sublayers())
    found = _attributes(layer)
    return tuple(found[id(inner)] for inner in layer.sublayers())


def _attributes(layer: Layer) -> dict[int, str]:
    """The names that Keras finds layers by, which a class of the user's own has in attributes: those of the attributes,
    private ones last; in a list or a dictionary the classes, counted."""
    found: dict[int, str] = {}
    held = {name: value for name, value in vars(layer).items()
            if name not in NOT_INSIDE and name not in layer.not_inside}
    if is_own_model(layer):     # where Keras finds them among its attributes, in the order of the alphabet
        held["layers"] = layer.sublayers()
    for name in sorted(held, key=lambda name: f"~{name}" if name.startswith("_") else name):
        _add(held[name], name, found)
    return found


def _add(value: Any, path: str, found: dict[int, str]) -> None:
    if isinstance(value, Layer):
        found.setdefault(id(value), path)
    elif isinstance(value, (list, tuple, Mapping)):
        counts: dict[str, int] = {}
        for part in value.values() if isinstance(value, Mapping) else value:
            if isinstance(part, (Layer, list, tuple, Mapping)):
                name = class_name(part) if isinstance(part, Layer) else "container"
                counts[name] = counts.get(name, -1) + 1
                _add(part, f"{path}/{name}_{counts[name]}" if counts[name] else f"{path}/{name}", found)


def is_own_model(layer: Any) -> bool:
    """Whether it is a model with a `call` of the user's own, whose layers are those that its attributes hold."""
    return isinstance(layer, Network) and layer.takes_arguments
