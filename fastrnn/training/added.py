# SPDX-License-Identifier: Apache-2.0
"""Losses and metrics that are symbols of a model's graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.graph.graph import Graph
from fastrnn.graph.symbol import Symbol
from fastrnn.metrics import Mean, Sum
from fastrnn.training.inner import with_inner_losses


class Added:
    """What `add_loss` and `add_metric` have added to a model: further outputs of the graph that is trained.

    Attributes:
        losses: symbols whose means are added to the loss.
        measured: symbols whose means are metrics.
        metrics: the metrics of `measured`.
    """

    def __init__(self, losses: Sequence[Symbol] = (), measured: Sequence[Symbol] = (), metrics: Sequence[Any] = ()
                 ) -> None:
        self.losses, self.measured, self.metrics = tuple(losses), tuple(measured), tuple(metrics)

    def with_loss(self, model: Any, symbol: Any) -> Added:
        """These and a loss; see `Model.add_loss`."""
        _check(model, symbol, "add_loss", "a penalty on weights is a regularizer of their layer")
        return Added((*self.losses, symbol), self.measured, self.metrics)

    def with_metric(self, model: Any, symbol: Any, name: str, aggregation: str) -> Added:
        """These and a metric; see `Model.add_metric`."""
        _check(model, symbol, "add_metric", "metrics of targets are arguments of compile")
        if aggregation not in ("mean", "sum"):
            raise ValueError(f"{model}: add_metric expected aggregation 'mean' or 'sum', got {aggregation!r}")
        if any(metric.name == name for metric in self.metrics):
            raise ValueError(f"{model}: add_metric: there is a metric named {name!r} already; give it another name")
        metric = Mean(name) if aggregation == "mean" else Sum(name)
        return Added(self.losses, (*self.measured, symbol), (*self.metrics, metric))

    def __bool__(self) -> bool:
        return bool(self.losses or self.measured)

    def graph(self, model: Any) -> tuple[Graph, int]:
        """The model's graph with what was added after its outputs, the losses of its layers among it, and how many of
        these are losses, before metrics."""
        graph, inner = with_inner_losses(_extended(model, [*self.losses, *self.measured]) if self else model.graph)
        if not inner:
            return graph, len(self.losses)
        count = len(graph.outputs) - len(self.measured)
        return (Graph(graph.inputs, [*graph.outputs[:count], *inner, *graph.outputs[count:]], model),
                len(self.losses) + len(inner))

    def packed(self, state: dict[str, Any]) -> dict[str, Any]:
        """A model's state for a copy of it: its graph and what was added as one graph, since a copy of a graph has
        symbols of its own."""
        graph: Graph = state["_graph"]
        whole = Graph(graph.input_structure, [graph.output_structure, list(self.losses), list(self.measured)])
        return {**state, "_graph": whole, "added": Added((), (), self.metrics)}

    def unpacked(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state that `packed` was given."""
        whole: Graph = state["_graph"]
        outputs, losses, measured = whole.output_structure
        graph = Graph(whole.input_structure, outputs)
        return {**state, "_graph": graph, "added": Added(losses, measured, self.metrics)}


def _extended(model: Any, symbols: Sequence[Symbol]) -> Graph:
    graph: Graph = model.graph
    extended = Graph(graph.inputs, [*graph.outputs, *symbols], model)
    known = {id(weight) for weight in model.weights}
    for layer in extended.layers:
        if any(id(weight) not in known for weight in layer.weights):
            raise ValueError(f"{model}: the added symbol needs {layer}, which has weights and is not a layer of the "
                             "model; make its output one of the model's outputs, with None as its loss")
    return extended


def _check(model: Any, symbol: Any, who: str, hint: str) -> None:
    """Refuse what is no symbol of the model's graph."""
    if not isinstance(symbol, Symbol):
        got = "a function" if callable(symbol) else type(symbol).__name__
        raise TypeError(f"{model}: {who} expected a symbol of the model's graph, got {got}; {hint}")
    _extended(model, [symbol])


def mean_gradient(array: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean of an array and its gradient."""
    value = float(array.mean(dtype=np.float64)) if array.size else 0.0
    return value, np.full(array.shape, 1.0 / max(1, array.size), array.dtype)
