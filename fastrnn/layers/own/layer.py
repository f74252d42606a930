# SPDX-License-Identifier: Apache-2.0
"""Layers and models with a `call` of the user's own, as Keras has them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn.graph import eager
from fastrnn.graph.call import Call
from fastrnn.graph.eager import Eager
from fastrnn.graph.symbol import Node, Symbol, flatten, has_symbols, rebuild
from fastrnn.graph.tape import Unavailable, plain
from fastrnn.layers.calling import Calling, Shape
from fastrnn.layers.own.call import (
    as_array,
    as_arrays,
    as_output,
    build_on,
    copied,
    differs,
    filled,
    invoke,
    is_list_of_numbers,
    leaves,
    makes_masks,
    own_array,
    to_read,
    total_of,
)
from fastrnn.layers.own.inside import NOT_INSIDE, sublayers_of, take_variables
from fastrnn.layers.own.shapes import outputs_for, sample
from fastrnn.layers.variable import Variable


class Own(Calling):
    """What a subclass of `Layer` or `Model` gets that defines `call`.

    Its code runs on arrays as it is, and so do the layers that it calls. In training it is traced, and differentiated
    by autograd; a call of a layer of the library is one step of the trace. Called on symbols, the code runs on zeros,
    from which the shapes of the outputs are known.
    """

    trainable_weights: Sequence[Any]
    _variables: list[Variable]
    masks = "merge"
    takes_many = takes_arguments = True
    output_activation = None

    @property
    def input_kind(self) -> str:
        return "any"

    # calls ---------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What `call` gives for these arguments; for symbols among them, symbols.

        Raises:
            ImportError: something is to be differentiated, and autograd is not installed.
        """
        if has_symbols(args) or has_symbols(kwargs):
            return self.connect([], args, kwargs)
        running = eager.current()
        if running is not None:
            return invoke(self, args, kwargs, running)
        args = tuple(np.array(value) if is_list_of_numbers(value) else value for value in args)
        args, kwargs = as_arrays(self, args), as_arrays(self, kwargs)
        if kwargs.get("training"):
            call = self.default_call
            call.training = call.taped = True
            call.kept, call.mask, call.arguments = None, None, (args, kwargs)
            try:
                self.forward(*(x.copy() for x in leaves(args, kwargs)), call=call)
            except Unavailable:
                pass            # nobody may want to go back
            else:
                structure = call.kept[1]
                return rebuild(structure, [copied(plain(one)) for one in flatten(structure)])
        with Eager(bool(kwargs.get("training"))) as running:
            args, kwargs = filled((args, kwargs), list(map(to_read, leaves(args, kwargs))))
            y = invoke(self, args, kwargs, running)
        return rebuild(y, [own_array(one) for one in flatten(y)])

    def forward(self, *xs: Any, call: Call) -> Any:
        """The outputs in a list; the last is the sum of the losses that the code adds, if it adds any."""
        boxed = call.taped and bool(self.trainable_weights or any(
            call.wants(index) and differs(x) for index, x in enumerate(xs)))
        with Eager(call.training, boxed, call) as running:
            tape = running.tape
            inputs = [x if tape is None or not (call.wants(index) and differs(x)) else tape.box(x)
                      for index, x in enumerate(map(to_read, xs))]
            for x, mask in zip(inputs, call.mask or []):
                running.give_mask(x, mask)
            args, kwargs = filled(call.arguments, inputs)
            y = invoke(self, args, kwargs, running)
            outputs = flatten(y)
            call.masks_made = [plain(running.mask_of(one)) for one in outputs]
            if running.losses:
                outputs.append(total_of(running.losses))
                call.masks_made.append(None)
        if call.taped:
            call.kept = tape, y, outputs, inputs
        values = [as_output(one, self.dtype) for one in outputs]
        return values[0] if len(values) == 1 else values

    def backward(self, dy: Any, *more: Any, call: Call | None = None) -> Any:
        call = self.taped(call)
        tape, _, outputs, inputs = call.kept
        dys = [None if one is None else self.check_gradient(one, np.shape(plain(output)))
               for one, output in zip((dy, *more), outputs, strict=True)]
        if tape is None:
            found: list[Any] = [None] * len(inputs)
        else:
            with np.errstate(all="ignore"):
                found = tape.backward(outputs, dys, inputs, self.trainable_weights)
        found = [np.ascontiguousarray(dx, plain(x).dtype) if dx is not None and call.wants(index) else None
                 for index, (dx, x) in enumerate(zip(found, inputs))]
        return found[0] if len(found) == 1 else found

    def check_part(self, index: int, x: Any) -> Any:
        return as_array(self, x)

    def check_shapes(self, *shapes: Shape) -> None:
        """Any may do."""

    def mask_rank(self, rank: int) -> int:
        return max(rank, 2)

    def wants_strings(self, index: int) -> None:
        """None: the code takes what it takes."""
        return None

    compute_mask, check_mask = Calling.compute_mask, Calling.check_mask       # also where a model has others

    def masks_of_outputs(self, xs: list[Any], call: Call) -> Any:
        return call.masks_made if len(call.masks_made) != 1 else call.masks_made[0]

    # symbols -------------------------------------------------------------------------------------------------------

    def connect(self, inputs: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None = None,
                mask: Any = None, options: Mapping[str, Any] | None = None,
                masks: tuple[Any, ...] | None = None) -> Any:
        kwargs = {**kwargs, **({} if training is None else {"training": training}),
                  **({} if mask is None else {"mask": mask})}
        symbols = leaves(args, kwargs)
        if not self.built:
            build_on(self, args, kwargs)
        found = outputs_for(self, args, kwargs, [symbol.shape for symbol in symbols],
                             [symbol.dtype for symbol in symbols], [symbol.masked for symbol in symbols])
        said = kwargs.get("training")
        node = Node(self, symbols, args, kwargs, (), said if isinstance(said, bool) else None)
        self._nodes.add(node)
        single = len(found.shapes) == 1
        made = node.makes(found.shapes[0] if single else found.shapes, found.dtypes, found.masked)
        node.adds_loss = found.adds_loss
        every = [made] if single else made
        return rebuild(found.structure, every[:len(every) - found.adds_loss])

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        shapes = [tuple(shape) for shape in input_shapes]
        if len(shapes) == 1 and shapes[0] and isinstance(shapes[0][0], (list, tuple)):
            shapes = [tuple(shape) for shape in shapes[0]]
        node = next((node for node in self._nodes.alive() if len(node.inputs) == len(shapes)), None)
        args, kwargs = ((sample([np.zeros(()) for _ in shapes]),), {}) if node is None else (node.args, node.kwargs)
        dtypes = [self.dtype] * len(shapes) if node is None else [symbol.dtype for symbol in node.inputs]
        if not self.built:
            build_on(self, (sample([np.broadcast_to(np.zeros(()), [size or 1 for size in shape])
                                      for shape in shapes]),), {})
        known = vars(self).setdefault("_known_shapes", {})
        key = (id(node), *(shape[1:] for shape in shapes))
        if key not in known:
            free = [(None, *shape[1:]) for shape in shapes]
            known[key] = outputs_for(self, args, kwargs, free, dtypes, [False] * len(shapes)).shapes
        made = [(shapes[0][0], *shape[1:]) if shape and shape[0] is None else shape for shape in known[key]]
        return made[0] if len(made) == 1 else made

    def output_dtypes(self, inputs: list[Symbol], count: int) -> list[str]:
        return [self.dtype] * count

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        """Which outputs may have a mask: any, where one comes in or the code may make it; the runs on zeros know more,
        and the symbols have it from them."""
        return [any(masked) or makes_masks(self)] * count

    # what is inside ------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        """A variable that is set as an attribute is a weight of the layer, in lists and dictionaries too."""
        holds = isinstance(value, (Variable, list, tuple, Mapping)) and name not in NOT_INSIDE
        if holds and "_variables" in vars(self):
            take_variables(self, value)
        object.__setattr__(self, name, value)

    def sublayers(self) -> Sequence[Any]:
        """The layers that attributes hold, in the order in which they were set; in lists and dictionaries too."""
        return sublayers_of(self)


def takes_call(cls: type) -> None:
    """Give a class that defines `call`, and no `forward`, what it needs to be a layer."""
    own = vars(cls)
    for name, value in vars(Own).items():
        if name in ("__module__", "__doc__", "__dict__", "__weakref__", "__annotations__"):
            continue
        if name == "compute_output_shape" and name in own:
            cls.compute_output_shape = _of_shapes(own[name])        # type: ignore[attr-defined]
        elif name not in own:
            setattr(cls, name, value)
    cls.runner = Calling.runner         # type: ignore[attr-defined]
    if "train_step" in own or "test_step" in own:
        raise TypeError(f"{cls.__name__}: train_step and test_step cannot be overridden: there is no GradientTape; use "
                        "train_on_batch in a loop of your own, and add_loss in call for further losses")


def _of_shapes(compute: Callable[..., Any]) -> Callable[..., Any]:
    """The user's `compute_output_shape(input_shape)` as one of several shapes."""
    @functools.wraps(compute)
    def shape_of(self: Any, *shapes: Any) -> Any:
        found = compute(self, shapes[0] if len(shapes) == 1 else list(shapes))
        return [tuple(one) for one in found] if found and isinstance(found[0], (list, tuple)) else tuple(found)
    return shape_of
