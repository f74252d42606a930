# SPDX-License-Identifier: Apache-2.0
"""Arrays that are not there yet, and the layer calls that will make them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

Shape = tuple[int | None, ...]

#: What arithmetic on symbols stands for, by name: filled by the layers that do it.
OPERATIONS: dict[str, Callable[..., Any]] = {}


class Symbol:
    """The place of an array in a graph: what `Input` gives, and every layer that is called on symbols.

    Attributes:
        shape: with the batch first, None where it may vary.
        dtype: "float32", "int32", ...
        name: of the layer that makes it.
        node, index: the call that makes it, and which of its outputs it is.
        masked: whether a mask may come with it.

    Example:

    >>> import fastrnn
    >>> x = fastrnn.Input((None, 8), name="x")
    >>> y = fastrnn.layers.LSTM(4, name="encoder")(x)
    >>> y, y.node.layer.name
    (<Symbol shape=(None, 4), dtype=float32, name=encoder>, 'encoder')
    """

    __slots__ = ("__weakref__", "dtype", "index", "masked", "name", "node", "shape")
    __array_priority__ = 1000.0         # so that NumPy leaves `array + symbol` to the symbol

    def __init__(self, shape: Shape, dtype: str, name: str, node: Node, index: int = 0, masked: bool = False) -> None:
        self.shape, self.dtype, self.name = shape, dtype, name
        self.node, self.index, self.masked = node, index, masked

    @property
    def batch_shape(self) -> Shape:
        return self.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    rank = ndim

    def __repr__(self) -> str:
        return f"<Symbol shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no truth value: it has no values before the model runs")

    def __len__(self) -> int:
        raise TypeError(f"{self!r} has no length: it has no values before the model runs; its shape is `shape`")

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} cannot be iterated over: it has no values before the model runs; take parts by []")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self!r} is not an array: it has no values before the model runs; make a Model of it, and "
                        "predict")

    __array_ufunc__ = None              # NumPy's functions and operators say that they cannot take it

    def __getitem__(self, index: Any) -> Any:
        return OPERATIONS["getitem"](self, index)


def _operator(name: str, right: bool) -> Callable[..., Any]:
    if right:
        return lambda self, other: OPERATIONS[name](other, self)
    return lambda self, *other: OPERATIONS[name](self, *other)


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul"):
    setattr(Symbol, f"__{_name}__", _operator(_name, right=False))
    setattr(Symbol, f"__r{_name}__", _operator(_name, right=True))
for _name in ("neg", "abs", "lt", "le", "gt", "ge"):
    setattr(Symbol, f"__{_name}__", _operator(_name, right=False))


class Node:
    """One call of a layer on symbols.

    Attributes:
        layer: the layer; the node holds it, and it the node only weakly, so that a graph dies with its model.
        inputs: the symbols it reads, flat, in the order of the layer's `forward`.
        masks: for each input the symbol that the caller gave as its mask, or None; () if none was given.
        training: what the caller said, None if nothing.
        outputs: the symbols it makes.
        single: the layer gives one array, not a list.
        args, kwargs: as the caller wrote them, for the configuration.
        options: further arguments of the call, for `forward`; see `Call`.
        adds_loss: the last output is what the layer's own code adds to the loss.
    """

    __slots__ = ("__weakref__", "adds_loss", "args", "inputs", "kwargs", "layer", "masks", "options", "outputs",
                 "single", "training")

    def __init__(self, layer: Any, inputs: list[Symbol], args: tuple[Any, ...] = (),
                 kwargs: Mapping[str, Any] | None = None, masks: tuple[Symbol | None, ...] = (),
                 training: bool | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.options = options or {}
        self.layer, self.inputs, self.masks, self.training = layer, inputs, masks, training
        self.args, self.kwargs = args, dict(kwargs or {})
        self.outputs: list[Symbol] = []
        self.single, self.adds_loss = True, False

    def makes(self, shapes: Any, dtypes: list[str], masked: list[bool]) -> Any:
        """The symbols of its outputs: one, or a list if `shapes` is a list."""
        self.single = not isinstance(shapes, list)
        every = [shapes] if self.single else shapes
        self.outputs = [Symbol(tuple(shape), dtype, self.layer.name, self, index, mask)
                        for index, (shape, dtype, mask) in enumerate(zip(every, dtypes, masked, strict=True))]
        return self.outputs[0] if self.single else list(self.outputs)

    def __repr__(self) -> str:
        return f"<Node of {self.layer} on {len(self.inputs)} inputs>"


class NodesOf:
    """The nodes of a layer that are alive, the oldest first."""

    def __init__(self) -> None:
        self._nodes: list[weakref.ref[Node]] = []

    def add(self, node: Node) -> None:
        """One more."""
        self._nodes = [kept for kept in self._nodes if kept() is not None]
        if not any(kept() is node for kept in self._nodes):
            self._nodes.append(weakref.ref(node))

    def alive(self) -> list[Node]:
        """Those that a symbol or a graph still holds."""
        return [node for kept in self._nodes if (node := kept()) is not None]


# structures of symbols ---------------------------------------------------------------------------------------------

def flatten(structure: Any) -> list[Any]:
    """The leaves of lists, tuples and dictionaries, one in the other, in order; a dictionary's by
    its keys in alphabetical order, as Keras has them.

    >>> flatten({"b": [2, (3, 4)], "a": 1})
    [1, 2, 3, 4]
    """
    if isinstance(structure, (list, tuple)):
        return [leaf for part in structure for leaf in flatten(part)]
    if isinstance(structure, Mapping):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    return [structure]


def rebuild(structure: Any, leaves: Any) -> Any:
    """A structure like this one, with other leaves, in the order of `flatten`.

    >>> rebuild({"a": 1, "b": [2, (3, 4)]}, "wxyz")
    {'a': 'w', 'b': ['x', ('y', 'z')]}
    """
    leaves = iter(leaves)

    def walk(part: Any) -> Any:
        if isinstance(part, list):
            return [walk(inner) for inner in part]
        if isinstance(part, tuple):
            return tuple(walk(inner) for inner in part)
        if isinstance(part, Mapping):
            found = {key: walk(part[key]) for key in sorted(part)}
            return {key: found[key] for key in part}
        return next(leaves)

    return walk(structure)


def has_symbols(structure: Any) -> bool:
    """Whether a symbol is among the leaves.

    >>> has_symbols([1, None])
    False
    """
    if type(structure) is Symbol:
        return True
    if isinstance(structure, (list, tuple)):
        return any(has_symbols(part) for part in structure)
    return isinstance(structure, Mapping) and any(has_symbols(part) for part in structure.values())
