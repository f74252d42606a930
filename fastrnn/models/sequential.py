# SPDX-License-Identifier: Apache-2.0
"""Sequential: a model that is a line of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from fastrnn import arrays
from fastrnn.graph.graph import Graph
from fastrnn.graph.symbol import Symbol
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.core.input import InputLayer
from fastrnn.layers.ports import fits
from fastrnn.layers.table import deserialize, register, serialize
from fastrnn.models.model import Model
from fastrnn.models.summary import Row


class Sequential(Model):
    """A stack of layers, each fed with the output of the one before.

    The weights are made as soon as the shape of the input is known: from an `Input` that comes first, from the first
    layer's `input_shape`, by `build`, or else from the first data.

    A `Sequential` can be a layer of another one, which has its weights among its own.

    Args:
        layers: the layers, to which `add` adds more.
        trainable: whether `fit` changes the weights.
        name: name of the model, made up if None.

    Attributes:
        layers: the layers, without the `Input`.
        weights, trainable_weights, non_trainable_weights: the variables of all layers, in their order.
        history: `History` of the last `fit`.
        stop_training: set it to True in a callback to end a `fit`.

    Raises:
        TypeError: something in `layers` is not a layer.
        ValueError: two layers share a name, or a layer does not fit the one before.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential()
    >>> model.add(fastrnn.Input((None, 3)))
    >>> model.add(fastrnn.layers.LSTM(4))
    >>> model.add(fastrnn.layers.Dense(2, activation="softmax"))
    >>> model.output_shape, model.count_params()
    ((None, 2), 138)
    >>> model.predict(np.zeros((5, 7, 3)), verbose=0).shape
    (5, 2)
    """

    keras_module, keras_name = "keras", "Sequential"
    first_call_number = 0

    def __init__(self, layers: Sequence[Layer | Symbol] | None = None, trainable: bool = True,
                 name: str | None = None) -> None:
        self._stack: list[Layer] = []
        self._line: list[Symbol] = []   # of the input, and of the outputs of the layers, all of them or none
        self._input: InputLayer | None = None
        self._strict = False            # whether the user gave the input's shape, so that every array must have it
        self._inside = False            # whether it is a layer of another model
        Layer.__init__(self, name=name, trainable=trainable)
        self._set_graph(None)
        for layer in layers or ():
            self.add(layer)

    @classmethod
    def unbuilt(cls, layers: Sequence[Layer], trainable: bool, name: str | None) -> Self:
        """A model that has no weights before `build`, even where the layers say the shape of the input."""
        model = cls(trainable=trainable, name=name)
        for layer in layers:
            model._check(layer)
            model._take(layer)
        return model

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_line": self._line[:1] if self._graph is None else []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self._graph is not None:
            nodes = self._graph.nodes
            self._line = [self._graph.inputs[0], *(node.outputs[0] for node in nodes)]

    # the stack -----------------------------------------------------------------------------------------------------

    def add(self, layer: Layer | Symbol) -> None:
        """Put a layer on top of the stack. If it does not fit there, the model stays as it was.

        Args:
            layer: which may be a model; or an `Input`, first.

        Raises:
            TypeError: not a layer.
            ValueError: its name is taken, its dtype is another, it does not fit the layer below, it is in the model
                already, or the model is itself a layer of another one.

        Example:

        >>> import fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8, name="encoder")])
        >>> model.add(fastrnn.layers.Dense(2))
        >>> model.output_shape
        (None, 2)
        """
        if isinstance(layer, Symbol):
            if not isinstance(layer.node.layer, InputLayer):
                raise TypeError(f"{self}: add expected a layer, got the output of {layer.node.layer}; write "
                                "Model(inputs, outputs) for a graph")
            layer = layer.node.layer
        self._check(layer)
        line = self._line
        if not self._stack and not line and layer._batch_input_shape is not None and not isinstance(layer, InputLayer):
            line = [self._input_symbol(_as_shape(layer._batch_input_shape), layer)]
        if line and not isinstance(layer, InputLayer):
            line = [*line, self._put_on(layer, line[-1], self._stack)]
        self._take(layer, line)

    def _input_symbol(self, shape: Shape, first: Layer) -> Symbol:
        """The symbol of an input that no `Input` stands for."""
        return InputLayer(batch_shape=shape, name=f"{first.name}_input", dtype=first.default_input_dtype).symbol()

    def _check(self, layer: Any) -> None:
        """Refuse what cannot be on top of this stack, whatever its shapes."""
        if not isinstance(layer, Layer):
            hint = f"; write {layer.__name__}(...)" if isinstance(layer, type) else ""
            raise TypeError(f"{self}: add expected a layer, got {layer!r} of type {type(layer).__name__}{hint}")
        self._check_alone("add")
        if isinstance(layer, InputLayer):
            if self._stack or self._line:
                raise ValueError(f"{self}: an Input must come first, and there can be only one; "
                                 f"the model has {len(self._stack)} layers")
            return
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(f"{self}: there is a layer named {layer.name!r} already; names must differ, "
                             "and a layer can be added only once")
        known = list(self.walk())
        for inner in layer.walk():
            if any(inner is other for other in known):
                raise ValueError(f"{self}: {inner} is in the model already; a layer can be added only once, "
                                 "and no model is a layer of itself")
            if isinstance(inner, Sequential) and not inner._stack:
                raise ValueError(f"{self}: {inner} has no layers; add some to it before it becomes a layer")
        if self._stack and layer.dtype != self.dtype:
            raise ValueError(f"{self}: the layers below are of dtype {self.dtype}, {layer} is {layer.dtype}; "
                             "give all layers the same dtype")

    def _take(self, layer: Layer, line: list[Symbol] | None = None) -> None:
        if isinstance(layer, InputLayer):
            self._input, self._strict, self._line = layer, True, [layer.symbol()]
            self._batch_input_shape = layer.batch_shape
            return
        if not self._stack:
            self.dtype = layer.dtype
            if self._input is None and layer._batch_input_shape is not None:
                # Keras's input_length of an Embedding names a length, it does not demand it.
                self._strict = layer._strict if isinstance(layer, Sequential) else layer.input_kind != "index"
                self._batch_input_shape = _as_shape(layer._batch_input_shape)
        for inner in layer.walk():
            if isinstance(inner, Sequential):
                inner._inside = True
        self._stack.append(layer)
        self._relink(line if line is not None else self._line[:1])

    def pop(self) -> Layer:
        """Take the top layer off the stack, and return it.

        Raises:
            ValueError: there is none, or the model is itself a layer of another one.
        """
        self._check_alone("pop")
        if not self._stack:
            raise ValueError(f"{self}: there is no layer to take off")
        layer = self._stack.pop()
        self._relink(self._line[: len(self._stack) + 1])
        return layer

    def _relink(self, line: list[Symbol]) -> None:
        """Make the graph of a line of symbols, if it has one for each layer."""
        self._line = line
        self.built = len(line) == len(self._stack) + 1 > 1
        dtype = self.dtype
        self._set_graph(Graph(line[0], line[-1], self) if self.built else None)
        self.dtype = dtype
        if line:
            self._batch_input_shape = line[0].shape

    def _check_alone(self, method: str) -> None:
        if self._inside:
            raise ValueError(f"{self}: {method} came after the model became a layer of another one, which counts on "
                             f"the layers it had; {method} before, or make a new Sequential of its layers")

    def connect(self, inputs: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None = None,
                mask: Any = None, options: Mapping[str, Any] | None = None,
                masks: tuple[Any, ...] | None = None) -> Any:
        made = super().connect(inputs, args, kwargs, training, mask, options, masks)
        for inner in self.walk():       # whoever reads the symbols counts on the layers there are
            if isinstance(inner, Sequential):
                inner._inside = True
        return made

    @property
    def layers(self) -> list[Layer]:
        """The layers, from the bottom to the top, without the `Input`."""
        return list(self._stack)

    def sublayers(self) -> Sequence[Layer]:
        return self._stack

    # shapes --------------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any = None) -> None:
        """Make the weights.

        Args:
            input_shape: shape of the input with the batch first: `(None, None, 52)`.

        Raises:
            ValueError: there are no layers, one does not fit, or the model was built for another shape.

        Example:

        >>> import fastrnn
        >>> model = fastrnn.Sequential([fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.build((None, None, 52))
        >>> model.built, len(model.weights)
        (True, 5)
        """
        if not self._stack:
            raise ValueError(f"{self}: there are no layers; add some first")
        shape = self._batch_input_shape if input_shape is None else _as_shape(input_shape)
        if shape is None:
            raise ValueError(f"{self}: build expected the shape of the input, (batch, ...)")
        if self.built:
            if self._line[0].shape != shape:
                raise ValueError(f"{self}: is built for input of shape {self._line[0].shape}, got {shape}")
            return
        self.check_shapes(shape)
        shape = self.takes(shape)
        line = self._line[:1] or [self._input_symbol(shape, self._stack[0])]
        for index, layer in enumerate(self._stack):
            line.append(self._put_on(layer, line[-1], self._stack[:index]))
        self._relink(line)

    def _put_on(self, layer: Layer, below: Symbol, under: Sequence[Layer]) -> Symbol:
        """The output of a layer on a symbol, over the layers `under` it."""
        self._fit(layer, below.shape, under)
        output: Symbol = layer.connect([below], (below,), {})
        return output

    def takes(self, below: Shape) -> Shape:
        """The shape that the first layer is built for over a layer with outputs of the shape `below`: that of the
        model's own `Input`, if it has one.

        Raises:
            ValueError: the two do not fit.
        """
        own = self._batch_input_shape
        if own is None or not self._strict:
            return below
        if not fits(own, below):
            raise ValueError(f"{self}: expected input of shape {own}, got {below}")
        return own

    def demanded_shape(self, index: int) -> Shape:
        shape = super().demanded_shape(index)
        return shape if self._strict else (None,) * len(shape)

    def check_shapes(self, *shapes: Shape) -> None:
        """All layers are asked before the first is built, so that an error leaves none built."""
        below = self.takes(_as_shape(shapes[0]))
        for index, layer in enumerate(self._stack):
            below = self._fit(layer, below, self._stack[:index])

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        """The shape of the output for inputs of a shape, the batch first."""
        shape = _as_shape(input_shapes[0])
        own = self.takes(shape)
        shape = (shape[0], *(one if size is None else size for one, size in zip(own[1:], shape[1:])))
        for layer in self._stack:
            shape = layer.compute_output_shape(shape)
        return shape

    def _fit(self, layer: Layer, below: Shape, under: Sequence[Layer]) -> Shape:
        """The output shape of `layer` on an input of shape `below`, which it must be able to take, over the layers
        `under` it."""
        problem = _misfit(layer, below)
        if problem:
            last = _recurrent_on_top(under)
            if len(below) == 2 and last is not None and not _misfit(layer, (below[0], None, below[1])):
                problem = f"{last} below it gives the output of the last step alone; set its return_sequences=True"
            raise ValueError(f"{self}: {layer} cannot take input of shape {below}: {problem}")
        shape = layer.compute_output_shape(below)
        if not (isinstance(shape, tuple) and all(size is None or isinstance(size, int) for size in shape)):
            raise ValueError(f"{self}: {layer} has several outputs; a layer in a stack must have one "
                             "(return_state=False)")
        return shape

    @property
    def input_shape(self) -> Shape:
        """Shape of the input, None where it may vary."""
        if self._batch_input_shape is None:
            raise AttributeError(f"{self}: the shape of the input is not known before it is built")
        return self._batch_input_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, None where it may vary."""
        if not self.built:
            raise AttributeError(f"{self}: the shape of the output is not known before it is built")
        return self._line[-1].shape

    @property
    def input_name(self) -> str | None:
        """Name of the input, that of the `Input`, by which a dictionary of inputs holds its array; None where nothing
        but data showed its shape."""
        if self._input is not None:
            return self._input.name
        return f"{self._stack[0].name}_input" if self._strict else None

    @property
    def input_names(self) -> list[str]:
        return [self.input_name or ""]

    # running -------------------------------------------------------------------------------------------------------

    @property
    def input_kind(self) -> str:
        return self._stack[0].input_kind if self._stack else "float"

    def wants_strings(self, index: int) -> bool | None:
        return self._stack[0].wants_strings(0) if self._stack else None

    @property
    def default_input_dtype(self) -> str:
        return self._stack[0].default_input_dtype if self._stack else self.dtype

    @property
    def output_activation(self) -> str | None:
        return self._stack[-1].output_activation if self._stack else None

    def arrange(self, x: Any, what: str = "input") -> list[Any]:
        if type(x) is np.ndarray:
            return [x]
        if isinstance(x, Mapping) and self.input_name is None:
            raise ValueError(f"{self}: expected an array, got a dictionary with {', '.join(map(repr, x)) or 'nothing'}"
                             "; its input has no name, begin the model with Input(shape, name=...)")
        return super().arrange(x, what)

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        """Check and convert inputs, and build the layers for them if they are not built."""
        if not self._stack:
            raise ValueError(f"{self}: there are no layers; add some first")
        if not self.built:
            first, x = self._stack[0], inputs[0]
            x = first.check_input(x if first.input_kind == "string" else arrays.as_array(x, f"{first} input"))
            self.build(self._batch_input_shape or (None, *x.shape[1:]))
        return [self._check_one(0, inputs[0])]

    def mask_rank(self, rank: int) -> int:
        return self._stack[0].mask_rank(rank)

    def check_mask(self, mask: Any, x: np.ndarray) -> np.ndarray | None:
        return self._stack[0].check_mask(mask, x)

    def _rows(self) -> list[Row]:
        shapes: list[Any] = [symbol.shape for symbol in self._line[1:]] or [None] * len(self._stack)
        return [Row(layer, [shape]) for layer, shape in zip(self._stack, shapes, strict=True)]

    # configuration -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this model again, without its weights."""
        layers = [self._input, *self._stack] if self._input is not None else self._stack
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [serialize(layer) for layer in layers],
            "build_input_shape": self._batch_input_shape if self.built else None,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Build a model, with new weights, from what `get_config` gave.

        Raises:
            ValueError: `config` is not such a dictionary, or names a layer that is not known.
        """
        if not isinstance(config, Mapping) or "layers" not in config:
            raise ValueError(f"Sequential.from_config: expected a dictionary with 'name' and 'layers', got {config!r}")
        model = cls(name=config.get("name"), trainable=config.get("trainable", True))
        for layer in config["layers"]:
            model.add(deserialize(layer, custom_objects))
        if not model.built and model._stack and config.get("build_input_shape"):
            model.build(config["build_input_shape"])
        return model


def _as_shape(shape: Any) -> Shape:
    return tuple(None if size is None else int(size) for size in shape)


def _misfit(layer: Layer, below: Shape) -> str:
    """Why a layer cannot take input of a shape; nothing if it can."""
    try:
        layer.check_shapes(below)
    except ValueError as error:
        return str(error)
    return ""


def _recurrent_on_top(layers: Sequence[Layer]) -> Layer | None:
    """The uppermost recurrent layer of some layers, those inside models among them."""
    for layer in reversed(layers):
        found = _recurrent_on_top(layer.layers) if isinstance(layer, Sequential) else layer
        if found is not None and hasattr(found, "return_sequences"):
            return found
    return None


register(Sequential)
