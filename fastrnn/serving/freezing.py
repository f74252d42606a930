# SPDX-License-Identifier: Apache-2.0
"""A copy of a model's graph that is made for inference alone: fewer layers, and fewer products."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn import activations, runtime
from fastrnn.graph.schedule import Schedule
from fastrnn.graph.steps import Step
from fastrnn.layers.convolution.conv1d import Conv1D
from fastrnn.layers.core.dense import Dense
from fastrnn.layers.core.embedding import Embedding
from fastrnn.layers.core.identity import Identity
from fastrnn.layers.network import Network
from fastrnn.layers.normalization.batch_normalization import BatchNormalization
from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.layers.recurrent.bidirectional import Bidirectional
from fastrnn.layers.recurrent.states import States
from fastrnn.layers.regularization.activity_regularization import ActivityRegularization
from fastrnn.layers.regularization.alpha_dropout import AlphaDropout
from fastrnn.layers.regularization.dropout import Dropout
from fastrnn.layers.regularization.gaussian_dropout import GaussianDropout
from fastrnn.layers.regularization.gaussian_noise import GaussianNoise
from fastrnn.layers.variable import Variable

_IDLE = (ActivityRegularization, AlphaDropout, Dropout, GaussianDropout, GaussianNoise, Identity)


class Fold(NamedTuple):
    """A layer that became a part of another.

    Attributes:
        layer: the name of the layer that is gone, or that hands on indices alone.
        into: the name of the layer that does its work.
        size: further bytes that this takes.
    """

    layer: str
    into: str
    size: int


class FrozenNetwork(Network):
    """A graph of its own layers and weights, without those that do nothing in inference.

    Args:
        network: the model; it is copied.
        fold_bytes: memory that folded tables may take.

    Attributes:
        folds: what was folded.
    """

    def __init__(self, network: Network, fold_bytes: int) -> None:
        self._gone: set[int] = set()
        self.folds: list[Fold] = []
        self.fold_bytes = fold_bytes
        own = copy.deepcopy(network.graph)
        super().__init__(own.input_structure, own.output_structure, name=network.name, trainable=False)
        for layer in self.walk():
            if type(layer) is Embedding:
                layer.__class__ = FrozenEmbedding
            if isinstance(layer, States) and layer.stateful:
                layer.stateful = False
                layer.restore(None)
        self._set_graph(self._graph)
        for step in Schedule(self.graph).steps:
            if isinstance(step.layer, _IDLE) and not step.training:
                self._gone.add(id(step.layer))
        self._fold_normalization()
        for variable in self.variables:
            variable.data = variable.data.view()
            variable.data.flags.writeable = False
        self._fold_tables()

    def __getstate__(self) -> dict[str, Any]:
        gone = [layer for layer in self.walk() if id(layer) in self._gone]
        return {**super().__getstate__(), "_gone": gone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        gone = state.pop("_gone")
        super().__setstate__(state)
        self._gone = {id(layer) for layer in gone}
        for variable in self.variables:
            variable.data.flags.writeable = False
        self._fold_tables()

    def schedule(self, masked: frozenset[int] = frozenset()) -> Schedule:
        found = self._schedules.get(masked)
        if found is None:
            found = self._schedules[masked] = Schedule(self.graph, masked, trainable=False, rewrite=self._simplify)
        return found

    def _simplify(self, steps: list[Step], outputs: list[int]) -> list[Step]:
        """The steps without those that hand their input on; whoever reads their output reads the input."""
        place: dict[int, int] = {}
        kept: list[Step] = []
        for step in steps:
            step.inputs = tuple(place.get(slot, slot) for slot in step.inputs)
            step.masks = tuple(place.get(slot, slot) for slot in step.masks)
            if id(step.layer) in self._gone:
                place[step.outputs[0]] = step.inputs[0]
            else:
                step.index = len(kept)
                kept.append(step)
        outputs[:] = [place.get(slot, slot) for slot in outputs]
        return kept

    # BatchNormalization ----------------------------------------------------------------------------------------------

    def _fold_normalization(self) -> None:
        """Have the weights beside a BatchNormalization do what it does: those below it where nothing comes between,
        else those above it."""
        schedule = self.schedule()
        steps = schedule.steps
        uses = [id(step.layer) for step in steps]
        for step in steps:
            layer = step.layer
            if type(layer) is not BatchNormalization or uses.count(id(layer)) > 1 or step.training:
                continue
            below = [other for other in steps if step.inputs[0] in other.outputs]
            above = [other for other in steps if step.outputs[0] in other.inputs]
            alone = len([other for other in steps if step.inputs[0] in other.inputs]) == 1 \
                and step.inputs[0] not in schedule.outputs
            scale, shift = layer.scale_and_shift()
            if below and alone and uses.count(id(below[0].layer)) == 1 and _takes_scale(layer, below[0].layer):
                _scale_outputs(below[0].layer, scale, shift)
                into = below[0].layer
            elif len(above) == 1 and uses.count(id(above[0].layer)) == 1 and step.outputs[0] not in schedule.outputs \
                    and _takes_input_scale(layer, above[0]):
                _scale_inputs(above[0].layer, scale, shift)
                into = above[0].layer
            else:
                continue
            self._gone.add(id(layer))
            self.folds.append(Fold(layer.name, into.name, 0))
        self._schedules.clear()

    # Embedding -------------------------------------------------------------------------------------------------------

    def _fold_tables(self) -> None:
        """Have recurrent layers read the sums `b + x W` of each row x of a table, where there is memory for them."""
        left = self.fold_bytes - sum(fold.size for fold in self.folds)
        steps = self.schedule().steps
        for step in steps:
            if not step.rows:
                continue
            table = step.layer.embeddings.data
            for reader in (other.layer for other in steps if step.outputs[0] in other.inputs):
                runners = list(_runners_of(reader))
                known = Fold(step.layer.name, reader.name, sum(runner.folded_size(len(table)) for runner in runners))
                if known.size <= left or known in self.folds:
                    for runner in runners:
                        runner.fold(table, runtime.get_num_threads())
                    if known not in self.folds:
                        left -= known.size
                        self.folds.append(known)


class FrozenEmbedding(Embedding):
    """An Embedding that hands on the mask of lengths that the caller gave."""

    @property
    def masks(self) -> str:
        return "make" if self.mask_zero else "pass"

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> np.ndarray | None:
        made = super().compute_mask(x)
        return made if mask is None else mask if made is None else made & mask


def _runners_of(layer: Any) -> Iterator[Any]:
    """The compiled runners of a recurrent layer, or of both of a Bidirectional's; none of another layer."""
    layers: Sequence[Any] = [layer]
    if isinstance(layer, Bidirectional):
        layers = [layer.forward_layer, layer.backward_layer]
    if all(isinstance(one, Recurrent) and one.on_kernels for one in layers):
        yield from (one.kernel_runner() for one in layers)


