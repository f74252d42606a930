# SPDX-License-Identifier: Apache-2.0
"""Sequential: a model that is a stack of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import layers as layers_module
from fastrnn.layers.base import Layer, Shape
from fastrnn.models.trainer import Trainer
from fastrnn.saving.writing import load_weights, save_model, save_weights
from fastrnn.training.data import single_array
from fastrnn.training.loop import Plan
from fastrnn.training.summary import print_summary


class Sequential(Trainer, Layer):
    """A stack of layers, each fed with the output of the one before.

    The weights are made as soon as the shape of the input is known: from an `Input` that comes first, from the first
    layer's `input_shape`, by `build`, or else from the first data.

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

    def __init__(self, layers: Sequence[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(name=name, trainable=trainable)
        self._stack: list[Layer] = []
        self._shapes: list[Shape] = []  # the outputs of the layers that are built, which are all of them or none
        self._input: Layer | None = None
        self._input_shape: Shape | None = None
        self._strict = False  # whether the user gave the input's shape, so that every array must have it
        for layer in layers or ():
            self.add(layer)

    # -- the stack ----------------------------------------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Put a layer on top of the stack. If it does not fit there, the model stays as it was.

        Raises:
            TypeError: not a layer.
            ValueError: its name is taken, its dtype is another, or it does not fit the layer below.
        """
        if isinstance(layer, Trainer) or not isinstance(layer, Layer):
            hint = f"; write {layer.__name__}(...)" if isinstance(layer, type) else ""
            raise TypeError(f"{self}: add expected a layer, got {layer!r} of type {type(layer).__name__}{hint}")
        if isinstance(layer, layers_module.InputLayer):
            self._set_input(layer)
            return
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(f"{self}: there is a layer named {layer.name!r} already; names must differ, "
                             "and a layer can be added only once")
        if self._stack and layer.dtype != self.dtype:
            raise ValueError(f"{self}: the layers below are of dtype {self.dtype}, {layer} is {layer.dtype}; "
                             "give all layers the same dtype")
        input_shape = self._input_shape
        if not self._stack and input_shape is None and layer._batch_input_shape is not None:
            input_shape = _as_shape(layer._batch_input_shape)
        if input_shape is not None:
            below = self._shapes[-1] if self._shapes else input_shape
            shape = self._fit(layer, below)
            _build(layer, below)
            self._shapes.append(shape)
            self.built = True
        if not self._stack:
            self.dtype = layer.dtype
            if input_shape is not None and self._input_shape is None:
                self._input_shape = input_shape
                # Keras's input_length of an Embedding names a length, it does not demand it.
                self._strict = layer.input_kind != "index"
        self._stack.append(layer)
        self._plan = None

    def pop(self) -> Layer:
        """Take the top layer off the stack, and return it.

        Raises:
            ValueError: there is none.
        """
        if not self._stack:
            raise ValueError(f"{self}: there is no layer to take off")
        layer = self._stack.pop()
        self._shapes = self._shapes[: len(self._stack)]
        self.built = bool(self._shapes)
        self._plan = None
        return layer

    @property
    def layers(self) -> list[Layer]:  # type: ignore[override]
        """The layers, from the bottom to the top, without the `Input`."""
        return list(self._stack)

    def sublayers(self) -> Sequence[Layer]:
        return self._stack

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or at an index.

        Raises:
            ValueError: neither or both are given, or there is no such layer.
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
        """
        if not self._stack:
            raise ValueError(f"{self}: there are no layers; add some first")
        shape = self._input_shape if input_shape is None else _as_shape(input_shape)
        if shape is None:
            raise ValueError(f"{self}: build expected the shape of the input, (batch, ...)")
        if self.built:
            if self._input_shape is not None and self._input_shape != shape:
                raise ValueError(f"{self}: is built for input of shape {self._input_shape}, got {shape}")
            return
        below, shapes = shape, []
        for layer in self._stack:  # all of them are asked first, so that an error leaves none built
            below = self._fit(layer, below)
            shapes.append(below)
        for layer, below in zip(self._stack, [shape, *shapes[:-1]], strict=True):
            _build(layer, below)
        self._input_shape, self._shapes, self.built = shape, shapes, True

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output for inputs of a shape, the batch first."""
        shape = _as_shape(input_shape)
        for layer in self._stack:
            shape = layer.compute_output_shape(shape)
        return shape

    @property
    def input_shape(self) -> Shape:
        """Shape of the input, None where it may vary."""
        if self._input_shape is None:
            raise AttributeError(f"{self}: the shape of the input is not known before it is built")
        return self._input_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, None where it may vary."""
        if not self._shapes:
            raise AttributeError(f"{self}: the shape of the output is not known before it is built")
        return self._shapes[-1]

    def _set_input(self, layer: Layer) -> None:
        if self._stack or self._input_shape is not None:
            raise ValueError(f"{self}: an Input must come first, and there can be only one; "
                             f"the model has {len(self._stack)} layers")
        self._input = layer
        self._input_shape = _as_shape(layer.batch_shape)  # type: ignore[attr-defined]
        self._strict = True

    def _fit(self, layer: Layer, below: Shape) -> Shape:
        """The output shape of `layer` on an input of shape `below`, which it must be able to take."""
        kind = np.int32 if layer.input_kind == "index" else layer.dtype
        try:  # an array without samples shows the rank, and, if the layer was built elsewhere, the width that it takes
            layer.check_input(np.zeros((0, *(1 if size is None else size for size in below[1:])), kind))
        except ValueError as error:
            raise ValueError(f"{self}: {layer} cannot take input of shape {below}: {error}") from None
        shape = layer.compute_output_shape(below)
        if not (isinstance(shape, tuple) and all(size is None or isinstance(size, int) for size in shape)):
            raise ValueError(f"{self}: {layer} has several outputs; a layer in a stack must have one "
                             "(return_state=False)")
        return shape

    # -- running ------------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool = False, mask: Any = None) -> np.ndarray:
        """The output for an array of inputs.

        Args:
            x: inputs, the batch first, of any numeric dtype.
            training: whether dropout acts.
            mask: bool array `(batch, time)`, False where a step is to be ignored, or None.

        Raises:
            ValueError: the inputs do not fit; names the layer, what was expected and what came.
        """
        x = self.prepare(x)
        return self.run(x, training, self._stack[0].check_mask(mask, x))[0]

    def prepare(self, x: Any) -> np.ndarray:
        """Check and convert inputs, and build the model for them if it is not built."""
        if not self._stack:
            raise ValueError(f"{self}: there are no layers; add some first")
        if type(x) is not np.ndarray:
            x = single_array(x)
        rank = x.ndim if type(x) is np.ndarray else np.ndim(x)
        if self._input_shape is not None and rank != len(self._input_shape):
            x = self._fit_rank(x, self._input_shape)
        x = self._stack[0].check_input(x)
        if not self.built:
            self.build((None, *x.shape[1:]))
        elif self._strict:
            self._check_shape(x.shape)
        return x

    def run(self, x: np.ndarray, training: bool = False,
            mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """The output for inputs that `prepare` gave, and the mask that reaches it."""
        for layer in self._stack:
            y = layer.forward(x, training=training, mask=mask)
            mask = layer.compute_mask(x, mask)
            x = y
        return x, mask

    def forward(self, x: np.ndarray, training: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
        return self.run(x, training, mask)[0]

    def backpropagate(self, gradient: np.ndarray, plan: Plan) -> None:
        """Set the gradients of the trainable variables from that of the output of the last training run, or, if the
        plan is to fuse loss and activation, from that of what enters the last activation."""
        top, lowest = len(self._stack) - 1, plan.lowest
        for index in range(top, lowest - 1, -1):
            layer: Any = self._stack[index]
            backward = layer.backward_logits if plan.fused and index == top else layer.backward
            gradient = backward(gradient, input_gradient=index > lowest)

    def backward(self, dy: Any, input_gradient: bool = True) -> np.ndarray | None:
        """Gradients after a call with training=True, for loops of your own.

        Args:
            dy: gradient of the output, of its shape.
            input_gradient: False spares the input's gradient.

        Returns:
            The gradient of the input or None; the weights' gradients are in each variable's `grad`.
        """
        for index in range(len(self._stack) - 1, -1, -1):
            dy = self._stack[index].backward(dy, input_gradient=input_gradient or index > 0)
        return dy

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        assert self._input_shape is not None
        for axis, expected in enumerate(self._input_shape):
            if axis and expected is not None and expected != shape[axis]:
                raise ValueError(f"{self}: expected input of shape {self._input_shape}, got {shape}")

    def _fit_rank(self, x: Any, expected: Shape) -> Any:
        """As Keras does it: an axis of length 1 at the end is dropped or added where that gives the rank expected."""
        shape = np.shape(x)
        if len(shape) == len(expected) - 1 and expected[-1] == 1:
            return np.expand_dims(x, -1)
        if len(shape) == len(expected) + 1 and shape[-1] == 1 and expected[-1] != 1:
            return np.squeeze(x, -1)
        return x  # the layer's error says what it expected

    # -- description --------------------------------------------------------------------------------------------------

    def summary(self, line_length: int | None = None, positions: Sequence[float] | None = None,
                print_fn: Callable[[str], Any] | None = None) -> None:
        """Print a table of the layers, their output shapes and their numbers of parameters.

        Args:
            line_length: width of the table in characters; None fits it to the terminal.
            positions: where its three columns end: fractions of `line_length`, or numbers of characters.
            print_fn: called with the whole text; None prints it.
        """
        shapes: Sequence[Shape | None] = self._shapes or [None] * len(self._stack)
        print_summary(self.name, list(zip(self._stack, shapes, strict=True)), self.trainable_weights,
                      self.non_trainable_weights, line_length, positions, print_fn)

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this model again, without its weights."""
        layers = [self._input, *self._stack] if self._input is not None else self._stack
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [layers_module.serialize(layer) for layer in layers],
            "build_input_shape": self._input_shape if self.built else None,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Sequential:
        """Build a model, with new weights, from what `get_config` gave.

        Raises:
            ValueError: `config` is not such a dictionary, or names a layer that is not known.
        """
        if not isinstance(config, Mapping) or "layers" not in config:
            raise ValueError(f"Sequential.from_config: expected a dictionary with 'name' and 'layers', got {config!r}")
        model = cls(name=config.get("name"), trainable=config.get("trainable", True))
        for layer in config["layers"]:
            model.add(layers_module.deserialize(layer, custom_objects))
        if not model.built and model._stack and config.get("build_input_shape"):
            model.build(config["build_input_shape"])
        return model


    # -- files --------------------------------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Save the whole model; see `fastrnn.saving.save_model`."""
        save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Save the weights alone; see `fastrnn.saving.save_weights`."""
        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Take the weights of a file; see `fastrnn.saving.load_weights`."""
        load_weights(self, filepath)


def _as_shape(shape: Any) -> Shape:
    return tuple(None if size is None else int(size) for size in shape)


def _build(layer: Layer, input_shape: Shape) -> None:
    if not layer.built:
        layer.build(input_shape)
