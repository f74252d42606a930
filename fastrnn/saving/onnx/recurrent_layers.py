# SPDX-License-Identifier: Apache-2.0
"""SimpleRNN, LSTM, GRU and Bidirectional as ONNX's RNN, LSTM and GRU.

ONNX has time first and only padding at the end of sequences. A mask may have holes: the steps that count are moved to
the front, their number is the node's sequence_lens, and each step then takes the output of the place where its own,
or, if it is masked, the one before it, came to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastrnn.layers import RNN, Bidirectional
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent import Recurrent
from fastrnn.saving import layouts
from fastrnn.saving.onnx.builder import GraphBuilder

_FIRST = np.iinfo(np.int64).min     # as the end of a slice that goes backwards, it takes the first element too


class _Steps(NamedTuple):
    """Steps as a node takes them, and how they came from the sequence with its mask."""

    x: str                  # (T, N, D), those that count in front
    lengths: str            # (N), how many they are; "" if all
    before: str             # (N, T), how many come before each step
    until: str              # (N, T), the same with the step itself
    mask: str | None        # (N, T)


class _Outputs(NamedTuple):
    """What one direction gives."""

    steps: str              # (N, T, H), in the order of time
    last: str               # (N, H)
    final: list[str]        # the states


def is_recurrent(layer: Layer) -> bool:
    """Whether a layer has states."""
    return isinstance(layer, (Recurrent, RNN, Bidirectional))


def as_layer(layer: Recurrent | RNN) -> Recurrent:
    """A recurrent layer as it is, and what an RNN of a standard cell is.

    Raises:
        ValueError: it is an RNN of something else.
    """
    same = layer.same_layer() if isinstance(layer, RNN) else layer
    if same is None:
        raise ValueError(f"{layer}: RNN of several cells, or of a cell of one's own, has no form in ONNX; use a "
                         "layer for each cell")
    return same


# layers -------------------------------------------------------------------------------------------------------------


def recurrent(graph: GraphBuilder, layer: Recurrent | RNN, x: str, mask: str | None,
              states: Sequence[str] = ()) -> tuple[list[str], list[str | None]]:
    """Add the nodes of a recurrent layer, which begins with these states if there are any."""
    layer = as_layer(layer)
    steps = _steps(graph, x, mask)
    outputs, = _run(graph, [layer], steps, [graph.scope.replace("/", "_")], [states])
    final = list(outputs.final) if layer.return_state else []
    if not layer.return_sequences:
        return [outputs.last, *final], [None] * (1 + len(final))
    y = _flip(graph, outputs.steps) if layer.go_backwards else outputs.steps
    return [y, *final], [mask, *[None] * len(final)]


def bidirectional(graph: GraphBuilder, layer: Bidirectional, x: str, mask: str | None,
                  states: Sequence[str] = ()) -> tuple[list[str], list[str | None]]:
    """Add the nodes of both directions, and what merges them."""
    half = layer.forward_layer.state_count
    given = [states[:half], states[half:]]
    first = as_layer(layer.forward_layer)
    pair = [first, as_layer(layer.backward_layer)]
    names = [f"{graph.scope}_{direction}".replace("/", "_") for direction in ("forward", "backward")]
    if pair[0].go_backwards:
        pair, names, given = pair[::-1], names[::-1], given[::-1]
    steps = _steps(graph, x, mask)
    if type(pair[0]) is type(pair[1]) and pair[0].units == pair[1].units \
            and pair[0].reset_after == pair[1].reset_after and pair[0].use_peepholes == pair[1].use_peepholes:
        outputs = _run(graph, pair, steps, names, given)
    else:
        outputs = [_run(graph, [one], steps, [name], [own])[0] for one, name, own in zip(pair, names, given)]
    if pair[0] is not first:
        outputs = outputs[::-1]
    both = [one.steps if layer.return_sequences else one.last for one in outputs]
    if layer.return_sequences and layer.forward_layer.go_backwards:     # whose order both have
        both = [_flip(graph, one) for one in both]
    final = [state for one in outputs for state in one.final] if layer.return_state else []
    if layer.merge_mode is None:
        own = mask if layer.return_sequences else None
        return [*both, *final], [own, own, *[None] * len(final)]
    if layer.merge_mode == "concat":
        y = graph.add("Concat", *both, axis=-1)
    elif layer.merge_mode == "mul":
        y = graph.add("Mul", *both)
    else:
        y = graph.add("Add", *both)
        if layer.merge_mode == "ave":
            y = graph.add("Mul", y, graph.constant(0.5, "half"))
    return [y, *final], [mask if layer.return_sequences else None, *[None] * len(final)]


# the node -----------------------------------------------------------------------------------------------------------


def _run(graph: GraphBuilder, layers: Sequence[Recurrent], steps: _Steps, names: Sequence[str],
         states: Sequence[Sequence[str]]) -> list[_Outputs]:
    """The node of one layer, or of a forward and a backward one, and the outputs of each.

    states: of each layer, those that it is called with.
    """
    first = layers[0]
    weights = [layouts.onnx_weights(layer) for layer in layers]
    w, r, b = (graph.constant(np.stack(parts), name) for parts, name in zip(zip(*weights), "WRB"))
    letters = "hc"[:first.state_count]
    # By state, then by layer. Those of a call are no inputs of the graph, and need not go out of it.
    given: list[list[str]] = [list(of_layers) for of_layers in zip(*states)] if states[0] else [[], []]
    own = graph.states and not states[0]
    if own:
        given = [[graph.add_input(f"{name}_{letter}", graph.dtype, ["batch", first.units]) for name in names]
                 for letter in letters]
    initial = [graph.add("Concat", *(_first_axis(graph, state) for state in of_layers), axis=0) if of_layers else ""
               for of_layers in given]
    inputs = [steps.x, w, r, b, steps.lengths, *initial]
    if first.use_peepholes:
        peepholes = [layouts.swapped_peepholes(layer.get_weights()[-1]) for layer in layers]
        inputs.append(graph.constant(np.stack(peepholes).reshape(len(layers), -1), "P"))
    while not inputs[-1]:
        inputs.pop()
    direction = "bidirectional" if len(layers) > 1 else "reverse" if first.go_backwards else "forward"
    node = layouts.onnx_node(first)
    extra = {"linear_before_reset": int(first.reset_after)} if node == "GRU" else {}
    y, *final = graph.add_many(node, inputs, ("Y", *(f"Y_{letter}" for letter in letters)), direction=direction,
                               hidden_size=first.units, **_activations(layers), **extra)
    found = []
    for number, (layer, name) in enumerate(zip(layers, names)):
        index = graph.constant(number, "direction", "int64")
        last = [graph.add("Gather", state, index, axis=0) for state in final]
        if given[0] and steps.mask is not None:
            last = [_kept(graph, steps, value, of_layers[number]) for value, of_layers in zip(last, given)]
        if own:
            graph.final += [(value, f"{name}_{letter}_out", ["batch", layer.units])
                            for value, letter in zip(last, letters)]
        if layer.return_sequences:
            sequence = graph.add("Transpose", graph.add("Gather", y, index, axis=1), perm=[1, 0, 2])
            before = given[0][number] if own else None
            found.append(_Outputs(_spread(graph, layer, sequence, steps, before), last[0], last))
        else:
            found.append(_Outputs("", _last(graph, layer, last[0], steps, bool(states[0])), last))
    return found


def _activations(layers: Sequence[Recurrent]) -> dict[str, list[str] | list[float]]:
    """The node's attributes for the activations of its layers, each a list in the order of the layers' gates."""
    names, alphas, betas = list[str](), list[float](), list[float]()
    for layer in layers:
        sigma, tanh = layer.recurrent_activation, layer.activation
        for activation in {"RNN": (tanh,), "LSTM": (sigma, tanh, tanh), "GRU": (sigma, tanh)}[layouts.onnx_node(layer)]:
            name, parameters = layouts.onnx_activation(layer, activation)
            names.append(name)
            alphas += parameters[:1]
            betas += parameters[1:]
    parameters_of = {"activation_alpha": alphas, "activation_beta": betas} if alphas else {}
    return {"activations": names, **parameters_of}


# masks --------------------------------------------------------------------------------------------------------------


def _steps(graph: GraphBuilder, x: str, mask: str | None) -> _Steps:
    if mask is None:
        return _Steps(graph.add("Transpose", x, perm=[1, 0, 2]), "", "", "", None)
    time_axis = graph.constant(1, "time_axis", "int64")
    counts = graph.add("Cast", mask, to=graph.onnx.TensorProto.INT64)
    until = graph.add("CumSum", counts, time_axis)
    before = graph.add("Sub", until, counts)
    total = graph.add("ReduceSum", counts, graph.constant([1], "axes", "int64"), keepdims=0)
    lengths = graph.add("Cast", total, to=graph.onnx.TensorProto.INT32)
    # Steps that count get a place from their number, the others one behind all of them.
    shape = graph.add("Shape", counts)
    time = graph.add("Gather", shape, graph.constant([1], "time_of", "int64"))
    one = graph.onnx.numpy_helper.from_array(np.ones(1, np.int64))
    position = graph.add("CumSum", graph.add("ConstantOfShape", shape, value=one), time_axis)
    key = graph.add("Sub", graph.add("Mul", counts, time), position)     # the larger, the further in front
    _, order = graph.add_many("TopK", [key, time], ("keys", "order"), axis=1)
    moved = graph.add("GatherND", x, _last_axis(graph, order), batch_dims=1)
    return _Steps(graph.add("Transpose", moved, perm=[1, 0, 2]), lengths, before, until, mask)


def _spread(graph: GraphBuilder, layer: Recurrent, y: str, steps: _Steps, before: str | None) -> str:
    """Outputs of the steps that count, which are in front, and zeros behind them, as outputs of all steps; `before`:
    the last output of the piece of the sequence before this one."""
    if steps.mask is None:
        return y
    last = graph.constant(-1, "last", "int64")
    # The last place is for the steps before the first that counts: where there are any, it is behind the others: zero.
    if layer.go_backwards:      # a masked step repeats the next one in time
        length = graph.add("Cast", steps.lengths, to=graph.onnx.TensorProto.INT64)
        there = graph.add("Less", steps.before, _last_axis(graph, length))
        place = graph.add("Where", there, steps.before, last)
    else:
        place = graph.add("Add", steps.until, last)
    if before is not None:
        y = graph.add("Concat", y, graph.add("Unsqueeze", before, graph.constant([1], "axis", "int64")), axis=1)
    y = graph.add("GatherND", y, _last_axis(graph, place), batch_dims=1)
    if layer.zero_output_for_mask:
        y = graph.add("Where", _last_axis(graph, steps.mask), y, graph.constant(0, "zero"))
    return y


def _kept(graph: GraphBuilder, steps: _Steps, final: str, initial: str) -> str:
    """A final state, which is the initial one where no step counts: ONNX leaves open what a node gives there."""
    return graph.add("Where", _any_step(graph, steps), final, initial)


def _any_step(graph: GraphBuilder, steps: _Steps) -> str:
    """Whether any step of a sequence counts, (batch, 1)."""
    return _last_axis(graph, graph.add("Greater", steps.lengths, graph.constant(0, "none", "int32")))


def _last(graph: GraphBuilder, layer: Recurrent, h: str, steps: _Steps, begun: bool) -> str:
    """The last step's output: the final state, but zero where it is masked and zero_output_for_mask, or no step counts;
    `begun`: with a state."""
    if steps.mask is None or not (layer.zero_output_for_mask or begun):
        return h
    if layer.zero_output_for_mask:
        step = graph.constant([0 if layer.go_backwards else -1], "step", "int64")
        shown = graph.add("Gather", steps.mask, step, axis=1)
    else:
        shown = _any_step(graph, steps)
    return graph.add("Where", shown, h, graph.constant(0, "zero"))


def _first_axis(graph: GraphBuilder, x: str) -> str:
    return graph.add("Unsqueeze", x, graph.constant([0], "axis", "int64"))


def _last_axis(graph: GraphBuilder, x: str) -> str:
    return graph.add("Unsqueeze", x, graph.constant([-1], "axis", "int64"))


def _flip(graph: GraphBuilder, x: str) -> str:
    minus, end = graph.constant([-1], "minus", "int64"), graph.constant([_FIRST], "end", "int64")
    return graph.add("Slice", x, minus, end, graph.constant([1], "axis", "int64"), minus)