def _on_last_axis(layer: Any) -> bool:
    return bool(layer.feature_axis(layer.rank) == layer.rank - 1)


def _takes_scale(normalization: Any, layer: Any) -> bool:
    """Whether a layer's weights can scale its outputs."""
    plain = type(layer) is Dense or (isinstance(layer, Conv1D) and layer.data_format == "channels_last")
    return plain and activations.plain_name(layer.activation) == "linear" and layer.activity_regularizer is None \
        and _on_last_axis(normalization)


def _takes_input_scale(normalization: Any, step: Step) -> bool:
    """Whether a layer's weights can scale its inputs. A convolution may not, as what padding adds is not scaled."""
    layer = step.layer
    plain = type(layer) is Dense or (isinstance(layer, Recurrent) and layer.on_kernels and len(step.inputs) == 1)
    return plain and _on_last_axis(normalization)


def _scale_outputs(layer: Any, scale: np.ndarray, shift: np.ndarray) -> None:
    """(x W + b) scale + shift = x (W scale) + (b scale + shift)."""
    layer.kernel.data = layer.kernel.data * scale
    _set_bias(layer, (0 if layer.bias is None else layer.bias.data * scale) + shift)
    layer.forget()


def _scale_inputs(layer: Any, scale: np.ndarray, shift: np.ndarray) -> None:
    """(x scale + shift) W + b = x (scale W) + (b + shift W)."""
    kernel = layer.kernel.data
    moved = shift @ kernel
    layer.kernel.data = np.ascontiguousarray(kernel * scale[:, None])
    if layer.bias is not None and layer.bias.ndim == 2:         # of two, the first is x W's
        moved = np.stack([layer.bias.data[0] + moved, layer.bias.data[1]])
    elif layer.bias is not None:
        moved = layer.bias.data + moved
    elif getattr(layer, "reset_after", False) and layer.gates == 3:
        moved = np.stack([moved, np.zeros_like(moved)])
    _set_bias(layer, moved)
    layer.forget()


def _set_bias(layer: Any, value: np.ndarray) -> None:
    value = np.ascontiguousarray(value, layer.dtype)
    if layer.bias is None:
        layer.use_bias = True
        layer.bias = Variable(value, "bias")
        layer._variables.append(layer.bias)
    else:
        layer.bias.data = value
