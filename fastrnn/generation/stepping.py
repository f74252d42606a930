# SPDX-License-Identifier: Apache-2.0
"""A model over a sequence that grows: each piece of it is computed once, from the states that the last one left."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.graph.graph import Graph
from fastrnn.graph.schedule import Schedule
from fastrnn.graph.steps import Step
from fastrnn.layers.attention.attention import Attention
from fastrnn.layers.attention.heads import Heads
from fastrnn.layers.base import Layer
from fastrnn.layers.core.activation import Activation
from fastrnn.layers.core.dense import Dense
from fastrnn.layers.core.embedding import Embedding
from fastrnn.layers.core.identity import Identity
from fastrnn.layers.core.masking import Masking
from fastrnn.layers.core.time_distributed import TimeDistributed
from fastrnn.layers.merge.base import Merge
from fastrnn.layers.merge.dot import Dot
from fastrnn.layers.network import Network
from fastrnn.layers.normalization.batch_normalization import BatchNormalization
from fastrnn.layers.normalization.layer_normalization import LayerNormalization
from fastrnn.layers.normalization.rms_normalization import RMSNormalization
from fastrnn.layers.normalization.unit_normalization import UnitNormalization
from fastrnn.layers.operation import Operation
from fastrnn.layers.recurrent.bidirectional import Bidirectional
from fastrnn.layers.recurrent.rnn import RNN
from fastrnn.layers.recurrent.states import States
from fastrnn.layers.regularization.activity_regularization import ActivityRegularization
from fastrnn.layers.regularization.alpha_dropout import AlphaDropout
from fastrnn.layers.regularization.dropout import Dropout
from fastrnn.layers.regularization.gaussian_dropout import GaussianDropout
from fastrnn.layers.regularization.gaussian_noise import GaussianNoise

#: What acts on each step alone, unless an `axis` of it is that of the time.
_ON_EACH_STEP = (
    Activation, ActivityRegularization, AlphaDropout, BatchNormalization, Dense, Dropout, Embedding, GaussianDropout,
    GaussianNoise, Identity, LayerNormalization, Masking, Merge, RMSNormalization, TimeDistributed, UnitNormalization)

# What an array is in the growing sequence: the same at each step; one entry a step, along axis 1; the state after
# the last step; or what cannot be continued.
_STEADY, _BY_STEP, _LAST, _WHOLE = "steady", "by step", "last", "whole"


class Stepper:
    """Runs a model over sequences piece by piece. The model is left as it is.

    Args:
        model: built; its first output is (batch, time, vocabulary), or (batch, vocabulary) after the last step.
        inputs: arrays for its other inputs, in their order, the batch first.
        token_input: the index of the input that takes the tokens: (batch, time) of whole numbers, or one-hot
            (batch, time, vocabulary).
        batch: number of sequences.

    Raises:
        TypeError: it is no model of layers.
        ValueError: a layer cannot be stepped, or the inputs do not fit; names it.
    """

    def __init__(self, model: Any, inputs: Sequence[Any], token_input: int, batch: int) -> None:
        self._name, graph = str(model), graph_of(model)
        self._schedule = Schedule(Graph(graph.inputs, graph.outputs[0], model))
        self._place = token_input
        shape = graph.inputs[token_input].shape
        self._width: int | None = shape[-1] if len(shape) == 3 else None    # of one-hot tokens
        if len(shape) not in (2, 3) or (len(shape) == 3 and self._width is None):
            raise ValueError(f"{model}: generate feeds tokens (batch, time) or one-hot (batch, time, vocabulary), but "
                             f"its input {graph.inputs[token_input].name!r} is {shape}; say token_input, the index of "
                             "the input that takes them")
        given = [self._input(index, x, batch) for index, x in zip(
            (index for index in range(len(graph.inputs)) if index != token_input), inputs, strict=True)]
        given.insert(token_input, None)
        self._slots, self._known = self._schedule.begin(given, None)
        self._stepped: list[tuple[Step, Any]] = []
        self._kinds: list[str] = [_STEADY] * len(self._slots)
        self._kinds[token_input] = _BY_STEP
        for step in self._schedule.steps:
            if all(self._kinds[slot] == _STEADY for slot in _reads(step)):
                self._schedule.infer_step(step, step.layer, self._slots, self._known)
            else:
                self._stepped.append((step, self._part(step)))
        read = {slot for step, _ in self._stepped for slot in _reads(step)}
        self._slots = [x if slot in read else None for slot, x in enumerate(self._slots)]
        if self._kinds[self._schedule.outputs[0]] in (_STEADY, _WHOLE):
            raise ValueError(f"{model}: its first output is not one of each token that comes")

    @property
    def activation(self) -> str | None:
        """What the output comes from, by name."""
        maker = self._schedule.maker(0)
        found: str | None = None if maker is None else maker.output_activation
        return found

    def _input(self, index: int, x: Any, batch: int) -> Any:
        takers = self._schedule.takers[index]
        x = takers[0].check(x) if takers else arrays.as_array(x, f"{self._name} inputs")
        if len(x) != batch:
            raise ValueError(f"{self._name} inputs: expected a batch of {batch}, as there are prompts, got {x.shape}")
        return x

    # what each step is ---------------------------------------------------------------------------------------------

    def _part(self, step: Step) -> Any:
        """What runs the step, piece by piece; says what its outputs are."""
        kinds = [self._kinds[slot] for slot in _reads(step)]
        layer, moving = step.layer, [kind for kind in kinds if kind != _STEADY]
        outputs = [_BY_STEP] * len(step.outputs)
        if all(kind == _LAST for kind in moving):
            outputs = [_LAST] * len(step.outputs)
        elif any(kind != _BY_STEP for kind in moving):
            raise self._cannot(layer, "reads what is known after the last step alone")
        elif isinstance(layer, Bidirectional) or getattr(layer, "go_backwards", False):
            raise self._cannot(layer, "reads the sequence from its end")
        elif isinstance(layer, States):
            count = len(step.inputs)
            if kinds[0] == _STEADY or _BY_STEP in kinds[1:count] or _STEADY in kinds[count:]:
                raise self._cannot(layer, "reads tokens as its states, or a mask that is not of the tokens")
            outputs = [_BY_STEP if layer.return_sequences else _LAST,       # type: ignore[attr-defined]
                       *[_LAST] * (len(step.outputs) - 1)]
            layer = _Continued(layer)
        elif isinstance(layer, (Attention, Heads)):
            if len(moving) > 1 or kinds[0] == _STEADY or len(step.inputs) > 3 or (step.options or {}).get(
                    "use_causal_mask"):
                raise self._cannot(layer, "reads more of the sequence than its query's own step")
            outputs[1:] = [_WHOLE] * (len(outputs) - 1)
        elif isinstance(layer, Operation) and _takes_last(layer):
            outputs = [_LAST]
        elif isinstance(layer, Layer) and not self._on_each_step(step):
            raise self._cannot(layer, "is not known to act on each step alone")
        for slot, kind in zip(step.outputs, outputs, strict=True):
            self._kinds[slot] = kind
        return layer

    def _on_each_step(self, step: Step) -> bool:
        layer: Any = step.layer
        rank = max(self._schedule.ranks[slot] for slot in step.inputs)
        fixed = [self._slots[slot] for slot in step.inputs if self._kinds[slot] == _STEADY]
        if isinstance(layer, Operation):
            known, raised = layer.function.name not in ("GetItem", "Matmul"), False
            fixed += [x for x in layer._constants or () if x is not None and x.ndim]
        else:
            known, raised = isinstance(layer, _ON_EACH_STEP) and not isinstance(layer, Dot), rank > 2
        own = getattr(layer, "axis", -1 if isinstance(layer, (Activation, Dense)) else 2)      # 2 is none that matters
        axes = [axis + rank if axis < 0 else axis for axis in np.atleast_1d(own).tolist()]
        masks = [slot for slot in step.masks if slot >= 0 and self._kinds[slot] == _STEADY]
        return known and 1 not in axes and not masks and all(_same_at_each_step(x, rank, raised) for x in fixed)

    def _cannot(self, layer: Any, why: str) -> ValueError:
        return ValueError(
            f"{self._name}: generate cannot step {layer}: it {why}. Recurrent layers that go forwards, Dense, "
            "Embedding, Dropout, normalizations, activations, merging layers, attention to an input that is there "
            "from the beginning, and TimeDistributed around any layer can be stepped")

    # running -------------------------------------------------------------------------------------------------------

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """The output after the last of some more tokens.

        Args:
            tokens: whole numbers (batch, steps), at least one step.

        Returns:
            (batch, vocabulary).
        """
        slots, known = list(self._slots), list(self._known)
        if self._width is None:
            slots[self._place] = self._schedule.takers[self._place][0].check(tokens)
        else:
            slots[self._place] = self._one_hot(tokens)
        for step, layer in self._stepped:
            self._schedule.infer_step(step, layer, slots, known)
        slot = self._schedule.outputs[0]
        y: np.ndarray = slots[slot]
        y = y[:, -1] if self._kinds[slot] == _BY_STEP else y
        if y.ndim != 2:
            raise ValueError(f"{self._name}: expected a first output of (batch, vocabulary) for each step, got "
                             f"{y.shape}")
        return y

    def _one_hot(self, tokens: np.ndarray) -> np.ndarray:
        width = self._width or 0
        tokens = arrays.as_index(tokens, width, f"{self._name} tokens")
        taker = self._schedule.takers[self._place][0]
        return taker.check(np.equal(tokens[:, :, None], np.arange(width)).astype(taker.layer.dtype))

    def take(self, rows: np.ndarray, everything: bool = False) -> None:
        """Go on from other sequences.

        Args:
            rows: which, by index; one may be taken several times.
            everything: take what is the same at each step, too, as it differs between the sequences.
        """
        for _, layer in self._stepped:
            if isinstance(layer, _Continued):
                layer.take(rows)
        if everything:
            self._slots = [None if x is None else x[rows] for x in self._slots]
            self._known = [None if mask is None else mask[rows] for mask in self._known]


def graph_of(model: Any) -> Graph:
    """The graph of a model.

    Raises:
        TypeError: it has none.
        ValueError: it is not built.
    """
    if not isinstance(model, Network) or model.takes_arguments:
        what = f"{model}, whose call is its own" if isinstance(model, Network) else type(model).__name__
        raise TypeError(f"generate model: expected a Sequential or a Model(inputs, outputs), got {what}")
    return model.graph


def _reads(step: Step) -> list[int]:
    """The slots that a step reads, those of its inputs first."""
    return [*step.inputs, *(slot for slot in step.masks if slot >= 0 and slot not in step.inputs)]


def _same_at_each_step(x: np.ndarray, rank: int, raised: bool) -> bool:
    """Whether an array that meets one with a time axis has the same values for each step.

    rank: how many axes the other one has.
    raised: the array's first axis is the batch's, also where it has fewer axes."""
    if raised and x.ndim < rank:
        return x.ndim == 2
    return x.ndim < rank - 1 or x.shape[x.ndim - rank + 1] == 1


def _takes_last(layer: Any) -> bool:
    """Whether an operation is ``[:, -1]``."""
    if layer.function.name != "GetItem":
        return False
    key, *_ = layer._options
    return bool(key[:2] == (slice(None), -1))


class _Continued:
    """A recurrent layer over a sequence that comes in pieces: a copy with the layer's weights, and its states.

    Args:
        layer: the layer, which is left as it is.
    """

    def __init__(self, layer: Any) -> None:
        self._layer = _with_states(layer)
        if isinstance(layer, RNN):
            self._layer._layers = [_with_states(inner) for inner in layer._layers]
        self._returns_state = layer.return_state
        self._states: list[np.ndarray] = []
        self._last: np.ndarray | None = None

    def forward(self, x: Any, *given: np.ndarray, call: Call) -> Any:
        """As of the layer; states that are given are those that the first piece begins with."""
        y, *states = self._layer.forward(x, *(self._states or given), call=call)
        sequences = self._layer.return_sequences
        if call.mask is not None and self._last is not None and not self._layer.zero_output_for_mask:
            # A masked step's output is that of the step before, which for the first ones is in the last piece.
            begun = np.logical_or.accumulate(call.mask, axis=1)
            begun, last = (begun[:, :, None], self._last[:, None]) if sequences else (begun[:, -1:], self._last)
            y = np.where(begun, y, last)
        self._states, self._last = states, y[:, -1] if sequences else y
        return [y, *states] if self._returns_state else y

    def take(self, rows: np.ndarray) -> None:
        """Go on from the states of other sequences."""
        self._states = [state[rows] for state in self._states]
        self._last = None if self._last is None else self._last[rows]


def _with_states(layer: Any) -> Any:
    """A layer with the weights of this one that gives its states, and keeps none."""
    made = copy.copy(layer)
    made.return_state, made.stateful = True, False
    return made
