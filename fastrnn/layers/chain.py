# SPDX-License-Identifier: Apache-2.0
"""Layers in a row as one layer: what a `Sequential` is apart from its training, and all that one inside another is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from fastrnn import arrays
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.bidirectional import Bidirectional
from fastrnn.layers.embedding import Embedding
from fastrnn.layers.gru import GRU
from fastrnn.layers.input import InputLayer
from fastrnn.layers.lstm import LSTM
from fastrnn.layers.min_gru import MinGRU
from fastrnn.layers.recurrent import Recurrent
from fastrnn.layers.simple_rnn import SimpleRNN
from fastrnn.layers.table import deserialize, serialize

# Layers that can read the rows of an Embedding's table where they are. A class derived from one may not know how.
_READ_ROWS = (SimpleRNN, LSTM, GRU, MinGRU, Bidirectional)


class Chain(Layer):
    """A stack of layers, each fed with the output of the one before; see `Sequential`, which can be trained too.

    A chain can be a layer of another one. From then on it takes no more layers: the one around it has counted on its
    output's shape.
    """

    keras_module = "keras"
    takes_custom_objects = True

    def __init__(self, layers: Sequence[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        self._stack: list[Layer] = []
        super().__init__(name=name, trainable=trainable)
        self._shapes: list[Shape] = []  # the outputs of the layers that are built, which are all of them or none
        self._input: InputLayer | None = None
        self._strict = False  # whether the user gave the input's shape, so that every array must have it
        self._inside = False  # whether it is a layer of another model
        self._stateful: list[Recurrent] = []  # the layers, at any depth, that keep states
        for layer in layers or ():
            self.add(layer)

    @classmethod
    def unbuilt(cls, layers: Sequence[Layer], trainable: bool, name: str | None) -> Self:
        """A chain that has no weights before `build`, even where the layers say the shape of the input."""
        chain = cls(trainable=trainable, name=name)
        for layer in layers:
            chain._check(layer)
            chain._take(layer)
        return chain

    # -- the stack ----------------------------------------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Put a layer on top of the stack. If it does not fit there, the model stays as it was.

        Args:
            layer: which may be a `Sequential`.

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
        self._check(layer)
        shape = self._batch_input_shape
        if not self._stack and shape is None:
            shape = layer._batch_input_shape
        if shape is not None and not isinstance(layer, InputLayer) and len(self._shapes) == len(self._stack):
            below = self._shapes[-1] if self._shapes else _as_shape(shape)
            output = self._fit(layer, below, self._stack)
            _build(layer, below)
            self._shapes.append(output)
            self.built = True
        self._take(layer)

    def _check(self, layer: Any) -> None:
        """Refuse what cannot be on top of this stack, whatever its shapes."""
        if not isinstance(layer, Layer):
            hint = f"; write {layer.__name__}(...)" if isinstance(layer, type) else ""
            raise TypeError(f"{self}: add expected a layer, got {layer!r} of type {type(layer).__name__}{hint}")
        self._check_alone("add")
        if isinstance(layer, InputLayer):
            if self._stack or self._batch_input_shape is not None:
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
            if isinstance(inner, Chain) and not inner._stack:
                raise ValueError(f"{self}: {inner} has no layers; add some to it before it becomes a layer")
        if self._stack and layer.dtype != self.dtype:
            raise ValueError(f"{self}: the layers below are of dtype {self.dtype}, {layer} is {layer.dtype}; "
                             "give all layers the same dtype")

    def _take(self, layer: Layer) -> None:
        if isinstance(layer, InputLayer):
            self._input, self._batch_input_shape, self._strict = layer, _as_shape(layer.batch_shape), True
            return
        if not self._stack:
            self.dtype = layer.dtype
            if self._batch_input_shape is None and layer._batch_input_shape is not None:
                self._batch_input_shape = _as_shape(layer._batch_input_shape)
                # Keras's input_length of an Embedding names a length, it does not demand it.
                self._strict = layer._strict if isinstance(layer, Chain) else layer.input_kind != "index"
        for inner in layer.walk():
            if isinstance(inner, Chain):
                inner._inside = True
        self._stack.append(layer)
        self._find_stateful()
        self._changed()

    def pop(self) -> Layer:
        """Take the top layer off the stack, and return it.

        Raises:
            ValueError: there is none, or the model is itself a layer of another one.
        """
        self._check_alone("pop")
        if not self._stack:
            raise ValueError(f"{self}: there is no layer to take off")
        layer = self._stack.pop()
        self._shapes = self._shapes[: len(self._stack)]
        self.built = bool(self._shapes)
        self._find_stateful()
        self._changed()
        return layer

    def _find_stateful(self) -> None:
        self._stateful = [layer for layer in self.walk() if isinstance(layer, Recurrent) and layer.stateful]

    def _changed(self) -> None:
        """Called when a layer came or went."""

    def _check_alone(self, method: str) -> None:
        if self._inside:
            raise ValueError(f"{self}: {method} came after the model became a layer of another one, which counts on "
                             f"the layers it had; {method} before, or make a new Sequential of its layers")

    @property
    def layers(self) -> list[Layer]:
        """The layers, from the bottom to the top, without the `Input`."""
        return list(self._stack)

    def sublayers(self) -> Sequence[Layer]:
        return self._stack

    @property
    def trainable(self) -> bool:
        """Whether `fit` changes the weights; setting it sets that of every layer, as in Keras."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for layer in self._stack:
            layer.trainable = value

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or at an index.

        Args:
            name: of the layer.
            index: of the layer in `layers`, instead of the name; from the end if negative.

        Raises:
            ValueError: neither or both are given, or there is no such layer.

        Example:

        >>> import fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8, name="encoder")])
        >>> model.get_layer("encoder") is model.get_layer(index=-1)
        True
        """
        if (name is None) == (index is None):
            raise ValueError(f"{self}: get_layer expected a name or an index")
        if index is not None:
            if not -len(self._stack) <= index < len(self._stack):
                raise ValueError(f"{self}: get_layer expected an index below {len(self._stack)}, got {index}")
            return self._stack[index]
        for layer in self._stack:
            if layer.name == name:
                return layer
        raise ValueError(f"{self}: there is no layer {name!r}; there are: "
                         f"{', '.join(layer.name for layer in self._stack) or 'none'}")

    # -- shapes -------------------------------------------------------------------------------------------------------

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
            if self._batch_input_shape is not None and self._batch_input_shape != shape:
                raise ValueError(f"{self}: is built for input of shape {self._batch_input_shape}, got {shape}")
            return
        shapes = self._fit_all(shape)
        shape = self.takes(shape)
        for layer, below in zip(self._stack, [shape, *shapes[:-1]], strict=True):
            _build(layer, below)
        self._batch_input_shape, self._shapes, self.built = shape, shapes, True

    def takes(self, below: Shape) -> Shape:
        """The shape that the first layer is built for over a layer with outputs of the shape `below`: that of the
        chain's own `Input`, if it has one.

        Raises:
            ValueError: the two do not fit.
        """
        own = self._batch_input_shape
        if own is None or not self._strict:
            return below
        if len(own) != len(below) or any(one is not None and two is not None and one != two
                                         for one, two in zip(own[1:], below[1:])):
            raise ValueError(f"{self}: expected input of shape {own}, got {below}")
        return own

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output for inputs of a shape, the batch first."""
        shape = _as_shape(input_shape)
        own = self.takes(shape)
        shape = (shape[0], *(one if size is None else size for one, size in zip(own[1:], shape[1:])))
        for layer in self._stack:
            shape = layer.compute_output_shape(shape)
        return shape

    @property
    def input_shape(self) -> Shape:
        """Shape of the input, None where it may vary."""
        if self._batch_input_shape is None:
            raise AttributeError(f"{self}: the shape of the input is not known before it is built")
        return self._batch_input_shape

    @property
    def input_name(self) -> str | None:
        """Name of the input, that of the `Input`, by which a dictionary of inputs holds its array; None where nothing
        but data showed its shape."""
        if self._input is not None:
            return self._input.name
        return f"{self._stack[0].name}_input" if self._strict else None

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, None where it may vary."""
        if not self._shapes:
            raise AttributeError(f"{self}: the shape of the output is not known before it is built")
        return self._shapes[-1]

    def _fit_all(self, below: Shape) -> list[Shape]:
        """The output shapes of all layers on an input of shape `below`, which each of them must be able to take: all
        are asked before the first is built, so that an error leaves none built."""
        below, shapes = self.takes(below), []
        for index, layer in enumerate(self._stack):
            below = self._fit(layer, below, self._stack[:index])
            shapes.append(below)
        return shapes

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

    # -- running ------------------------------------------------------------------------------------------------------

    @property
    def input_kind(self) -> str:  # type: ignore[override]
        return self._stack[0].input_kind if self._stack else "float"

    def __call__(self, x: Any, training: bool = False, mask: Any = None) -> np.ndarray:
        """The output for an array of inputs.

        Args:
            x: inputs, the batch first, of any numeric dtype.
            training: whether dropout acts.
            mask: bool array, `(batch, time)` or of as many axes as the first layer takes, False where a step is to be
                ignored, or None.

        Raises:
            ValueError: the inputs do not fit; names the layer, what was expected and what came.
        """
        x = self.prepare(x)
        x, mask = self.kept(x, self.check_mask(mask, x), training)
        y = self.run(x, training, mask)[0]
        return y.copy() if training else y

    def mask_rank(self, rank: int) -> int:
        return self._stack[0].mask_rank(rank)

    def check_mask(self, mask: Any, x: np.ndarray) -> np.ndarray | None:
        return self._stack[0].check_mask(mask, x)

    def prepare(self, x: Any) -> np.ndarray:
        """Check and convert inputs, and build the layers for them if they are not built."""
        x = self.check_input(x)
        if not self.built:
            self.build((None, *x.shape[1:]))
        return x

    def check_input(self, x: Any) -> np.ndarray:
        if not self._stack:
            raise ValueError(f"{self}: there are no layers; add some first")
        if type(x) is not np.ndarray:
            x = arrays.as_array(x, f"{self._stack[0]} input")
        own = self._batch_input_shape
        if own is not None and x.ndim != len(own):
            x = self._fit_rank(x, own)
            if x.ndim != len(own):
                self._stack[0].check_input(x)   # whose error says more
                one_sample = "; for one sample pass x[None]" if x.ndim == len(own) - 1 else ""
                raise ValueError(f"{self}: expected input of shape {own}, got {x.shape}{one_sample}")
        x = self._stack[0].check_input(x)
        if self._strict:
            self.takes(x.shape)
        return x

    def run(self, x: np.ndarray, training: bool = False,
            mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """The output for inputs that `prepare` gave, and the mask that reaches it."""
        states = None
        if self._stateful:
            self.check_batch(len(x))
            states = [layer._states for layer in self._stateful]
        try:
            for layer in self._stack:
                if isinstance(layer, Chain):  # what reaches its end depends on what its layers make of x
                    if layer._strict:
                        layer.takes(x.shape)
                    x, mask = layer.run(x, training, mask)
                else:
                    if layer is self._stack[0] and self._reads_rows(x):
                        y = layer.rows(x, training)  # type: ignore[attr-defined]
                    else:
                        y = layer.forward(x, training=training, mask=mask)
                    mask = layer.compute_mask(x, mask)
                    x = y
        except BaseException:       # all layers, or none, have gone on
            for stateful, before in zip(self._stateful, states or ()):
                stateful._states = before
            raise
        return x, mask

    @property
    def stateful(self) -> bool:
        """Whether a layer keeps its states from call to call."""
        return bool(self._stateful)

    def check_batch(self, size: int) -> None:
        """Refuse a batch of another size than a stateful model was built for, before a layer has seen it."""
        built = self._batch_input_shape[0] if self._batch_input_shape is not None and self._stateful else None
        if built not in (None, size):
            raise ValueError(f"{self}: is stateful and built for a batch of {built}, got a batch of {size}; pass "
                             f"batch_size={built}, or make it with another batch size in its Input")

    def _reads_rows(self, x: np.ndarray) -> bool:
        """Whether an `Embedding` need not copy its rows for the layer on top of it."""
        return (x.ndim == 2 and type(self._stack[0]) is Embedding and len(self._stack) > 1
                and type(self._stack[1]) in _READ_ROWS)

    def forward(self, x: np.ndarray, training: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
        return self.run(x, training, mask)[0]

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> np.ndarray | None:
        """The mask that goes with the output for inputs that `prepare` gave; of fastrnn's layers only an `Embedding`,
        which comes first, looks at its input for it."""
        for layer in self._stack:
            mask, x = layer.compute_mask(x, mask), None
        return mask

    def backward(self, dy: Any, input_gradient: bool = True) -> np.ndarray | None:
        """Gradients after a call with training=True, for loops of your own.

        Args:
            dy: gradient of the output, of its shape.
            input_gradient: False spares the input's gradient.

        Returns:
            The gradient of the input or None; the weights' gradients are in each variable's `grad`.
        """
        return self._backpropagate(dy, input_gradient)

    def _backpropagate(self, gradient: Any, input_gradient: bool, lowest: int = 0,
                       logits: bool = False) -> np.ndarray | None:
        """Backward through the layers from the last to that of index `lowest`.

        Args:
            gradient: of the output, or, with `logits`, of what enters the last activation.
            input_gradient: whether that of the lowest layer's input is wanted.
        """
        top = len(self._stack) - 1
        for index in range(top, lowest - 1, -1):
            layer: Any = self._stack[index]
            backward = layer.backward_logits if logits and index == top else layer.backward
            gradient = backward(gradient, input_gradient=input_gradient or index > lowest)
        return gradient

    @property
    def backward_logits(self) -> Any:
        """As `backward`, from the gradient of what enters the last activation; there if the last layer has it."""
        if not self._stack or not hasattr(self._stack[-1], "backward_logits"):
            raise AttributeError(f"{self}: the last layer has no backward_logits")
        return self._backward_logits

    def _backward_logits(self, dz: np.ndarray, input_gradient: bool = True) -> np.ndarray | None:
        return self._backpropagate(dz, input_gradient, logits=True)

    def reset_states(self) -> None:
        """Forget the states that stateful layers keep."""
        for layer in self._stack:
            if hasattr(layer, "reset_states"):
                layer.reset_states()

    reset_state = reset_states

    def _fit_rank(self, x: np.ndarray, expected: Shape) -> np.ndarray:
        """As Keras does it: an axis of length 1 at the end is dropped or added where that gives the rank expected."""
        if x.ndim == len(expected) - 1 and expected[-1] == 1:
            return x[..., None]
        if x.ndim == len(expected) + 1 and x.shape[-1] == 1 and expected[-1] != 1:
            return x[..., 0]
        return x

    # -- configuration ------------------------------------------------------------------------------------------------

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
    kind = np.int32 if layer.input_kind == "index" else layer.dtype
    try:
        if isinstance(layer, Chain):
            layer._fit_all(below)
        else:   # an array without samples shows the rank, and, if the layer was built elsewhere, the width it takes
            layer.check_input(np.zeros((0, *(1 if size is None else size for size in below[1:])), kind))
    except ValueError as error:
        return str(error)
    return ""


def _recurrent_on_top(layers: Sequence[Layer]) -> Layer | None:
    """The uppermost recurrent layer of some layers, those inside models among them."""
    for layer in reversed(layers):
        found = _recurrent_on_top(layer.layers) if isinstance(layer, Chain) else layer
        if found is not None and hasattr(found, "return_sequences"):
            return found
    return None


def _build(layer: Layer, input_shape: Shape) -> None:
    if not layer.built:
        layer.build(input_shape)
