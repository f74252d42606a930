# SPDX-License-Identifier: Apache-2.0
"""A graph of layers that is a layer: what a model is apart from its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from fastrnn import runtime
from fastrnn.graph import blueprint, configuration, eager
from fastrnn.graph.call import Call
from fastrnn.graph.graph import Flat, Graph
from fastrnn.graph.schedule import Schedule
from fastrnn.graph.symbol import Symbol, has_symbols
from fastrnn.layers.base import Layer, Variable, unique_name
from fastrnn.layers.core.input import InputLayer
from fastrnn.layers.ports import Ports
from fastrnn.layers.recurrent.states import States
from fastrnn.layers.table import deserialize, serialize


class Network(Ports):
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
    _stateful: Sequence[States] = ()            # the layers, at any depth, that keep states
    _changing: Sequence[Layer] = ()             # and those that calls change in any way
    _direct: Any = None                         # see `direct`; False where there is no such way

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
        self._schedules = {}
        self._direct = None
        self._stateful = [layer for layer in self.walk() if isinstance(layer, States) and layer.stateful]
        self._changing = [layer for layer in self.walk() if layer.changed_by_calls]

    def forget(self) -> None:
        super().forget()
        self._schedules = {}
        self._direct = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, whose graph has nodes of its own."""
        self.__dict__.update(state)
        self._know_nodes()

    def _know_nodes(self) -> None:
        """Have the layers know the graph's nodes."""
        if self._graph is not None:
            for node in [symbol.node for symbol in self._graph.inputs] + self._graph.nodes:
                node.layer._nodes.add(node)

    def unrolled(self) -> Graph | None:
        return self.graph if type(self).forward is Network.forward else None

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

    # shapes --------------------------------------------------------------------------------------------------------

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
            made = node.layer.shapes_of_outputs([known[id(symbol)] for symbol in node.inputs], node.options)
            known.update((id(symbol), tuple(shape))
                         for symbol, shape in zip(node.outputs, [made] if node.single else made))
        shapes = [known[id(symbol)] for symbol in graph.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    def output_dtypes(self, inputs: list[Any], count: int) -> list[str]:
        return [symbol.dtype for symbol in self.graph.outputs]

    # masks ---------------------------------------------------------------------------------------------------------

    @property
    def input_kind(self) -> str:
        takers = [] if self._graph is None else self.schedule().takers[0]
        return takers[0].kind if takers else "float"

    def wants_strings(self, index: int) -> bool | None:
        if self._graph is None:
            return None
        takers = self.schedule().takers[index]
        return takers[0].layer.wants_strings(takers[0].number) if takers else None

    @property
    def default_input_dtype(self) -> str:
        return self.dtype if self._graph is None else self._graph.inputs[0].dtype

    @property
    def output_activation(self) -> str | None:
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
        if not training and mask is None and eager.current() is None and (y := self.direct(x)) is not None:
            return y
        if has_symbols(x):
            made = self.connect(self.arrange(x), (x,), {}, training, mask)
            return self.pack(made if isinstance(made, list) else [made])
        made = self.run_call(self.arrange(x), training, mask)
        return self.pack(made if isinstance(made, list) else [made])

    def run(self, xs: Sequence[np.ndarray]) -> tuple[list[Any], list[Any]]:
        """The outputs for inputs that `prepare` gave, and the masks that reach them."""
        if self._stateful:
            return self.all_or_none(self.schedule().infer, xs)
        return self.schedule().infer(xs)

    def direct(self, x: Any) -> np.ndarray | None:
        """The output for an input as users pass it, if one compiled call gives it: from a ready array, by a line of
        layers. Else None: then it goes by `prepare` and `run`."""
        if self._direct is None:
            self.direct_runner()
        return self._direct.output(x, runtime.get_num_threads()) if self._direct else None

    def direct_runner(self) -> Any:
        """What `direct` calls, or False."""
        if self._direct is None and self._graph is not None:
            self._direct = self._as_runner() or False
        return self._direct

    def _as_runner(self) -> Any:
        runner = self.schedule().runner
        if runner is None or self.unrolled() is None or isinstance(self.graph.output_structure, Mapping):
            return None
        sizes = self.demanded_shape(0)[1:]
        return type(runner)([runner], (-1, *(-1 if size is None else size for size in sizes)))

    def all_or_none(self, run: Any, xs: Sequence[np.ndarray], masks: Any = None) -> Any:
        """Run; if it fails, no layer has gone on to other states, or to other moving averages."""
        if not self._changing:
            return run(xs, masks)
        if self._stateful:
            self.check_batch(len(xs[0]))
        before = [layer.snapshot() for layer in self._changing]
        try:
            return run(xs, masks)
        except BaseException:
            for layer, snapshot in zip(self._changing, before):
                layer.restore(snapshot)
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
