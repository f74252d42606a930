# SPDX-License-Identifier: Apache-2.0
"""Layers and models with a `call` of the user's own, as Keras has them."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph import eager
from fastrnn.graph.call import Call
from fastrnn.graph.eager import Eager
from fastrnn.graph.symbol import Node, Symbol, flatten, has_symbols, rebuild
from fastrnn.graph.tape import Unavailable, is_box, plain
from fastrnn.layers.calling import Calling, Shape
from fastrnn.layers.variable import Variable

#: Sizes that stand for axes that may vary, the batch's and the others', in two runs on zeros; then larger ones, where
#: these are too small for the code.
_TRIALS = (((2, 24), (3, 31)), ((2, 160), (3, 167)))
#: Elements of an input in such a run.
_MOST = 1 << 28


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
            return _invoked(self, args, kwargs, running)
        args = tuple(np.array(value) if _is_list_of_numbers(value) else value for value in args)
        args, kwargs = _as_arrays(self, args), _as_arrays(self, kwargs)
        if kwargs.get("training"):
            call = self.default_call
            call.training = call.taped = True
            call.kept, call.mask, call.arguments = None, None, (args, kwargs)
            try:
                self.forward(*(x.copy() for x in _leaves(args, kwargs)), call=call)
            except Unavailable:
                pass            # nobody may want to go back
            else:
                structure = call.kept[1]
                return rebuild(structure, [_copied(plain(one)) for one in flatten(structure)])
        with Eager(bool(kwargs.get("training"))) as running:
            args, kwargs = _filled((args, kwargs), list(map(_to_read, _leaves(args, kwargs))))
            y = _invoked(self, args, kwargs, running)
        return rebuild(y, [_own_array(one) for one in flatten(y)])

    def forward(self, *xs: Any, call: Call) -> Any:
        """The outputs in a list; the last is the sum of the losses that the code adds, if it adds any."""
        boxed = call.taped and bool(self.trainable_weights or any(
            call.wants(index) and _differs(x) for index, x in enumerate(xs)))
        with Eager(call.training, boxed, call) as running:
            tape = running.tape
            inputs = [x if tape is None or not (call.wants(index) and _differs(x)) else tape.box(x)
                      for index, x in enumerate(map(_to_read, xs))]
            for x, mask in zip(inputs, call.mask or []):
                running.give_mask(x, mask)
            args, kwargs = _filled(call.arguments, inputs)
            y = _invoked(self, args, kwargs, running)
            outputs = flatten(y)
            call.masks_made = [plain(running.mask_of(one)) for one in outputs]
            if running.losses:
                outputs.append(_total(running.losses))
                call.masks_made.append(None)
        if call.taped:
            call.kept = tape, y, outputs, inputs
        values = [_as_output(one, self.dtype) for one in outputs]
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
        return _as_array(self, x)

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
        symbols = _leaves(args, kwargs)
        if not self.built:
            _build_on(self, args, kwargs)
        found = _outputs_for(self, args, kwargs, [symbol.shape for symbol in symbols],
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
        args, kwargs = ((_sample([np.zeros(()) for _ in shapes]),), {}) if node is None else (node.args, node.kwargs)
        dtypes = [self.dtype] * len(shapes) if node is None else [symbol.dtype for symbol in node.inputs]
        if not self.built:
            _build_on(self, (_sample([np.broadcast_to(np.zeros(()), [size or 1 for size in shape])
                                      for shape in shapes]),), {})
        known = vars(self).setdefault("_known_shapes", {})
        key = (id(node), *(shape[1:] for shape in shapes))
        if key not in known:
            free = [(None, *shape[1:]) for shape in shapes]
            known[key] = _outputs_for(self, args, kwargs, free, dtypes, [False] * len(shapes)).shapes
        made = [(shapes[0][0], *shape[1:]) if shape and shape[0] is None else shape for shape in known[key]]
        return made[0] if len(made) == 1 else made

    def output_dtypes(self, inputs: list[Symbol], count: int) -> list[str]:
        return [self.dtype] * count

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        """Which outputs may have a mask: any, where one comes in or the code may make it; the runs on zeros know more,
        and the symbols have it from them."""
        return [any(masked) or _makes_masks(self)] * count

    # what is inside ------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        """A variable that is set as an attribute is a weight of the layer."""
        if isinstance(value, Variable) and "_variables" in vars(self):
            known = [*self._variables, *(weight for layer in _sublayers(self) for weight in layer.weights)]
            if not any(weight is value for weight in known):
                value.path = f"{self.name}/{value.name}"
                self._variables.append(value)
        object.__setattr__(self, name, value)

    def sublayers(self) -> Sequence[Any]:
        """The layers that attributes hold, in the order in which they were set; in lists and dictionaries too."""
        return _sublayers(self)


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


# one call ----------------------------------------------------------------------------------------------------------

def _invoked(layer: Any, args: Any, kwargs: Any, running: Eager) -> Any:
    """What the code gives, within a run."""
    args, kwargs = _as_arrays(layer, args, running), _as_arrays(layer, kwargs, running)
    if not layer.built:
        _build_on(layer, args, kwargs)
    names = _signature(layer).parameters
    before = running.training
    said, mask_given = kwargs.get("training"), kwargs.get("mask")
    kwargs = _accepted(layer, kwargs)
    bound = _signature(layer).bind_partial(layer, *args, **kwargs).arguments
    said = bound.get("training", said)
    running.training = before if said is None else bool(said)
    if "training" in names and said is None:
        kwargs = {**kwargs, "training": running.training}
    inputs = next(iter(list(bound.values())[1:]), None)
    mask = _mask_of(inputs, running)
    for name in names:
        of = name.removesuffix("_mask") if name.endswith("_mask") else None
        if name == "mask" and bound.get(name) is None:
            kwargs = {**kwargs, name: mask}
        elif of in bound and bound.get(name) is None and (its := _mask_of(bound[of], running)) is not None:
            kwargs = {**kwargs, name: its}
    try:
        y = layer.call(*args, **kwargs)
    except Exception as error:
        shapes = ", ".join(str(np.shape(plain(leaf))) for leaf in flatten(args) if _is_input(leaf))
        error.add_note(f"in call of {layer}, on arrays of shapes {shapes}")
        raise
    finally:
        running.training = before
    mask = bound.get("mask", mask_given) if bound.get("mask", mask_given) is not None else mask
    if _makes_masks(layer):
        given = layer.compute_mask(inputs, mask)
        given = given if isinstance(given, (list, tuple)) and len(flatten(y)) > 1 else [given] * len(flatten(y))
        for one, its in zip(flatten(y), given):
            running.give_mask(one, its)
    elif layer.supports_masking and mask is not None and not isinstance(mask, (list, tuple)):
        for one in flatten(y):
            running.give_mask(one, mask)
    if layer.activity_regularizer is not None:
        running.losses += [eager.penalty(layer.activity_regularizer, one) for one in flatten(y)]
    return y


def _makes_masks(layer: Any) -> bool:
    return type(layer).compute_mask is not Calling.compute_mask


@functools.cache
def _signature_of(call: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(call)


def _signature(layer: Any) -> inspect.Signature:
    return _signature_of(type(layer).call)


def _accepted(layer: Any, kwargs: Any) -> Any:
    """The keywords without those that every layer takes, where the code does not."""
    names = _signature(layer).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in names.values())
    return {key: value for key, value in kwargs.items()
            if key not in ("training", "mask") or key in names or open_ended}


def _mask_of(structure: Any, running: Eager) -> Any:
    """The mask of an array, or the masks of each in a structure; None if there is none."""
    leaves = flatten(structure)
    masks = [running.mask_of(leaf) for leaf in leaves]
    if all(mask is None for mask in masks):
        return None
    return masks[0] if not isinstance(structure, (list, tuple, Mapping)) else rebuild(structure, masks)


def _as_arrays(layer: Any, structure: Any, running: Eager | None = None) -> Any:
    """Arguments with arrays of the layer's dtype in the place of other arrays."""
    if isinstance(structure, Mapping):
        return {key: _argument(layer, value, running) for key, value in structure.items()}
    return tuple(_argument(layer, value, running) for value in structure)


