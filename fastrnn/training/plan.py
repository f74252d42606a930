# SPDX-License-Identifier: Apache-2.0
"""What a training step needs to know of a model, gathered once."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from fastrnn.graph.schedule import Schedule
from fastrnn.training.head import Head

_PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid")


class Plan(NamedTuple):
    """What a training step needs to know of a model.

    Attributes:
        schedule: what runs the model in training, forward and backward; what was added comes after the outputs.
        outputs: how many outputs the model has.
        losses: of each output with a loss its head, and whether the loss gives its gradient with respect to what enters
            the last activation.
        added: how many losses come after the outputs, before metrics.
        variables: the variables to update, each once, in the model's order.
        regularized: of each layer with regularizers the variables that have them.
        cleared: those of the variables that no loss reaches but that of a regularizer.
    """

    schedule: Schedule
    outputs: int
    losses: list[tuple[Head, bool]]
    added: int
    variables: list[Any]
    regularized: list[list[Any]]
    cleared: list[Any]


def make_plan(model: Any) -> Plan:
    """The plan of a compiled model whose objective has seen the shapes of targets."""
    objective, added = model.objective, model.added
    outputs = len(objective.heads)
    with_loss = [head for head in objective.heads if head.loss is not None]
    graph, losses = added.graph(model)
    wanted = {head.index for head in with_loss} | {outputs + i for i in range(losses)}
    schedule = Schedule(graph, frozen=True, wanted=frozenset(wanted), trainable=model.trainable)
    trainable = model.trainable_weights
    seen: set[int] = set()
    regularized = []
    for layer in model.sublayers():
        mine = [v for v in layer.trainable_weights if v.regularizer is not None and id(v) not in seen]
        seen.update(map(id, mine))
        if mine and model.trainable:
            regularized.append(mine)
    reached = {id(v) for v in schedule.variables}
    penalized = {id(v) for group in regularized for v in group}
    return Plan(
        schedule=schedule,
        outputs=outputs,
        losses=[(head, _fuses(model, head, schedule)) for head in with_loss],
        added=losses,
        variables=[v for v in trainable if id(v) in reached or id(v) in penalized],
        regularized=regularized,
        cleared=[v for v in trainable if id(v) in penalized and id(v) not in reached],
    )


def _fuses(model: Any, head: Head, schedule: Schedule) -> bool:
    """Whether a loss is fused with the last activation; warns once if it cannot make sense of what it gets."""
    loss, index = head.loss, head.index
    last = schedule.maker(index)
    activation = None if last is None else last.output_activation
    said = activation or getattr(getattr(last, "activation", None), "name", None)
    misled = getattr(loss, "wants_probabilities", False) and said not in _PROBABILITIES and said is not None
    if misled and index not in model.warned:
        model.warned |= {index}
        warnings.warn(f"{model}: loss {loss.name!r} expects probabilities, but the last layer "
                      f"'{model.outputs[index].name}' ends in activation {said!r}; give it "
                      "activation 'softmax' or 'sigmoid', or the loss from_logits=True", stacklevel=8)
    fused = getattr(loss, "fused_activation", None)
    return fused is not None and fused == activation and schedule.fuse(index)
