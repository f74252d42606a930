# SPDX-License-Identifier: Apache-2.0
"""A graph as a flat list of steps over numbered slots, and what runs it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn import _core, runtime
from fastrnn.graph.call import INFERENCE, INFERENCE_ROWS, Call, Pass
from fastrnn.graph.graph import Graph
from fastrnn.graph.steps import Rewrite, Step, steps_of

Arrays = Sequence[Any]
_UNKNOWN = object()         # what is found out when it is first needed


class Schedule:
    """Runs a graph: forward without a trace, as often and in as many threads as one likes, or forward and backward.

    What can be known before the first array comes is decided here, once: which steps see a mask, which gradients
    somebody wants, which `Embedding` hands rows to which layer, when a slot is free again. A model inside the graph
    becomes steps of this schedule.

    Args:
        graph: the graph.
        masked: by index, the inputs that come with a mask.
        frozen: gradients stop where nothing below can be trained. Else all inputs' gradients are made.
        wanted: by index, the outputs that have gradients; None for all.
        dropout: whether dropout acts in `forward`.
        trainable: whether there is anything to train.
        rewrite: of steps and the slots of the outputs makes steps to take their place, and changes the slots.

    Attributes:
        takers: for each input the layers that read it.
        ranks, outputs: of each slot how many axes its array has; the slots of the graph's outputs.
        variables: with `frozen`, the trainable variables that a backward pass reaches, each once.
    """

    def __init__(self, graph: Graph, masked: frozenset[int] = frozenset(), frozen: bool = False,
                 wanted: frozenset[int] | None = None, dropout: bool = True, trainable: bool = True,
                 rewrite: Rewrite | None = None) -> None:
        self._dropout, self._trainable = dropout, trainable
        self.graph = graph
        table = steps_of(graph, masked, rewrite)
        self.steps, self._size = table.steps, table.size
        self.outputs, self.ranks = table.outputs, table.ranks
        self._masks = [table.masked[slot] for slot in table.outputs]
        self.takers = table.takers
        self._inputs = len(graph.inputs)
        self._line = self._as_line()
        self._runner: Any = _UNKNOWN
        self.any_masks = any(table.masked)
        self._pass: Pass | None = None
        self._frozen, self._wanted = frozen, wanted
        self._back: list[Step] = []
        self._needs: list[bool] = []
        self.calls: list[Call] = []             # of training, one for each step
        self.variables: list[Any] = []
        self._prepare_backward()

    # made once -----------------------------------------------------------------------------------------------------

    def _as_line(self) -> list[tuple[Callable[..., Any], Call]] | None:
        """The layers' `forward`s where each takes just what the one before gives, and no step needs more than that."""
        last, line = 0, []
        if self._inputs != 1:
            return None
        for step in self.steps:
            if step.inputs != (last,) or not step.plain or not step.single or step.makes_mask:
                return None
            line.append((step.layer.forward, INFERENCE_ROWS if step.rows else INFERENCE))
            last = step.outputs[0]
        return line if self.outputs == [last] else None

    @property
    def runner(self) -> Any:
        """What runs a line of layers in one compiled call, for the input as the kernels have it; None where a layer has
        no such way."""
        if self._runner is _UNKNOWN:
            self._runner = self._as_runner()
        return self._runner

    def _as_runner(self) -> Any:
        if self._line is None or any(step.rows for step in self.steps):
            return None
        dtypes = {step.layer.dtype for step in self.steps}
        runners = [step.layer.runner() for step in self.steps]
        if len(dtypes) != 1:
            return None
        kernels = _core.kernels(dtypes.pop())
        if not all(isinstance(runner, kernels.Runner) for runner in runners):
            return None
        return kernels.LineRunner(runners)

    def _prepare_backward(self) -> None:
        """Which steps a backward pass goes through, and which gradients each must give."""
        live = [False] * self._size             # a gradient can come
        for index, slot in enumerate(self.outputs):
            live[slot] = live[slot] or self._wanted is None or index in self._wanted
        for step in reversed(self.steps):
            if any(live[slot] for slot in step.outputs):
                for slot in step.inputs:
                    live[slot] = True
        needs = self._needs = [not self._frozen and slot < self._inputs for slot in range(self._size)]
        written: dict[int, int] = {}
        for step in self.steps:
            training = self._dropout if step.training is None else step.training
            call = Call(training, rows=step.rows, taped=True, options=step.options)
            call.arguments = step.arguments
            self.calls.append(call)
            reached = any(live[slot] for slot in step.outputs)
            own = step.layer.trainable_weights if reached and step.trainable and self._trainable else []
            below = any(needs[slot] for slot in step.inputs)
            for slot in step.outputs:
                needs[slot] = reached and bool(own or below or not self._frozen)
            call.spared = frozenset(i for i, slot in enumerate(step.inputs) if not needs[slot])
            if any(needs[slot] for slot in step.outputs):
                self._back.append(step)
                for variable in (own if self._frozen else step.layer.weights):
                    written[id(variable)] = written.get(id(variable), 0) + 1
                self.variables += [v for v in own if written[id(v)] == 1]
        self._back.reverse()
        if any(count > 1 for count in written.values()):
            self._pass = Pass()
            for step in self._back:
                if any(written[id(variable)] > 1 for variable in step.layer.weights if id(variable) in written):
                    self.calls[step.index].pass_ = self._pass

    def fuse(self, index: int) -> bool:
        """From now on the gradient of an output is that of what enters the last activation; False if it cannot be, as
        the output is read elsewhere too."""
        slot = self.outputs[index]
        makers = [step for step in self.steps if slot in step.outputs]
        read = any(slot in step.inputs for step in self.steps) or self.outputs.count(slot) > 1
        if len(makers) != 1 or read or makers[0].layer.output_activation is None:
            return False
        self.calls[makers[0].index].logits = True
        return True

    def follow(self, call: Call) -> None:
        """Be a part of another pass: what its call says of gradients holds for this schedule."""
        if call.logits and not self.fuse(0):
            raise ValueError("the gradient of what enters the last activation: the output is read elsewhere too")
        for step in self.steps:
            self.calls[step.index].spared = frozenset(
                i for i, slot in enumerate(step.inputs) if slot < self._inputs and slot in call.spared)
        if call.pass_ is not None:
            self._pass = None
            for inner in self.calls:
                inner.pass_ = call.pass_

    @property
    def masked_outputs(self) -> list[bool]:
        """Which outputs may come with a mask."""
        return list(self._masks)

    def maker(self, index: int) -> Any:
        """The layer that makes an output, None where the output is an input."""
        return next((step.layer for step in self.steps if self.outputs[index] in step.outputs), None)

    # running -------------------------------------------------------------------------------------------------------

    def infer(self, xs: Arrays, masks: Arrays | None = None) -> tuple[list[Any], list[Any]]:
        """The outputs, and the masks that reach them."""
        if self._line is not None:
            x = xs[0]
            if self.runner is not None:
                y = self.runner.output(x, runtime.get_num_threads())
                if y is not None:
                    return [y], [None]
            for forward, call in self._line:
                x = forward(x, call=call)
            return [x], [None]
        slots, known = self.begin(xs, masks)
        for step in self.steps:
            self._run(step, step.layer, self._inference_call(step, known), slots, known)
            for slot in step.free:
                slots[slot] = None
        return [slots[slot] for slot in self.outputs], self._masks_of(known)

    def infer_by(self, look: Callable[[Any, Callable[[Any], Any]], Any], xs: Arrays) -> None:
        """`infer` with a look at each step.

        Args:
            look: called with the layer, and a function that runs the layer that it is given in its place and returns
                the outputs.
            xs: the inputs.
        """
        slots, known = self.begin(xs, None)
        for step in self.steps:
            call = self._inference_call(step, known)
            look(step.layer, functools.partial(self._run, step, call=call, slots=slots, known=known))

    def begin(self, xs: Arrays, masks: Arrays | None) -> tuple[list[Any], list[Any]]:
        """Slots of arrays and of masks, with those of the inputs."""
        slots = [*xs, *[None] * (self._size - self._inputs)]
        known: list[Any] = [None] * self._size if self.any_masks else []
        if masks is not None and known:
            known[:self._inputs] = masks
        return slots, known

    def infer_step(self, step: Step, layer: Any, slots: list[Any], known: list[Any]) -> None:
        """One step of `infer`, by a layer that takes the place of the step's own.

        Args:
            step: one of `steps`.
            layer: with a `forward` as that of the step's layer.
            slots, known: arrays and masks, as `begin` gave them and the steps before filled them.
        """
        self._run(step, layer, self._inference_call(step, known), slots, known)

    def _inference_call(self, step: Step, known: list[Any]) -> Call:
        if step.plain:
            return INFERENCE_ROWS if step.rows else INFERENCE
        training = step.training is True
        call = Call(training, step.mask_in(known), step.rows, training, step.options)
        call.arguments = step.arguments
        return call

    def forward(self, xs: Arrays, masks: Arrays | None = None) -> tuple[list[Any], list[Any]]:
        """As `infer`, in training; the calls keep what `backward` needs."""
        slots, known = self.begin(xs, masks)
        for step, call in zip(self.steps, self.calls):
            call.kept = None
            if step.sees_mask:
                call.mask = step.mask_in(known)
            self._run(step, step.layer, call, slots, known)
            for slot in step.free:
                slots[slot] = None
        return [slots[slot] for slot in self.outputs], self._masks_of(known)

    def _run(self, step: Step, layer: Any, call: Call, slots: list[Any], known: list[Any]) -> Any:
        if len(step.inputs) == 1 and not step.checks:       # unpacking xs costs a small step 3 %
            x = slots[step.inputs[0]]
            xs = [x]
            y = layer.forward(x, call=call)
        else:
            xs = [slots[slot] for slot in step.inputs]
            if step.checks:
                xs = step.checked(xs)
            y = layer.forward(*xs, call=call)
        if step.makes_mask:
            self._pass_mask(step, xs, call, known)
        if step.single:
            slots[step.outputs[0]] = y
        else:
            for slot, one in zip(step.outputs, y, strict=True):
                slots[slot] = one
        return y

    def _pass_mask(self, step: Step, xs: list[Any], call: Call, known: list[Any]) -> None:
        mask = step.layer.masks_of_outputs(xs, call)
        if isinstance(mask, list):
            for slot, one in zip(step.outputs, mask, strict=True):
                known[slot] = one
        else:
            known[step.outputs[0]] = mask

    def _masks_of(self, known: list[Any]) -> list[Any]:
        return [known[slot] if masked else None for slot, masked in zip(self.outputs, self._masks)]

    def backward(self, dys: Arrays) -> list[Any]:
        """Gradients after `forward`: those of the variables are in their `grad`, those of the inputs are returned.

        Args:
            dys: the gradients of the outputs, None for zero.
        """
        grads: list[Any] = [None] * self._size
        owned: set[int] = set()                 # slots whose gradient is an array that is nobody else's
        for slot, dy in zip(self.outputs, dys, strict=True):
            if dy is not None:
                _add(grads, owned, slot, dy)
        if self._pass is not None:
            self._pass.begin()
        for step in self._back:
            call = self.calls[step.index]
            if step.single:
                dy = grads[step.outputs[0]]
                if dy is None:
                    continue
                dx = step.layer.backward(dy, call=call)
            else:
                given = [grads[slot] for slot in step.outputs]
                if all(dy is None for dy in given):
                    continue
                dx = step.layer.backward(*given, call=call)
            if call.pass_ is not None:
                call.pass_.done()
            for slot in step.outputs:
                grads[slot] = None
            if len(step.inputs) == 1:
                if dx is not None:
                    _add(grads, owned, step.inputs[0], dx)
            elif dx is not None:
                for slot, one in zip(step.inputs, dx, strict=True):
                    if one is not None and self._needs[slot]:
                        _add(grads, owned, slot, one)
        return grads[:self._inputs]


def _add(grads: list[Any], owned: set[int], slot: int, more: np.ndarray) -> None:
    """The first gradient is taken as it is, the second makes a new array, the others are added to it in place."""
    if grads[slot] is None:
        grads[slot] = more
        owned.discard(slot)
    elif slot in owned:
        grads[slot] += more
    else:
        grads[slot] = grads[slot] + more
        owned.add(slot)
