# SPDX-License-Identifier: Apache-2.0
"""A copy of a model's graph that is made for inference alone: fewer layers, and fewer products."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from fastrnn import activations, runtime
from fastrnn.graph.graph import Graph
from fastrnn.graph.schedule import Schedule
from fastrnn.graph.steps import Step
from fastrnn.layers.base import Layer
from fastrnn.layers.convolution.conv1d import Conv1D
from fastrnn.layers.convolution.conv2d import Conv2D
from fastrnn.layers.core.dense import Dense
from fastrnn.layers.core.embedding import Embedding
from fastrnn.layers.core.identity import Identity
from fastrnn.layers.core.time_distributed import TimeDistributed
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
from fastrnn.serving.plan import is_ours

_IDLE = (ActivityRegularization, AlphaDropout, Dropout, GaussianDropout, GaussianNoise, Identity)
#: Of a feature's mean, in deviations, up to which a BatchNormalization is folded into the weights above it: beyond that
#: the sums there lose digits.
_LARGEST_MEAN = 30


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
        self._begin(copy.deepcopy(network.graph), network.name, [], fold_bytes)
        for step in Schedule(self.graph).steps:
            if isinstance(step.layer, _IDLE) and is_ours(step.layer) and not step.training:
                self._gone.add(id(step.layer))
        self._fold_normalization()
        self._lock()
        self.fold_tables()

    @classmethod
    def restored(cls, network: Network, gone: Sequence[Layer], folds: Sequence[Fold], fold_bytes: int) -> Self:
        """As one was before, of its layers and weights, but for the tables, which `fold_tables` folds.

        Args:
            network: has the layers, which are taken over.
            gone: those of them that do nothing.
            folds, fold_bytes: as its own.
        """
        self = cls.__new__(cls)
        self._begin(network.graph, network.name, folds, fold_bytes)
        self._gone = {id(layer) for layer in gone}
        self._lock()
        return self

    def _begin(self, graph: Graph, name: str, folds: Sequence[Fold], fold_bytes: int) -> None:
        self._gone: set[int] = set()
        self.folds = list(folds)
        self.fold_bytes = fold_bytes
        super().__init__(graph.input_structure, graph.output_structure, name=name, trainable=False)
        for layer in self.walk():
            if isinstance(layer, Embedding):
                layer.passes_mask = True
            if isinstance(layer, States) and layer.stateful:
                layer.stateful = False
                layer.restore(None)
        self._set_graph(self._graph)

    def _lock(self) -> None:
        """From now on the weights cannot be written to."""
        for variable in self.variables:
            variable.data = variable.data.view()
            variable.data.flags.writeable = False

    def __getstate__(self) -> dict[str, Any]:
        gone = [layer for layer in self.walk() if self.is_gone(layer)]
        return {**super().__getstate__(), "_gone": gone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        gone = state.pop("_gone")
        super().__setstate__(state)
        self._gone = {id(layer) for layer in gone}
        self._lock()
        self.fold_tables()

    def is_gone(self, layer: Layer) -> bool:
        """Whether the layer does nothing here."""
        return id(layer) in self._gone

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

    def fold_tables(self) -> None:
        """Have recurrent layers read the sums `b + x W` of each row x of a table, where there is memory for them."""
        left = self.fold_bytes - sum(fold.size for fold in self.folds)
        for embedding, reader in self._tables():
            table, runners = embedding.embeddings.data, _runners_in(reader)
            fold = Fold(embedding.name, reader.name, sum(runner.folded_size(len(table)) for runner in runners))
            if not runners or (fold.size > left and fold not in self.folds):
                continue
            for runner in runners:
                if not runner.has_folded(table):
                    runner.fold(table, runtime.get_num_threads())
            if fold not in self.folds:
                left -= fold.size
                self.folds.append(fold)

    def folded_tables(self) -> dict[int, np.ndarray]:
        """The tables that `folds` says are folded, by the id of the runner that does it."""
        folded = {(fold.layer, fold.into) for fold in self.folds}
        return {id(runner): embedding.embeddings.data for embedding, reader in self._tables()
                if (embedding.name, reader.name) in folded for runner in _runners_in(reader)}

    def _tables(self) -> Iterator[tuple[Any, Any]]:
        """The Embeddings whose rows a layer reads where they are, and that layer."""
        steps = self.schedule().steps
        uses = [id(step.layer) for step in steps]
        for step in steps:
            if step.rows and is_ours(step.layer):
                yield from ((step.layer, other.layer) for other in steps if step.outputs[0] in other.inputs
                            and is_ours(other.layer) and uses.count(id(other.layer)) == 1)


def runners_of(network: FrozenNetwork) -> Iterator[Any]:
    """The compiled runners of all layers that are left, each once, in order."""
    seen: set[int] = set()
    for step in network.schedule().steps:
        layer = step.layer
        while isinstance(layer, TimeDistributed):
            layer = layer.layer
        if id(layer) not in seen:
            seen.add(id(layer))
            yield from _runners_in(layer)
            if type(layer) in (Conv1D, Conv2D, Dense):
                yield layer.kernel_runner()


def _runners_in(layer: Any) -> list[Any]:
    """The compiled runners of a recurrent layer, or of both of a Bidirectional's; none of another layer."""
    layers: Sequence[Any] = [layer]
    if isinstance(layer, Bidirectional):
        layers = [layer.forward_layer, layer.backward_layer]
    if not all(isinstance(one, Recurrent) and one.on_kernels for one in layers):
        return []
    return [one.kernel_runner() for one in layers]


def _on_last_axis(layer: Any) -> bool:
    return bool(layer.feature_axis(layer.rank) == layer.rank - 1)


def _takes_scale(normalization: Any, layer: Any) -> bool:
    """Whether a layer's weights can scale its outputs."""
    plain = type(layer) is Dense or (type(layer) is Conv1D and layer.data_format == "channels_last")
    return plain and activations.plain_name(layer.activation) == "linear" and layer.activity_regularizer is None \
        and _on_last_axis(normalization)


def _takes_input_scale(normalization: Any, step: Step) -> bool:
    """Whether a layer's weights can scale its inputs. A convolution may not, as what padding adds is not scaled."""
    layer = step.layer
    plain = type(layer) is Dense or (
        isinstance(layer, Recurrent) and is_ours(layer) and layer.on_kernels and len(step.inputs) == 1)
    deviation = np.sqrt(normalization.moving_variance.data + normalization.epsilon)
    near = np.abs(normalization.moving_mean.data).max() <= _LARGEST_MEAN * deviation.min()
    return bool(plain and near and _on_last_axis(normalization))


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
