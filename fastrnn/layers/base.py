# SPDX-License-Identifier: Apache-2.0
"""What every layer is, and its weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays, constraints, initializers, regularizers
from fastrnn.layers.array_operators import ArrayOperators
from fastrnn.registry import did_you_mean, snake_case

#: Keras's older keywords for the shape of the first layer's input.
LEGACY = ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "input_length", "batch_size")

Shape = tuple[int | None, ...]


class Variable(ArrayOperators):
    """One weight of a layer: its values, its gradient after a backward pass, and what the optimizer must know of it.

    NumPy's functions and operators take it as an array: `v + 1`, `v[0]`, `np.asarray(v)` are arrays of their own.

    Args:
        data: the values; the variable keeps the array and writes to it. If it is read-only, as a mapped file may be,
            the first change makes a copy.
        name: "kernel", "bias", ...
        trainable: whether an optimizer changes it.
        regularizer: penalty on it, or None.
        constraint: applied after each update, or None.

    Example:

    >>> v = Variable(np.zeros((2, 2), "float32"), "kernel")
    >>> v.assign([[1, 2], [3, 4]])
    >>> v.value[1]
    array([3., 4.], dtype=float32)
    """

    def __init__(self, data: np.ndarray, name: str, trainable: bool = True, regularizer: Any = None,
                 constraint: Any = None) -> None:
        self.data = _plain(data)
        self.name = name
        self.path = name
        self.trainable = trainable
        self.regularizer = regularizer
        self.constraint = constraint
        self.version = 0
        self._gradient: np.ndarray | None = None
        self.grad: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def dtype(self) -> str:
        return self.data.dtype.name

    @property
    def value(self) -> np.ndarray:
        """A read-only view of the values; change them by `assign`."""
        view = self.data.view()
        view.flags.writeable = False
        return view

    def numpy(self) -> np.ndarray:
        """A copy of the values."""
        return self.data.copy()

    def assign(self, value: Any) -> None:
        """Set the values.

        Raises:
            ValueError: the shape differs, or the values are no numbers.
        """
        new = arrays.as_float(value, self.dtype, f"weight '{self.path}'")
        if new.shape != self.shape:
            raise ValueError(f"weight '{self.path}': expected shape {self.shape}, got {new.shape}")
        self.writable()[...] = new
        self.touch()

    def writable(self) -> np.ndarray:
        """`data` for a change in place at once; where its memory is read-only, a copy of it takes its place. After a
        change that comes later than a call of the layer, call `touch`."""
        if not self.data.flags.writeable:
            self.data = self.data.copy()
        self.touch()
        return self.data

    def touch(self) -> None:
        """Tell the layer that `data` was changed in place, so that it packs the weight anew."""
        self.version += 1

    def gradient(self) -> np.ndarray:
        """The array that a backward pass fills, made `grad` by asking for it."""
        gradient = self._gradient
        if gradient is None or not gradient.flags.writeable:
            gradient = self._gradient = np.zeros(self.data.shape, self.data.dtype)
        self.grad = gradient
        return gradient

    def add_gradient(self, more: np.ndarray) -> None:
        """Add to `grad`, if a backward pass has made one."""
        if self.grad is not None:
            self.grad += more

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, from `copy.deepcopy`, a pickle, or joblib, which may map the arrays of a file."""
        self.__dict__.update(state)
        self.data = _plain(self.data)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


def _plain(data: np.ndarray) -> np.ndarray:
    """`data` as the kernels take it, the same memory if that is aligned and in the order of C."""
    return np.require(np.asarray(data), requirements=("C", "A"))


_counts: dict[str, int] = {}


def unique_name(prefix: str) -> str:
    """"lstm", then "lstm_1", "lstm_2", ..."""
    count = _counts.get(prefix, 0)
    _counts[prefix] = count + 1
    return prefix if count == 0 else f"{prefix}_{count}"


def reset_names() -> None:
    """Start the numbering of layer names anew."""
    _counts.clear()


