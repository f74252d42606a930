# SPDX-License-Identifier: Apache-2.0
"""A graph of layers that is a layer: what a model is apart from its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from fastrnn import arrays
from fastrnn.graph import blueprint, configuration
from fastrnn.graph.call import Call
from fastrnn.graph.graph import Flat, Graph
from fastrnn.graph.schedule import Schedule
from fastrnn.graph.symbol import Symbol, flatten, has_symbols, rebuild
from fastrnn.layers.base import Layer, Shape, Variable, unique_name
from fastrnn.layers.core.input import InputLayer
from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.layers.table import deserialize, serialize


class Network(Layer):
    """Layers between inputs and outputs; see `Model`, which can be trained too.

    Args:
        inputs, outputs: symbols, alone or in lists, tuples or dictionaries.
        name, trainable: as of every layer.

    Raises:
        TypeError, ValueError: as `fastrnn.graph.graph.Graph`; two layers that share a name.
    """

    keras_module, keras_name = "keras.src.models.functional", "Functional"
    takes_custom_objects = True
    first_call_number = 1
    takes_many = True
    _graph: Graph | None = None
    _stateful: Sequence[Recurrent] = ()         # the layers, at any depth, that keep states

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name=name, trainable=trainable)
        graph = Graph(inputs, outputs, self)
        if any(symbol.node.inputs for symbol in graph.inputs):      # in the middle of another graph: inputs of its own
            graph = Flat(graph).graph([_input_like(symbol) for symbol in graph.inputs])
        self._set_graph(graph)
        names = [layer.name for layer in self.graph.layers]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{self}: there are two layers named {twice!r}; names in a model must differ")
        if len(self.graph.inputs) == 1:
            self._batch_input_shape = self.graph.inputs[0].shape
        self.built = True

    def _set_graph(self, graph: Graph | None) -> None:
        """The layers are others from now on."""
        self._graph = graph
        self._know_nodes()
        if graph is not None:
            floats = [symbol.dtype for symbol in graph.outputs if symbol.dtype.startswith("float")]
            self.dtype = floats[0] if floats else "float32"
        self._schedules: dict[frozenset[int], Schedule] = {}
        self._stateful = [layer for layer in self.walk() if isinstance(layer, Recurrent) and layer.stateful]

    def forget(self) -> None:
        super().forget()
        self._schedules = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, whose graph has nodes of its own."""
        self.__dict__.update(state)
        self._know_nodes()

    def _know_nodes(self) -> None:
        """Have the layers know the graph's nodes."""
        if self._graph is not None:
            for node in [symbol.node for symbol in self._graph.inputs] + self._graph.nodes:
                node.layer._nodes.add(node)

    @property
    def graph(self) -> Graph:
        """The calls between inputs and outputs.

        Raises:
            ValueError: the model is not built.
        """
        if self._graph is None:
            raise ValueError(f"{self}: is not built: the shape of its input is not known; begin with an Input, or call "
                             "build(input_shape)")
        return self._graph

    def unrolled(self) -> Graph | None:
        return self.graph if type(self).forward is Network.forward else None

    def demanded_shape(self, index: int) -> Shape:
        """The shape that arrays of an input must have, None where it may vary."""
        return self.graph.inputs[index].shape

    # the layers ----------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, those of the inputs among them, in the order of their weights."""
        return list(self.graph.layers)

    def sublayers(self) -> Sequence[Layer]:
        return [] if self._graph is None else [
            layer for layer in self._graph.layers if not isinstance(layer, InputLayer)]

    @property
    def weights(self) -> list[Variable]:
        """All weights, in Keras's order, each once."""
        return _each_once(super().weights)

    @property
    def trainable_weights(self) -> list[Variable]:
        return _each_once(super().trainable_weights)

    variables, trainable_variables = weights, trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether `fit` changes the weights; setting it sets that of every layer, as in Keras."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for layer in self.sublayers():
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
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"{self}: get_layer expected an index below {len(layers)}, got {index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"{self}: there is no layer {name!r}; there are: "
                         f"{', '.join(layer.name for layer in layers) or 'none'}")

    def __len__(self) -> int:
        return len(self.layers)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return self.layers[index]

    # inputs and outputs --------------------------------------------------------------------------------------------

    @property
    def inputs(self) -> list[Any]:
        """The symbols of the inputs."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[Any]:
        """The symbols of the outputs."""
        return list(self.graph.outputs)

    @property
    def input(self) -> Any:
        """The symbols of the inputs, as they were given."""
        return self.graph.input_structure

    @property
    def output(self) -> Any:
        """The symbols of the outputs, as they were given."""
        return self.graph.output_structure

    @property
    def input_shape(self) -> Any:
        """Shape of the input, None where it may vary; a list of several inputs' shapes."""
        shapes = [symbol.shape for symbol in self.graph.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """Shape of the output, None where it may vary; a list of several outputs' shapes."""
        shapes = [symbol.shape for symbol in self.graph.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def input_names(self) -> list[str]:
        """The names by which a dictionary of inputs holds their arrays."""
        return _names(self.graph.input_structure, self.graph.inputs)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: the keys of their dictionary, or of the layers that they come from; a name that is
        taken gets a number."""
        return _names(self.graph.output_structure, self.graph.outputs)

    def pack(self, outputs: Sequence[Any]) -> Any:
        """A flat list of outputs in the structure that the model was made with; a single one as it is."""
        if len(outputs) == 1 and not isinstance(self.graph.output_structure, Mapping):
            return outputs[0]
        return rebuild(self.graph.output_structure, outputs)

    def arrange(self, x: Any, what: str = "input") -> list[Any]:
        """Inputs as a user passes them, in the order of the graph's inputs.

        Args:
            x: one of them, a list, a dictionary by name, or the structure that the model was made with.
            what: for errors.

        Raises:
            ValueError: their number or a name is wrong.
        """
        names = self.input_names
        if isinstance(x, Mapping):
            missing = [name for name in names if name not in x]
            if missing:
                raise ValueError(f"{self}: expected {what} {', '.join(map(repr, names))}, got a dictionary with "
                                 f"{', '.join(map(repr, x)) or 'nothing'}; {', '.join(map(repr, missing))} missing")
            return [x[name] for name in names]
        if len(names) == 1:
            return [_single(x)]
        given = flatten(x) if isinstance(x, (list, tuple)) and has_symbols(x) else x
        if not isinstance(given, (list, tuple)) or len(given) != len(names):
            got = len(given) if isinstance(given, (list, tuple)) else f"one {type(given).__name__}"
            raise ValueError(f"{self}: expected {len(names)} {what}s ({', '.join(names)}) in a list or a dictionary, "
                             f"got {got}")
        return list(given)

    def prepare(self, x: Any) -> list[np.ndarray]:
        """Inputs as a user passes them, checked and converted for `run`.

        Raises:
            ValueError: they do not fit; names the layer, what was expected and what came.
        """
        return self.check_inputs(self.arrange(x))

    def check_input(self, x: Any) -> np.ndarray:
        return self.check_inputs([x])[0]

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        checked = [self._check_one(index, x) for index, x in enumerate(inputs)]
        if len(checked) > 1 and len({len(x) for x in checked}) > 1:
            sizes = ", ".join(f"{name!r}: {len(x)}" for name, x in zip(self.input_names, checked))
            raise ValueError(f"{self}: expected as many samples in each input, got {sizes}")
        return checked

    def _check_one(self, index: int, x: Any) -> np.ndarray:
        """An input for the layers that read it, which may be of several kinds."""
        takers = self.schedule().takers[index]
        own = self.graph.inputs[index].shape
        if type(x) is not np.ndarray:
            x = arrays.as_array(x, f"{takers[0].layer if takers else self} input")
        if x.ndim != len(own):
            x = _fit_rank(x, own)
            if x.ndim != len(own):
                for taker in takers:
                    taker.check(x)              # whose error says more
                one_sample = "; for one sample pass x[None]" if x.ndim == len(own) - 1 else ""
                raise ValueError(f"{self}: expected input of shape {own}, got {x.shape}{one_sample}")
        indices = [taker for taker in takers if taker.kind == "index"]
        for taker in indices or takers:
            x = taker.check(x)
        if all(taker.kind == "any" for taker in takers):
            x = arrays.as_dtype(x, self.graph.inputs[index].dtype, f"{self} input")
        self.check_fixed(index, x.shape)
        return x

    def check_fixed(self, index: int, shape: tuple[int, ...]) -> None:
        """Raise a ValueError if an input has another size where the model's is fixed."""
        own = self.demanded_shape(index)
        if any(size is not None and size != got for size, got in zip(own[1:], shape[1:])):
            name = f" {self.input_names[index]!r}" if len(self.graph.inputs) > 1 else ""
            raise ValueError(f"{self}: expected input{name} of shape {own}, got {shape}")

    def check_shapes(self, *shapes: Shape) -> None:
        if len(shapes) != len(self.graph.inputs):
            raise ValueError(f"{self}: expected {len(self.graph.inputs)} inputs, got {len(shapes)}")
        for index, (own, shape) in enumerate(zip((symbol.shape for symbol in self.graph.inputs), shapes)):
            if len(own) != len(shape) or any(one is not None and two is not None and one != two
                                             for one, two in zip(own[1:], shape[1:])):
                name = f" {self.input_names[index]!r}" if len(shapes) > 1 else ""
                raise ValueError(f"{self}: expected input{name} of shape {own}, got {shape}")

    def takes(self, below: Shape) -> Shape:
        """The shape that the model's one input has over a layer with outputs of the shape `below`."""
        self.check_shapes(below)
        return self.graph.inputs[0].shape

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        """The shape of the output for inputs of these shapes, the batch first; a list for several outputs."""
        graph = self.graph
        if len(input_shapes) == 1 and len(graph.inputs) > 1:
            input_shapes = tuple(self.arrange(input_shapes[0], "shape"))
        self.check_shapes(*input_shapes)
        known = {id(symbol): (shape[0], *(one if size is None else size for one, size in zip(symbol.shape[1:],
                                                                                              shape[1:])))
                 for symbol, shape in zip(graph.inputs, input_shapes)}
        for node in graph.nodes:
            made = node.layer.compute_output_shape(*(known[id(symbol)] for symbol in node.inputs))
            known.update((id(symbol), tuple(shape))
                         for symbol, shape in zip(node.outputs, [made] if node.single else made))
        shapes = [known[id(symbol)] for symbol in graph.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    def output_dtypes(self, inputs: list[Any], count: int) -> list[str]:
        return [symbol.dtype for symbol in self.graph.outputs]

    # masks ---------------------------------------------------------------------------------------------------------

    @property
    def input_kind(self) -> str:  # type: ignore[override]
        takers = [] if self._graph is None else self.schedule().takers[0]
        return takers[0].kind if takers else "float"

    @property
    def output_activation(self) -> str | None:  # type: ignore[override]
        if self._graph is None or len(self.graph.outputs) != 1:
            return None
        maker = self.schedule().maker(0)
        return None if maker is None else maker.output_activation

    def mask_rank(self, rank: int) -> int:
        takers = self.schedule().takers[0]
        return takers[0].layer.mask_rank(rank) if takers else rank - 1

    def check_mask(self, mask: Any, x: np.ndarray) -> np.ndarray | None:
        takers = self.schedule().takers[0]
        return takers[0].layer.check_mask(mask, x) if takers else super().check_mask(mask, x)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The masks that go with the outputs, for inputs that `prepare` gave."""
        xs = x if isinstance(x, list) else [x]
        found = self._masks_alone(xs, [mask, *[None] * (len(xs) - 1)])
        if found is None:
            found = self.schedule(frozenset([0]) if mask is not None else frozenset()).infer(
                xs, [mask, *[None] * (len(xs) - 1)])[1]
        return found[0] if len(found) == 1 else found

    def _masks_alone(self, xs: list[Any], masks: list[Any]) -> list[Any] | None:
        """The masks of the outputs without the outputs, or None where a layer makes its mask of what others compute."""
        graph = self.graph
        arrays_, known = {id(s): x for s, x in zip(graph.inputs, xs)}, {id(s): m for s, m in zip(graph.inputs, masks)}
        for node in graph.nodes:
            layer = node.layer
            inputs = [arrays_.get(id(symbol)) for symbol in node.inputs]
            if (layer.masks == "make" and inputs[0] is None) or node.masks:
                return None
            given = [known.get(id(symbol)) for symbol in node.inputs]
            made = layer.compute_mask(inputs, given) if layer.masks == "merge" else layer.compute_mask(inputs[0],
                                                                                                       given[0])
            every = made if isinstance(made, list) else [made]
            known.update((id(symbol), one) for symbol, one in zip(node.outputs, every))
        return [known.get(id(symbol)) for symbol in graph.outputs]

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        return self.schedule(frozenset([0]) if any(masked) else frozenset()).masked_outputs

    # running -------------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs for arrays of inputs; for symbols, the symbols of the outputs.

        Args:
            x: inputs, the batch first, of any numeric dtype: one, a list, or a dictionary by name.
            training: whether dropout acts, and `backward` can follow.
            mask: of the first input: bool array, `(batch, time)` or of as many axes as its layer takes, False where a
                step is to be ignored, or None.

        Raises:
            ValueError: the inputs do not fit; names the layer, what was expected and what came.
        """
        if has_symbols(x):
            made = self.connect(self.arrange(x), (x,), {}, training, mask)
            return self.pack(made if isinstance(made, list) else [made])
        made = self.run_call(self.arrange(x), training, mask)
        return self.pack(made if isinstance(made, list) else [made])

    def schedule(self, masked: frozenset[int] = frozenset()) -> Schedule:
        """What runs the graph when nothing is kept; `masked` are the inputs that come with a mask."""
        found = self._schedules.get(masked)
        if found is None:
            found = self._schedules[masked] = Schedule(self.graph, masked)
        return found

    def run(self, xs: Sequence[np.ndarray]) -> tuple[list[Any], list[Any]]:
        """The outputs for inputs that `prepare` gave, and the masks that reach them."""
        if self._stateful:
            return self.all_or_none(self.schedule().infer, xs)
        return self.schedule().infer(xs)

    def all_or_none(self, run: Any, xs: Sequence[np.ndarray], masks: Any = None) -> Any:
        """Run; if it fails, no layer has gone on to other states."""
        if not self._stateful:
            return run(xs, masks)
        self.check_batch(len(xs[0]))
        before = [layer._states for layer in self._stateful]
        try:
            return run(xs, masks)
        except BaseException:
            for stateful, states in zip(self._stateful, before):
                stateful._states = states
            raise

    def forward(self, x: np.ndarray, *more: np.ndarray, call: Call) -> Any:
        masked = frozenset([0]) if call.mask is not None else frozenset()
        if call.taped:
            schedule = call.of((masked, id(self.graph)), lambda: Schedule(self.graph, masked, dropout=call.training))
            call.kept = schedule
            run = schedule.forward
        else:
            run = self.schedule(masked).infer
        outputs = self.all_or_none(run, (x, *more), None if call.mask is None else [call.mask, *[None] * len(more)])[0]
        return outputs[0] if len(outputs) == 1 else outputs

    def backward(self, dy: Any, *more: Any, call: Call | None = None) -> Any:
        """Gradients after a call with training=True, for loops of your own.

        Args:
            dy, more: gradients of the outputs, of their shapes; of several outputs None is zero.
            call: that of `forward`; None for `model(x, training=True)`.

        Returns:
            The gradient of the input or None, or a list of those of several inputs; the weights' gradients are in each
            variable's `grad`.
        """
        call = self.taped(call)
        schedule: Schedule = call.kept
        if len(more) + 1 != len(self.graph.outputs):
            raise ValueError(f"{self} backward: expected {len(self.graph.outputs)} gradients, one for each output, got "
                             f"{len(more) + 1}")
        schedule.follow(call)
        grads = schedule.backward((dy, *more))
        return grads[0] if len(grads) == 1 else grads

    # configuration -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """What builds this model again, without its weights: its layers, their calls, its inputs and outputs."""
        return {"name": self.name, "trainable": self.trainable, **configuration.configuration(self.graph, serialize)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Build a model, with new weights, from what `get_config` gave.

        Args:
            config: the dictionary, or Keras's.
            custom_objects: your own classes by name.

        Raises:
            ValueError: `config` is not such a dictionary, or names a layer that is not known.

        Example:

        >>> import fastrnn
        >>> x = fastrnn.Input((None, 3))
        >>> model = fastrnn.Model(x, fastrnn.layers.GRU(4)(x))
        >>> fastrnn.Model.from_config(model.get_config()).count_params() == model.count_params()
        True
        """
        if not blueprint.is_functional(config):
            raise ValueError(f"{cls.__name__}.from_config: expected a dictionary with 'layers', 'input_layers' and "
                             f"'output_layers', got {config!r}")
        plan = blueprint.read(config)
        layers = [deserialize(layer.entry, custom_objects) for layer in plan.layers]
        return cls(*blueprint.link(plan, layers), name=config.get("name"), trainable=config.get("trainable", True))

    # states --------------------------------------------------------------------------------------------------------

    @property
    def stateful(self) -> bool:
        """Whether a layer keeps its states from call to call."""
        return bool(self._stateful)

    def check_batch(self, size: int) -> None:
        """Refuse a batch of another size than a stateful model was built for, before a layer has seen it."""
        built = self.graph.inputs[0].shape[0] if self._stateful else None
        if built not in (None, size):
            raise ValueError(f"{self}: is stateful and built for a batch of {built}, got a batch of {size}; pass "
                             f"batch_size={built}, or make it with another batch size in its Input")

    def reset_states(self) -> None:
        """Forget the states that stateful layers keep."""
        for layer in self.sublayers():
            if hasattr(layer, "reset_states"):
                layer.reset_states()

    reset_state = reset_states


def _input_like(symbol: Symbol) -> Symbol:
    """An input in the place of a symbol, which stays one if it is."""
    if not symbol.node.inputs:
        return symbol
    return InputLayer(batch_shape=symbol.shape, dtype=symbol.dtype, name=unique_name(f"{symbol.name}_input")).symbol()


def _each_once(variables: list[Variable]) -> list[Variable]:
    return list({id(variable): variable for variable in variables}.values())


def _names(structure: Any, symbols: Sequence[Any]) -> list[str]:
    """Of symbols: a dictionary's keys, or their own names, numbered where one is taken."""
    if isinstance(structure, Mapping) and all(type(value) is type(symbols[0]) for value in structure.values()):
        return sorted(structure)
    names: list[str] = []
    for symbol in symbols:
        name, number = symbol.name, 0
        while name in names:
            number += 1
            name = f"{symbol.name}_{number}"
        names.append(name)
    return names


def _single(x: Any) -> Any:
    """A list of one array, which is how Keras lists the inputs of a model, stands for that array."""
    if isinstance(x, (list, tuple)) and len(x) == 1 and (
            has_symbols(x) or (arrays.is_array_like(x[0]) and getattr(x[0], "ndim", 0) > 1)):
        return x[0]
    return x


def _fit_rank(x: np.ndarray, expected: Shape) -> np.ndarray:
    """As Keras does it: an axis of length 1 at the end is dropped or added where that gives the rank expected."""
    if x.ndim == len(expected) - 1 and expected[-1] == 1:
        return x[..., None]
    if x.ndim == len(expected) + 1 and x.shape[-1] == 1 and expected[-1] != 1:
        return x[..., 0]
    return x
