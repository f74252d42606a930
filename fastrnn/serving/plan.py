# SPDX-License-Identifier: Apache-2.0
"""A graph as layers on single time steps, for streams and for C; or which layer needs more than that, and why."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastrnn.graph.schedule import Schedule
from fastrnn.graph.steps import Step
from fastrnn.layers.activation.base import ActivationWithArguments
from fastrnn.layers.activation.prelu import PReLU
from fastrnn.layers.convolution.conv1d import Conv1D
from fastrnn.layers.core.activation import Activation
from fastrnn.layers.core.dense import Dense
from fastrnn.layers.core.embedding import Embedding
from fastrnn.layers.core.time_distributed import TimeDistributed
from fastrnn.layers.merge.add import Add
from fastrnn.layers.merge.average import Average
from fastrnn.layers.merge.concatenate import Concatenate
from fastrnn.layers.merge.maximum import Maximum
from fastrnn.layers.merge.minimum import Minimum
from fastrnn.layers.merge.multiply import Multiply
from fastrnn.layers.merge.subtract import Subtract
from fastrnn.layers.normalization.base import OverAxes
from fastrnn.layers.normalization.batch_normalization import BatchNormalization
from fastrnn.layers.preprocessing.normalization import Normalization
from fastrnn.layers.preprocessing.rescaling import Rescaling
from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.layers.recurrent.bidirectional import Bidirectional

MERGES = (Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract)
#: What gives for each time step what that step alone asks for.
ALONE = (Activation, BatchNormalization, Dense, Normalization, OverAxes, PReLU, Rescaling)


class StreamStep(NamedTuple):
    """A layer on one time step.

    Attributes:
        layer: with its weights; of a TimeDistributed the layer inside.
        inputs: the numbers of the values that it reads. Value 0 is the model's input.
        output: and of the one that it makes, which is its place among the steps, from 1 on.
        rank: axes of its arrays when a sequence is one: 3 with time, 2 above a layer that gives the last step alone.
        masked: it sees a mask that an `Embedding` makes.
    """

    layer: Any
    inputs: tuple[int, ...]
    output: int
    rank: int
    masked: bool


def stream_plan(schedule: Schedule) -> list[StreamStep]:
    """The steps of a graph of one input and one output, in order; the last gives the output.

    Raises:
        ValueError: a layer cannot run step by step: names it, and says why.
    """
    steps, ranks = schedule.steps, schedule.ranks
    if len(schedule.graph.inputs) != 1 or len(schedule.outputs) != 1:
        raise ValueError(f"stream: expected a model with one input and one output, got "
                         f"{len(schedule.graph.inputs)} and {len(schedule.outputs)}")
    number = {0: 0}
    plan: list[StreamStep] = []
    for step in steps:
        reason = _reason(step, schedule)
        if reason:
            raise ValueError(f"stream: {step.layer} {reason}")
        layer = step.layer.layer if isinstance(step.layer, TimeDistributed) else step.layer
        plan.append(StreamStep(layer, tuple(number[slot] for slot in step.inputs), len(plan) + 1,
                               ranks[step.inputs[0]] - (layer is not step.layer), step.sees_mask))
        number[step.outputs[0]] = len(plan)
    if not plan or schedule.outputs[0] != steps[-1].outputs[0]:
        raise ValueError("stream: expected a model whose output is made by its last layer")
    return plan


def _reason(step: Step, schedule: Schedule) -> str:
    """Why a step needs more than one time step, or nothing if it does not."""
    layer, rank = step.layer, schedule.ranks[step.inputs[0]]
    if step.training:
        return "is called with training=True"
    inside = layer.layer if isinstance(layer, TimeDistributed) else layer
    if not is_ours(layer) or not is_ours(inside):
        return "is a class of your own, of which nothing says that it goes step by step"
    if step.sees_mask and (isinstance(layer, (*MERGES, ActivationWithArguments))
                           or getattr(layer, "zero_output_for_mask", False)):
        return "computes with the mask that an Embedding makes, which a stream does not; use mask_zero=False"
    if isinstance(layer, Recurrent):
        return _reason_of_recurrent(step, schedule)
    if isinstance(layer, Bidirectional):
        return "reads the sequence from its end; a stream has none"
    if isinstance(layer, Conv1D):
        if layer.padding != "causal" and max(layer.kernel_size) > 1:
            return f"has windows that see later steps (padding={layer.padding!r}); use padding='causal'"
        if max(layer.strides) > 1 or layer.groups > 1 or layer.data_format != "channels_last":
            return "has strides, groups or channels first; expected strides=1, groups=1, 'channels_last'"
        return ""
    if isinstance(layer, Embedding):
        return "" if step.inputs[0] == 0 and rank == 2 else "reads what is not the model's input (batch, time)"
    if isinstance(layer, MERGES):
        ranks = {schedule.ranks[slot] for slot in step.inputs}
        axis_is_last = not isinstance(layer, Concatenate) or layer.axis in (-1, rank - 1)
        return "" if len(ranks) == 1 and axis_is_last else "merges other axes than the features'"
    inner = layer.layer if isinstance(layer, TimeDistributed) and rank == 3 else layer
    if isinstance(inner, ALONE) and _on_features_alone(inner, rank - (inner is not layer)):
        return ""
    return "needs the whole sequence, or is not known to go on step by step"


def is_ours(layer: Any) -> bool:
    """Whether a layer is of a class of the library, whose computation is known, and of no subclass of one."""
    return type(layer).__module__.partition(".")[0] == "fastrnn"


def _reason_of_recurrent(step: Step, schedule: Schedule) -> str:
    layer = step.layer
    if layer.go_backwards:
        return "reads the sequence from its end (go_backwards); a stream has none"
    if len(step.inputs) > 1:
        return "is given its initial state; a stream has states of its own"
    read = {slot for other in schedule.steps for slot in other.inputs} | set(schedule.outputs)
    if any(slot in read for slot in step.outputs[1:]):
        return "hands out its states; read them from stream.state"
    if not layer.on_kernels:
        names = ", ".join(sorted({layer.activation.name, layer.recurrent_activation.name}))
        return f"has an activation that the kernels lack, one of {names}"
    if schedule.ranks[step.inputs[0]] != 3:
        return "has no time axis"
    return ""


def _on_features_alone(layer: Any, rank: int) -> bool:
    """Whether sums, shared parameters and the like are over the last axis alone."""
    if isinstance(layer, OverAxes):
        return layer.normalized(rank) == (rank - 1,)
    if isinstance(layer, BatchNormalization):
        return bool(layer.feature_axis(rank) == rank - 1)
    if isinstance(layer, PReLU):
        return layer.alpha.shape[:-1] == (1,) * (rank - 2)
    if isinstance(layer, Normalization):
        return all(axis in (-1, rank - 1) for axis in layer.axis)
    if isinstance(layer, ActivationWithArguments):
        axis = getattr(layer, "axis", -1)
        return axis in (-1, rank - 1)
    return True
