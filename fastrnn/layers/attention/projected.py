# SPDX-License-Identifier: Apache-2.0
"""The projections of attention by several heads: arguments, weights, shapes."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import regularizers
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.broadcasting import differ
from fastrnn.layers.core.einsum_dense import EinsumDense
from fastrnn.layers.merge.base import listed_shapes


class Projected(Layer):
    """What projects query, key and value for several heads, and their results together; see `Heads`."""

    supports_masking = True
    masks = "merge"
    described = ("kernel", "bias")
    #: Names of the attributes of the layers inside, which files have.
    projections = ("query_dense", "key_dense", "_gate_dense", "value_dense", "output_dense")

    query_heads: int
    key_heads: int
    key_size: int
    value_size: int
    dropout: float
    use_bias: bool
    use_gate: bool
    sliding_window: int | None

    def take_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Keep the arguments that all such layers have."""
        dropout, window = arguments["dropout"], arguments["sliding_window"]
        if not 0 <= dropout <= 1:
            raise ValueError(f"{self} dropout: expected a fraction from 0 to 1, got {dropout!r}")
        self.activity_regularizer = regularizers.get(arguments["activity_regularizer"])
        self.dropout, self.seed = float(dropout), arguments["seed"]
        self.use_bias, self.use_gate = bool(arguments["use_bias"]), bool(arguments["use_gate"])
        self.sliding_window = None if window is None else self.count_of("sliding_window", window)
        self._rng = None if self.seed is None else np.random.Generator(np.random.SFC64(self.seed))
        self.describe(arguments)

    # the layers inside ---------------------------------------------------------------------------------------------

    def _inputs_of(self) -> Sequence[EinsumDense]:
        """The layers that query, key and value go through, once built."""
        return [getattr(self, self.projections[i]) for i in (0, 1, 3)] if self.built else []

    def sublayers(self) -> Sequence[EinsumDense]:
        return [found for name in self.projections if (found := getattr(self, name, None)) is not None]

    def build(self, *input_shapes: Any) -> None:
        """Make the projections.

        Args:
            input_shapes: of query, value, and perhaps key, batch first.
        """
        shapes = listed_shapes(tuple(shape for shape in input_shapes if shape is not None))[:3]
        self.check_shapes(*shapes)
        query, value, key = *shapes[:2], shapes[-1]
        for name, shape in ("query", query), ("value", value), ("key", key):
            if not shape[-1]:
                raise ValueError(f"{self} {name}: expected a known number of features, got {shape}")
        inner = {"dtype": self.dtype, "trainable": self.trainable,
                 **{name: getattr(self, name) for name, _ in self._descriptions()}}
        output_shape = self.width(query)
        ends = string.ascii_lowercase[4:4 + len(output_shape)]
        gates = [(self.query_heads, self.value_size, query, "sigmoid")] if self.use_gate else [None]
        projected = [(self.query_heads, self.key_size, query, None), (self.key_heads, self.key_size, key, None), *gates,
                     (self.key_heads, self.value_size, value, None)]
        for name, own in zip(self.projections, projected):
            if own is not None:
                heads, size, shape, activation = own
                layer = EinsumDense("abc,cde->abde", (None, heads, size), activation,
                                    bias_axes="de" if self.use_bias else None,
                                    name=name.strip("_").removesuffix("_dense"), **inner)
                self._made(name, layer, shape)
        layer = EinsumDense(f"abcd,cd{ends}->ab{ends}", (None, *output_shape),
                            bias_axes=ends if self.use_bias else None, name="attention_output", **inner)
        self._made(self.projections[4], layer, (None, None, self.query_heads, self.value_size))
        self.built = True

    def _made(self, attribute: str, layer: EinsumDense, shape: Shape) -> None:
        layer.first_values = self.first_values
        layer.build(shape)
        for variable in layer.weights:
            variable.path = f"{self.name}/{layer.name}/{variable.name}"
        setattr(self, attribute, layer)

    # shapes --------------------------------------------------------------------------------------------------------

    def check_shapes(self, *shapes: Shape) -> None:
        if not 2 <= len(shapes) <= 4:
            raise ValueError(f"{self}: expected query and value, as in layer(query, value), got {len(shapes)} inputs")
        query, value = shapes[0], shapes[1]
        key = shapes[2] if len(shapes) > 2 else value
        if any(len(shape) != 3 for shape in shapes[:3]) or differ(
                query[0], value[0], key[0]) or differ(value[1], key[1]):
            raise ValueError(f"{self}: expected query (batch, queries, features), value (batch, keys, features) and "
                             f"key (batch, keys, features), got {', '.join(map(str, shapes[:3]))}")
        for name, shape, layer in zip(("query", "key", "value"), (query, key, value), self._inputs_of()):
            if shape[2] not in (None, layer.kernel.shape[0]):
                raise ValueError(f"{self} {name}: expected {layer.kernel.shape[0]} features, got {shape}")
        if len(shapes) > 3:
            self.check_mask_shape(shapes[3], (query[0], self.query_heads, query[1], value[1]))

    def check_mask_shape(self, shape: Shape, scores: Shape) -> None:
        """Raise a ValueError if an attention_mask of this shape does not fit scores (batch, heads, queries, keys)."""
        wanted = scores[4 - len(shape):] if len(shape) != 3 else (scores[0], *scores[2:])
        if not 2 <= len(shape) <= 4 or any(one not in (1, None, size) and size is not None
                                           for one, size in zip(shape, wanted)):
            raise ValueError(f"{self} attention_mask: expected (batch, queries, keys) = {(scores[0], *scores[2:])}, or "
                             f"without the batch, or with the heads behind it, got {shape}")

    def compute_output_shape(self, *input_shapes: Any, return_attention_scores: bool = False,
                             use_causal_mask: bool = False, attention_mask: Any = None) -> Any:
        query, value = (tuple(shape) for shape in input_shapes[:2])
        output = (*query[:2], *self.width(query))
        return [output, (query[0], self.query_heads, query[1], value[1])] if return_attention_scores else output

    def width(self, query_shape: Shape) -> tuple[Any, ...]:
        """The output's axes behind batch and queries."""
        return (query_shape[-1],)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dropout": self.dropout, "use_bias": self.use_bias, "use_gate": self.use_gate,
                "sliding_window": self.sliding_window, "activity_regularizer": None, "seed": self.seed}