def _is_list_of_numbers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(
        isinstance(leaf, (int, float)) and not isinstance(leaf, bool) for leaf in flatten(value))


def _argument(layer: Any, value: Any, running: Eager | None) -> Any:
    leaves = flatten(value)
    taken = [_as_array(layer, leaf) for leaf in leaves]
    if all(one is leaf for one, leaf in zip(taken, leaves)):
        return value
    if running is not None:
        for one, leaf in zip(taken, leaves):
            if one is not leaf:
                running.give_mask(one, running.mask_of(leaf))
    return rebuild(value, taken)


def _as_array(layer: Any, x: Any) -> Any:
    """An array of numbers, of the layer's dtype if they are no whole ones; what is no array stays as it is."""
    if type(x) is np.ndarray:
        return x.astype(layer.dtype) if x.dtype.kind == "f" and x.dtype != arrays.DTYPES[layer.dtype] else x
    if is_box(x) or isinstance(x, (bool, int, float, str, type(None))) or not arrays.is_array_like(x):
        return x
    return _as_array(layer, arrays.as_array(x, f"{layer} input"))


def _to_read(x: Any) -> Any:
    """An array that the code cannot write to: it is the caller's, or another layer's."""
    if isinstance(x, np.ndarray):
        x = x.view()
        x.flags.writeable = False
    return x


