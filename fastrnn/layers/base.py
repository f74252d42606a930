# SPDX-License-Identifier: Apache-2.0
"""What every layer is: its name, its weights, its configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from fastrnn import activations, arrays, constraints, initializers, regularizers
from fastrnn.config import floatx
from fastrnn.graph import eager
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import NodesOf
from fastrnn.layers import building
from fastrnn.layers.calling import Calling
from fastrnn.layers.own import takes_call
from fastrnn.layers.variable import Variable
from fastrnn.registry import did_you_mean, snake_case

#: Keras's older keywords for the shape of the first layer's input.
LEGACY = ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "input_length", "batch_size")

Shape = tuple[int | None, ...]

_counts: dict[str, int] = {}


def unique_name(prefix: str) -> str:
    """"lstm", then "lstm_1", "lstm_2", ..."""
    count = _counts.get(prefix, 0)
    _counts[prefix] = count + 1
    return prefix if count == 0 else f"{prefix}_{count}"


def reset_names() -> None:
    """Start the numbering of layer names anew."""
    _counts.clear()


#: What describes a weight, by the end of the argument's name: how it starts, is penalized, and kept in bounds.
_DESCRIPTIONS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


_AS_NAMED = ("name", "shape", "initializer", "regularizer", "constraint", "trainable")
_AS_IN_KERAS_3 = ("shape", "initializer", "dtype", "trainable")


class Layer(Calling):
    """Base of all layers. A subclass defines `build`, `forward` and `backward`, see `Calling`.

    Args:
        name: unique in a model; made from the class's name if None.
        trainable: whether the optimizer changes the weights.
        dtype: "float32" or "float64"; `fastrnn.config.floatx()` by default.
        activity_regularizer: penalty on the output; its mean over the batch is added to the loss.
        input_shape, batch_input_shape, input_dim, input_length, batch_size: Keras's older keywords for the shape of the
            first layer's input: without the batch, with it, and in pieces.

    Raises:
        TypeError: for a keyword that the layer does not have; suggests the nearest.
        ValueError: for another dtype.
    """

    #: Makes the first values of the weights in place of their initializers, of the shape and dtype.
    first_values: Callable[[tuple[int, ...], str], np.ndarray] | None = None

    #: The weights that arguments describe: "kernel" for `kernel_initializer`, `kernel_regularizer` and so on.
    described: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in vars(cls) and "forward" not in vars(cls):
            takes_call(cls)
        if "build" in vars(cls):
            cls.build = building.whole(cls.build)   # type: ignore[method-assign]

    def __init__(self, *, name: str | None = None, trainable: bool = True, dtype: Any = None,
                 activity_regularizer: Any = None, **legacy: Any) -> None:
        if legacy.get("quantization_config", self) is None:     # Keras 3.15 writes it into every configuration
            del legacy["quantization_config"]
        self.name = name if name is not None else unique_name(snake_case(type(self).__name__))
        self._trainable = trainable
        self.dtype = self._dtype_name(dtype)
        self.activity_regularizer = regularizers.get(activity_regularizer)
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
            return floatx()
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
        """Drop what calls of this layer leave for later ones: weights packed for the kernels, buffers, and what
        `backward` needs; and that it was called on symbols."""
        self._default_call: Call | None = None
        self._nodes = NodesOf()

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

    def count_of(self, argument: str, value: Any) -> int:
        """An argument that is a positive whole number.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value <= 0:
            raise ValueError(f"{self} {argument}: expected a positive whole number, got {value!r}")
        return int(value)

    def describe(self, arguments: Mapping[str, Any]) -> None:
        """Keep the arguments that describe weights: names and configurations become objects."""
        for name, module in self._descriptions():
            setattr(self, name, module.get(arguments[name]))

    def _descriptions(self) -> Iterator[tuple[str, Any]]:
        """The names of these arguments, and what knows their values."""
        return ((f"{weight}_{ending}", module) for ending, module in _DESCRIPTIONS.items() for weight in self.described)

    def described_weight(self, name: str, shape: tuple[int, ...], by: str = "", initializer: Any = None,
                         kind: type[Variable] = Variable) -> Variable:
        """A new weight as the arguments that begin with `by` describe it, or else with its name.

        Args:
            name: of the weight.
            shape: of it.
            by: "recurrent" for `recurrent_initializer` and so on.
            initializer: in the place of that.
            kind: class of the variable.
        """
        first, penalty, bounds = (getattr(self, f"{by or name}_{ending}") for ending in _DESCRIPTIONS)
        return self.add_weight(name, shape, initializer or first, penalty, bounds, kind=kind)

    def add_weight(self, *arguments: Any, shape: Any = None, initializer: Any = None, dtype: Any = None,
                   trainable: bool = True, autocast: bool = True, regularizer: Any = None, constraint: Any = None,
                   aggregation: Any = None, name: str | None = None, kind: type[Variable] = Variable) -> Variable:
        """A new weight of this layer, with its first values.

        Args:
            arguments: in Keras 3's order (shape, initializer, dtype, trainable), or, beginning with a name,
                (name, shape, initializer, regularizer, constraint, trainable).
            shape: of it; () by default.
            initializer: glorot_uniform by default, zeros for whole numbers.
            dtype: that of the layer by default.
            trainable: whether an optimizer changes it.
            autocast, aggregation: without effect; Keras programs pass them.
            regularizer, constraint: of it, by name or as instances.
            name: of it.
            kind: class of the variable.

        Example:

        >>> from fastrnn.layers import Layer
        >>> Layer().add_weight(shape=(2, 3), initializer="ones", name="scale").shape
        (2, 3)
        """
        given = {"shape": shape, "initializer": initializer, "dtype": dtype, "trainable": trainable,
                 "regularizer": regularizer, "constraint": constraint, "name": name}
        order = _AS_NAMED if arguments and isinstance(arguments[0], (str, type(None))) else _AS_IN_KERAS_3
        given.update(zip(order, arguments))
        made = given["dtype"] or self.dtype
        sizes = given["shape"] if given["shape"] is not None else ()
        sizes = tuple(int(size) for size in sizes) if isinstance(sizes, (list, tuple)) else (int(sizes),)
        label = given["name"] or ("variable" if not self._variables else f"variable_{len(self._variables)}")
        initial = self.stored.pop(label, None)
        if initial is None and self.first_values is not None:
            initial = self.first_values(sizes, made)
        if initial is None:
            first = given["initializer"] or ("glorot_uniform" if str(made).startswith("float") else "zeros")
            initial = np.array(initializers.get(first)(sizes, made), made)
        variable = kind(initial, label, given["trainable"], regularizers.get(given["regularizer"]),
                        constraints.get(given["constraint"]))
        variable.path = f"{self.name}/{label}"
        self._variables.append(variable)
        return variable

    add_variable = add_weight

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes the weights; setting it sets that of the layers inside, too, as in Keras."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for layer in self.sublayers():
            layer.trainable = value

    def sublayers(self) -> Sequence[Any]:
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
        new = [arrays.as_dtype(w, v.dtype, f"weight '{v.path}'") for v, w in zip(variables, weights)]
        for variable, value in zip(variables, new):
            if value.shape != variable.shape:
                raise ValueError(f"{self}: expected weight '{variable.path}' of shape {variable.shape}, "
                                 f"got {value.shape}")
        for variable, value in zip(variables, new):
            variable.assign(value)

    def count_params(self) -> int:
        """Number of elements of all weights."""
        return sum(v.data.size for v in self.weights)

    @property
    def losses(self) -> list[float]:
        """The penalties on the weights."""
        return [float(v.regularizer(v.data)) for v in self.trainable_weights if v.regularizer is not None]

    def add_regularization_grads(self) -> None:
        """Add the penalties' gradients to the weights' gradients."""
        for v in self.trainable_weights:
            if v.regularizer is not None:
                v.add_gradient(v.regularizer.gradient(v.data))

    def add_loss(self, loss: Any) -> None:
        """Add to the loss of the model, from within a `call` of your own.

        Args:
            loss: an array, whose sum is added, or a function without arguments that gives one.

        Raises:
            RuntimeError: no such call is running; `Model.add_loss` takes symbols, and weights a regularizer.
        """
        running = eager.current()
        if running is None:
            raise RuntimeError(f"{self}: add_loss is for the inside of call; to add a symbol's mean use the model's "
                               "add_loss, and for a penalty on weights their regularizer")
        running.losses.append(loss() if callable(loss) else loss)

    # what calls change ---------------------------------------------------------------------------------------------

    @property
    def changed_by_calls(self) -> bool:
        """Whether a call can leave something in the layer for later ones: states, moving averages."""
        return False

    def snapshot(self) -> Any:
        """What calls change, as it is now, for `restore`, if a later step of the same pass fails."""
        return None

    def restore(self, snapshot: Any) -> None:
        """Put what calls change back to what `snapshot` gave."""

    # configuration -------------------------------------------------------------------------------------------------

    def own_functions(self) -> dict[str, Any]:
        """The user's own functions among the arguments, by the names that the configuration has for them."""
        held = [(value.name, value.function) if isinstance(value, activations.FunctionActivation) else
                (getattr(value, "__name__", ""), value) for value in vars(self).values()]
        return {name: value for name, value in held if isinstance(value, FunctionType) and name.isidentifier()}

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this layer again."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        config.update((name, module.serialize(getattr(self, name))) for name, module in self._descriptions())
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if self._batch_input_shape is not None:
            config["batch_input_shape"] = self._batch_input_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """Build the layer from what `get_config` gave."""
        return cls(**config)