class Layer:
    """Base of all layers. A subclass defines `build`, `forward` and `backward`.

    Args:
        name: unique in a model; made from the class's name if None.
        trainable: whether the optimizer changes the weights.
        dtype: "float32" or "float64".
        input_shape, batch_input_shape, input_dim, input_length, batch_size: Keras's older keywords for the shape of the
            first layer's input: without the batch, with it, and in pieces.

    Raises:
        TypeError: for a keyword that the layer does not have; suggests the nearest.
        ValueError: for another dtype.
    """

    supports_masking = False
    #: What kind of numbers the input holds: "float", or "index" for whole numbers that name rows of a table.
    input_kind = "float"

    def __init__(self, *, name: str | None = None, trainable: bool = True, dtype: Any = None, **legacy: Any) -> None:
        if legacy.get("quantization_config", self) is None:     # Keras 3.15 writes it into every configuration
            del legacy["quantization_config"]
        self.name = name if name is not None else unique_name(snake_case(type(self).__name__))
        self.trainable = trainable
        self.dtype = self._dtype_name(dtype)
        self.built = False
        self._variables: list[Variable] = []
        self._batch_input_shape = self._legacy_shape(legacy)
        #: First values that a file has, by the weight's name, in place of the initializers'.
        self.stored: dict[str, np.ndarray] = {}
        self.forget()

    def _dtype_name(self, dtype: Any) -> str:
        if isinstance(dtype, dict):         # Keras 3 writes {"class_name": "DTypePolicy", "config": {"name": ...}}
            dtype = dtype.get("config", {}).get("name")
        if dtype is None:
            return "float32"
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = str(dtype)
        if name not in ("float32", "float64"):
            raise ValueError(f"{self}: expected dtype 'float32' or 'float64', got {dtype!r}; make the layer with one "
                             "of them (a mixed policy's weights are float32, and load_weights takes them)")
        return name

    def _legacy_shape(self, legacy: dict[str, Any]) -> Shape | None:
        shape: Any = legacy.pop("batch_input_shape", legacy.pop("batch_shape", None))
        batch = legacy.pop("batch_size", None)
        without_batch = legacy.pop("input_shape", None)
        length, width = legacy.pop("input_length", None), legacy.pop("input_dim", None)
        if legacy:
            names = [f"{name!r}{did_you_mean(name, type(self), LEGACY)}" for name in legacy]
            raise TypeError(f"{self}: unknown keyword {', '.join(names)}")
        if shape is not None:
            return tuple(shape)
        if without_batch is None and width is not None:
            without_batch = self._pieces_to_shape(length, width)
        if without_batch is None:
            return None
        return (batch, *((without_batch,) if isinstance(without_batch, int) else without_batch))

    def _pieces_to_shape(self, length: int | None, width: int) -> tuple[int | None, ...]:
        return (width,)

    def forget(self) -> None:
        """Drop what a call of this layer leaves for later ones: weights packed for the kernels, buffers, and what
        `backward` needs."""

    def __getstate__(self) -> dict[str, Any]:
        """What a copy starts with, from `copy.deepcopy` or a pickle: it packs its weights itself, as they are
        packed for the address that they lie at."""
        bare = object.__new__(type(self))
        bare.__dict__.update(self.__dict__)
        bare.forget()
        return bare.__dict__

    def __str__(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    def __repr__(self) -> str:
        return f"<{self}, built={self.built}>"

    # weights -------------------------------------------------------------------------------------------------------

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the weights that `build` makes for this layer itself, in their order; makes none."""
        return {}

    def add_weight(self, name: str, shape: tuple[int, ...], initializer: Any, regularizer: Any = None,
                   constraint: Any = None, trainable: bool = True, kind: type[Variable] = Variable) -> Variable:
        """A new weight of this layer, with its first values."""
        initial = self.stored.pop(name, None)
        if initial is None:
            initial = np.array(initializers.get(initializer)(shape, self.dtype), self.dtype)
        variable = kind(initial, name, trainable, regularizers.get(regularizer), constraints.get(constraint))
        variable.path = f"{self.name}/{name}"
        self._variables.append(variable)
        return variable

    def sublayers(self) -> Sequence[Layer]:
        """The layers inside this one, in the order of their weights."""
        return ()

    def walk(self) -> Iterator[Layer]:
        """This layer and all those inside it, in the order of their weights."""
        yield self
        for layer in self.sublayers():
            yield from layer.walk()

    @property
    def weights(self) -> list[Variable]:
        """All weights, in Keras's order."""
        return self._variables + [v for layer in self.sublayers() for v in layer.weights]

    @property
    def trainable_weights(self) -> list[Variable]:
        if not self.trainable:
            return []
        return ([v for v in self._variables if v.trainable]
                + [v for layer in self.sublayers() for v in layer.trainable_weights])

    @property
    def non_trainable_weights(self) -> list[Variable]:
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in Keras's order and layouts."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights; either all of them or, after an error, none.

        Args:
            weights: arrays in the order and of the shapes that `get_weights` gives.

        Raises:
            ValueError: their number or a shape differs, or the layer is not built.

        Example:

        >>> from fastrnn.layers import Dense
        >>> layer = Dense(1)
        >>> layer.build((None, 2))
        >>> layer.set_weights([[[1], [2]], [3]])
        >>> layer([[10, 20]])
        array([[53.]], dtype=float32)
        """
        variables = self.weights
        if len(weights) != len(variables):
            hint = "" if self.built else "; build the layer first, by build(input_shape) or a call"
            raise ValueError(f"{self}: expected {len(variables)} weights, got {len(weights)}{hint}")
        new = [arrays.as_float(w, v.dtype, f"weight '{v.path}'") for v, w in zip(variables, weights)]
        for variable, value in zip(variables, new):
            if value.shape != variable.shape:
                raise ValueError(f"{self}: expected weight '{variable.path}' of shape {variable.shape}, "
                                 f"got {value.shape}")
        for variable, value in zip(variables, new):
            variable.assign(value)

    def count_params(self) -> int:
        """Number of elements of all weights."""
        return sum(v.data.size for v in self.weights)

    def losses(self) -> float:
        """Sum of the penalties on the weights."""
        return float(sum(v.regularizer(v.data) for v in self.trainable_weights if v.regularizer is not None))

    def add_regularization_grads(self) -> None:
        """Add the penalties' gradients to the weights' gradients."""
        for v in self.trainable_weights:
            if v.regularizer is not None:
                v.add_gradient(v.regularizer.gradient(v.data))

    # shapes --------------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape (batch first, None where it may vary)."""
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The output's shape for an input of this shape, None where it may vary; a layer that changes the shape must
        define it."""
        return tuple(input_shape)

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> np.ndarray | None:
        """The mask that goes with the output: (batch, time), or of more axes of the input, but not of its features."""
        return mask

    # data ----------------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        """The layer's output for an array of any numeric dtype.

        Args:
            x: input, batch first.
            training: dropout acts, and `backward` can follow.
            mask: bool array, False where a step is to be ignored, or None; its axes are the input's first ones,
                (batch, time), up to as many as `mask_rank` says.

        Raises:
            ValueError: the input or the mask does not fit; names the layer, what was expected and what came.
        """
        x = self.check_input(x)
        if not self.built:
            self.build(x.shape)
        x, mask = self.kept(x, self.check_mask(mask, x), training)
        y = self.forward(x, training=training, mask=mask)
        return y.copy() if training and isinstance(y, np.ndarray) else y    # `backward` may need it as it is

    def kept(self, x: np.ndarray, mask: np.ndarray | None, training: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Input and mask of a user's call; in training copies, as `backward` needs them as they are now, and the caller
        may change theirs. A training loop, which does not, calls `forward`."""
        return (x.copy(), None if mask is None else mask.copy()) if training else (x, mask)

    def check_input(self, x: Any) -> np.ndarray:
        """`x` as the array that `forward` takes, or a ValueError."""
        return x if arrays.is_ready(x, self.dtype) else arrays.as_float(x, self.dtype, f"{self} input")

    def mask_rank(self, rank: int) -> int:
        """How many axes, counted with the batch and at least 2, a mask may have beside an input of `rank` axes."""
        return rank - 1

    def check_mask(self, mask: Any, x: np.ndarray) -> np.ndarray | None:
        """`mask` as a bool array or None, or a ValueError."""
        if mask is None:
            return None
        mask = np.asarray(mask)
        if not 2 <= mask.ndim <= self.mask_rank(x.ndim) or mask.shape != x.shape[:mask.ndim] \
                or mask.dtype.kind not in "biuf":
            raise self.wrong_mask(mask, x.shape)
        return mask.astype(bool, copy=False)

    def wrong_mask(self, mask: np.ndarray, shape: tuple[int, ...]) -> ValueError:
        """The error of a mask that does not fit an input of this shape."""
        fitting = " or ".join(f"(batch, time{', ...' if rank > 2 else ''}) = {shape[:rank]}"
                              for rank in range(2, self.mask_rank(len(shape)) + 1))
        return ValueError(f"{self} mask: expected {f'bool {fitting}' if fitting else 'None, there is no time axis'}, "
                          f"got {mask.shape} of {mask.dtype}")

    def forward(self, x: np.ndarray, training: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
        """The output for a checked input. After training=True the layer holds what `backward` needs, which may be `x`,
        `mask` and the output themselves: they must not change before it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(x, training, mask)")

    def backward(self, dy: Any, input_gradient: bool = True) -> np.ndarray | None:
        """Gradients after a call with training=True.

        Args:
            dy: gradient of the output, of its shape.
            input_gradient: False spares the input's gradient.

        Returns:
            The gradient of the input, or None; the weights' gradients are in each variable's `grad`.

        Raises:
            RuntimeError: no call with training=True came before.
            ValueError: `dy` has another shape than the output.
        """
        raise NotImplementedError(f"{type(self).__name__} must define backward(dy, input_gradient)")

    def check_gradient(self, dy: Any, shape: tuple[int, ...], what: str = "dy") -> np.ndarray:
        """`dy` as an array of the layer's dtype and the shape given, its last axis contiguous; or a ValueError."""
        if type(dy) is not np.ndarray or dy.dtype != arrays.DTYPES[self.dtype] or not dy.flags.aligned:
            dy = arrays.as_float(dy, self.dtype, f"{self} {what}")
        if dy.shape != shape:
            raise ValueError(f"{self} {what}: expected shape {shape}, got {dy.shape}")
        return dy if dy.ndim == 0 or dy.strides[-1] == dy.itemsize else np.ascontiguousarray(dy)

    def not_called(self) -> RuntimeError:
        """The error of a `backward` that no training call came before."""
        return RuntimeError(f"{self}: backward needs a call with training=True before it")

    # configuration -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this layer again."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        if self._batch_input_shape is not None:
            config["batch_input_shape"] = self._batch_input_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """Build the layer from what `get_config` gave."""
        return cls(**config)