def _own_array(x: Any) -> Any:
    """An output that nobody else has: a copy of what the code was given, and gives back as it is."""
    return x.copy() if isinstance(x, np.ndarray) and not x.flags.writeable else x


def _copied(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x


def _differs(x: Any) -> bool:
    """Whether something can be differentiated by it."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _is_input(leaf: Any) -> bool:
    return isinstance(leaf, (Symbol, np.ndarray)) or is_box(leaf)


def _leaves(args: Any, kwargs: Any) -> list[Any]:
    """The symbols among arguments; where there are none, the arrays."""
    every = flatten((args, kwargs))
    symbols = [leaf for leaf in every if isinstance(leaf, Symbol)]
    return symbols or [leaf for leaf in every if isinstance(leaf, np.ndarray)]


def _filled(arguments: Any, xs: Sequence[Any]) -> Any:
    """The arguments with these in the place of symbols; where there are none, of arrays."""
    if arguments is None:
        return (xs[0] if len(xs) == 1 else list(xs),), {}
    kind = Symbol if has_symbols(arguments) else np.ndarray
    given = iter(xs)
    return rebuild(arguments, [next(given) if isinstance(leaf, kind) else leaf for leaf in flatten(arguments)])


def _as_output(x: Any, dtype: str) -> np.ndarray:
    """What the code gave as an array that layers take."""
    x = _own_array(np.asarray(plain(x)))
    return np.ascontiguousarray(x, dtype if x.dtype.kind == "f" else None).reshape(x.shape)


def _total(losses: Sequence[Any]) -> Any:
    """The sum of what was added, of one element."""
    xp = eager.namespace()
    total = xp.reshape(xp.sum(losses[0]), (1,))
    for loss in losses[1:]:
        total = total + xp.sum(loss)
    return total


# shapes ------------------------------------------------------------------------------------------------------------

class _Outputs:
    """What runs on zeros have shown of a call's outputs: flat lists, with the losses added as one more at the end."""

    def __init__(self, structure: Any, arrays_: list[Any], masked: list[bool], adds_loss: bool) -> None:
        self.structure, self.adds_loss = structure, adds_loss
        self.shapes: list[Shape] = [x.shape for x in arrays_]
        self.dtypes = [x.dtype.name for x in arrays_]
        self.masked = masked

    def differ(self, other: _Outputs) -> _Outputs:
        """These, with None for the sizes in which others differ."""
        self.shapes = [tuple(size if size == its else None for size, its in zip(shape, others))
                       for shape, others in zip(self.shapes, other.shapes)]
        return self


def _outputs_for(layer: Any, args: Any, kwargs: Any, shapes: Sequence[Shape], dtypes: Sequence[str],
                 masked: Sequence[bool]) -> _Outputs:
    """The outputs for inputs of these shapes, by runs on zeros."""
    problem: Exception | None = None
    for (first, rest), others in _TRIALS:
        try:
            found = _on_zeros(layer, args, kwargs, shapes, dtypes, masked, first, rest)
            if any(None in shape for shape in shapes):
                found = found.differ(_on_zeros(layer, args, kwargs, shapes, dtypes, masked, *others))
            return found
        except (ValueError, IndexError) as error:       # which a longer sequence may mend
            problem = problem or error
            if not any(None in shape[1:] for shape in shapes):
                break
    assert problem is not None
    problem.add_note(f"in {layer}, whose code was run on zeros to know the shapes of its outputs, for inputs of shapes "
                     f"{', '.join(map(str, shapes))}")
    raise problem


def _on_zeros(layer: Any, args: Any, kwargs: Any, shapes: Sequence[Shape], dtypes: Sequence[str],
              masked: Sequence[bool], batch: int, size: int) -> _Outputs:
    sizes = [[given if given is not None else size if axis else batch for axis, given in enumerate(shape)]
             for shape in shapes]
    if any(math.prod(own) > _MOST for own in sizes):
        raise ValueError(f"expected inputs of at most {_MOST} elements for {batch} samples, got "
                         f"{', '.join(map(str, shapes))}")
    try:
        return _run_on(layer, args, kwargs, [np.zeros(own, dtype) for own, dtype in zip(sizes, dtypes)], masked)
    except np.linalg.LinAlgError:       # the code inverts matrices
        return _run_on(layer, args, kwargs, [_identities(own, dtype) for own, dtype in zip(sizes, dtypes)], masked)


def _identities(shape: Sequence[int], dtype: str) -> np.ndarray:
    return np.array(np.broadcast_to(np.eye(shape[-2], shape[-1]) if len(shape) > 1 else 1, shape), dtype)


def _run_on(layer: Any, args: Any, kwargs: Any, zeros: list[np.ndarray], masked: Sequence[bool]) -> _Outputs:
    with Eager(False) as running, np.errstate(all="ignore"):
        running.shapes_alone = True
        for x, mask in zip(zeros, masked):
            if mask:
                running.give_mask(x, np.ones(x.shape[:2], bool))
        args, kwargs = _filled((args, kwargs), zeros)
        y = _invoked(layer, args, kwargs, running)
        outputs = flatten(y)
        masks = [running.mask_of(one) is not None for one in outputs]
        losses = [_total(running.losses)] if running.losses else []
    return _Outputs(y, [_as_output(one, layer.dtype) for one in (*outputs, *losses)],
                    [*masks, *[False] * len(losses)], bool(losses))


def _sample(made: list[np.ndarray]) -> Any:
    """Arrays as one argument."""
    return made[0] if len(made) == 1 else made


def _build_on(layer: Any, args: Any, kwargs: Any) -> None:
    """Call the user's `build` with the shapes of the arguments: of the first, or as many as it takes."""
    build = type(layer).build
    if build is not Calling.build and not hasattr(build, "of_the_library"):
        wanted = list(inspect.signature(build).parameters.values())[1:]
        bound = _signature(layer).bind_partial(layer, *args, **_accepted(layer, kwargs)).arguments
        shapes = {name: _shape_of(value) for name, value in list(bound.items())[1:]
                  if any(_is_input(leaf) for leaf in flatten(value))}
        named = {p.name: shapes[name] for p in wanted if (name := p.name.removesuffix("_shape")) in shapes}
        if len(wanted) > 1 and len(named) == len(shapes):
            layer.build(**named)
        elif wanted and wanted[0].kind is not inspect.Parameter.VAR_POSITIONAL and len(wanted) == 1:
            layer.build(next(iter(shapes.values()), None))
        else:
            layer.build(*shapes.values())
    layer.built = True


def _shape_of(value: Any) -> Any:
    leaves = flatten(value)
    return rebuild(value, [tuple(leaf.shape) if _is_input(leaf) else None for leaf in leaves])


# layers inside -----------------------------------------------------------------------------------------------------

NOT_INSIDE = ("_default_call", "_nodes", "_graph", "_schedules", "_stateful", "_variables")


def _sublayers(layer: Any) -> list[Any]:
    found: dict[int, Any] = {}
    for name, value in vars(layer).items():
        if name not in NOT_INSIDE and name not in layer.not_inside:
            for inner in _layers_in(value):
                found.setdefault(id(inner), inner)
    return list(found.values())


def _layers_in(value: Any) -> Iterator[Any]:
    if isinstance(value, Calling):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _layers_in(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _layers_in(part)
