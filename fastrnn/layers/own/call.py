# SPDX-License-Identifier: Apache-2.0
"""One call of a user's own code: its arguments, the masks, what `build` is told, its outputs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph import eager
from fastrnn.graph.eager import Eager
from fastrnn.graph.symbol import Symbol, flatten, has_symbols, rebuild
from fastrnn.graph.tape import is_box, plain
from fastrnn.layers.calling import Calling
from fastrnn.layers.own.inside import take_all_variables


def invoke(layer: Any, args: Any, kwargs: Any, running: Eager) -> Any:
    """What the code gives, within a run."""
    args, kwargs = as_arrays(layer, args, running), as_arrays(layer, kwargs, running)
    if not layer.built:
        build_on(layer, args, kwargs)
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
    if makes_masks(layer):
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


def makes_masks(layer: Any) -> bool:
    """Whether the user has written a `compute_mask`."""
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


def as_arrays(layer: Any, structure: Any, running: Eager | None = None) -> Any:
    """Arguments with arrays of the layer's dtype in the place of other arrays."""
    if isinstance(structure, Mapping):
        return {key: _argument(layer, value, running) for key, value in structure.items()}
    return tuple(_argument(layer, value, running) for value in structure)


def is_list_of_numbers(value: Any) -> bool:
    """Whether it is one array, written as a list."""
    return isinstance(value, list) and bool(value) and all(
        isinstance(leaf, (int, float)) and not isinstance(leaf, bool) for leaf in flatten(value))


def _argument(layer: Any, value: Any, running: Eager | None) -> Any:
    leaves = flatten(value)
    taken = [as_array(layer, leaf) for leaf in leaves]
    if all(one is leaf for one, leaf in zip(taken, leaves)):
        return value
    if running is not None:
        for one, leaf in zip(taken, leaves):
            if one is not leaf:
                running.give_mask(one, running.mask_of(leaf))
    return rebuild(value, taken)


def as_array(layer: Any, x: Any) -> Any:
    """An array of numbers, of the layer's dtype if they are no whole ones; what is no array stays as it is."""
    if type(x) is np.ndarray:
        return x.astype(layer.dtype) if x.dtype.kind == "f" and x.dtype != arrays.DTYPES[layer.dtype] else x
    if is_box(x) or isinstance(x, (bool, int, float, str, type(None))) or not arrays.is_array_like(x):
        return x
    return as_array(layer, arrays.as_array(x, f"{layer} input"))


def to_read(x: Any) -> Any:
    """An array that the code cannot write to: it is the caller's, or another layer's."""
    if isinstance(x, np.ndarray):
        x = x.view()
        x.flags.writeable = False
    return x


def own_array(x: Any) -> Any:
    """An output that nobody else has: a copy of what the code was given, and gives back as it is."""
    return x.copy() if isinstance(x, np.ndarray) and not x.flags.writeable else x


def copied(x: Any) -> Any:
    """A copy of an array; anything else as it is."""
    return x.copy() if isinstance(x, np.ndarray) else x


def differs(x: Any) -> bool:
    """Whether something can be differentiated by it."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _is_input(leaf: Any) -> bool:
    return isinstance(leaf, (Symbol, np.ndarray)) or is_box(leaf)


def leaves(args: Any, kwargs: Any) -> list[Any]:
    """The symbols among arguments; where there are none, the arrays."""
    every = flatten((args, kwargs))
    symbols = [leaf for leaf in every if isinstance(leaf, Symbol)]
    return symbols or [leaf for leaf in every if isinstance(leaf, np.ndarray)]


def filled(arguments: Any, xs: Sequence[Any]) -> Any:
    """The arguments with these in the place of symbols; where there are none, of arrays."""
    if arguments is None:
        return (xs[0] if len(xs) == 1 else list(xs),), {}
    kind = Symbol if has_symbols(arguments) else np.ndarray
    given = iter(xs)
    return rebuild(arguments, [next(given) if isinstance(leaf, kind) else leaf for leaf in flatten(arguments)])


def as_output(x: Any, dtype: str) -> np.ndarray:
    """What the code gave as an array that layers take."""
    x = own_array(np.asarray(plain(x)))
    return np.ascontiguousarray(x, dtype if x.dtype.kind == "f" else None).reshape(x.shape)


def total_of(losses: Sequence[Any]) -> Any:
    """The sum of what was added, of one element."""
    xp = eager.namespace()
    total = xp.reshape(xp.sum(losses[0]), (1,))
    for loss in losses[1:]:
        total = total + xp.sum(loss)
    return total


def build_on(layer: Any, args: Any, kwargs: Any) -> None:
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
    take_all_variables(layer)
    layer.built = True


def _shape_of(value: Any) -> Any:
    leaves = flatten(value)
    return rebuild(value, [tuple(leaf.shape) if _is_input(leaf) else None for leaf in leaves])
