# SPDX-License-Identifier: Apache-2.0
"""Attention: dot products of queries and keys weigh values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Unpack

import numpy as np

from fastrnn import runtime
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import has_symbols
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.attention import weights as attention_weights
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.broadcasting import differ
from fastrnn.layers.merge.base import listed_shapes
from fastrnn.layers.variable import Variable

# The score of a step that is masked. Where all are, as in a sample of padding, each has the same weight, as in Keras.
_MASKED = -1e9


class Kept(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    inputs: tuple[np.ndarray, ...]      # query, value, and the key if it was given
    weights: np.ndarray                 # (batch, queries, keys), as the softmax gives them
    factors: np.ndarray | None          # of the dropout
    scored: Any                         # what `scores` leaves
    query_mask: np.ndarray | None
    inside: np.ndarray | None           # which keys count for which queries


class Attention(Layer):
    """Each query asks all keys, and gets the mean of their values by how well they fit it (Luong et al. 2015)::

        weights = softmax(query key^T)
        y = weights value

    It is called on a list of query (batch, queries, features), value (batch, keys, width) and, unless it is the value
    itself, key (batch, keys, features). A mask of the query sets outputs to zero and goes on, one of the value leaves
    steps out.

    Args:
        use_scale: multiply the scores by a number that is learned.
        score_mode: "dot", or "concat" for `sum(tanh(query + key))` times a number that is learned.
        dropout: fraction of the weights to drop in training.
        seed: of the dropout; None draws from the library's generator.

    Raises:
        ValueError: an argument is not as described; at a call, if the inputs are no such list or do not fit each other.

    Example:

    >>> query, value = np.array([[[0.0]]]), np.array([[[1.0], [3.0]]])
    >>> Attention()([query, value])
    array([[[2.]]], dtype=float32)
    """

    reads_mask = True

    supports_masking = True
    takes_many = True
    masks = "merge"

    def __init__(self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0, seed: int | None = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(f"{self} score_mode: expected 'dot' or 'concat', got {score_mode!r}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"{self} dropout: expected a fraction from 0 to 1, got {dropout!r}")
        self.use_scale, self.score_mode = bool(use_scale), score_mode
        self.dropout, self.seed = float(dropout), seed
        self._rng = None if seed is None else np.random.Generator(np.random.SFC64(seed))

    # calls ---------------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None, return_attention_scores: bool = False,
                 use_causal_mask: bool = False) -> Any:
        """The values that the queries get.

        Args:
            x: list of query, value and perhaps key: arrays or symbols.
            training: dropout acts, and `backward` can follow.
            mask: list of a bool array (batch, steps) or None for query and value, or None.
            return_attention_scores: give the weights (batch, queries, keys), too.
            use_causal_mask: a query asks no later step than its own.

        Returns:
            (batch, queries, width), or a list of it and the weights.

        Raises:
            ValueError: the inputs are no such list, or do not fit each other.
        """
        if not isinstance(x, (list, tuple)) or len(x) not in (2, 3):
            raise ValueError(f"{self}: expected a list of query and value, or of query, value and key, got "
                             f"{len(x) if isinstance(x, (list, tuple)) else type(x).__name__}")
        if mask is not None:
            if not isinstance(mask, (list, tuple)) or len(mask) not in (2, 3):
                raise ValueError(f"{self} mask: expected a list of those of query and value, or None, got "
                                 f"{len(mask) if isinstance(mask, (list, tuple)) else type(mask).__name__}")
            mask = [*mask[:2], *[None] * (len(x) - 2)]
        said = {"return_attention_scores": return_attention_scores, "use_causal_mask": use_causal_mask}
        options = {name: True for name, value in said.items() if value}
        if has_symbols(x) or has_symbols(mask):
            return self.connect(list(x), (list(x),), dict(options), training, mask, options)
        return self.run_call(list(x), training, mask, options)

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        xs = super().check_inputs(inputs)
        self.check_shapes(*(x.shape for x in xs))
        return xs

    def check_shapes(self, *shapes: Shape) -> None:
        if len(shapes) not in (2, 3):
            raise ValueError(f"{self}: expected query and value, or query, value and key, got {len(shapes)} inputs")
        query, value, key = shapes[0], shapes[1], shapes[-1]
        if any(len(shape) != 3 for shape in shapes) or differ(query[0], value[0], key[0]) or differ(
                value[1], key[1]) or differ(query[2], key[2]):
            raise ValueError(f"{self}: expected query (batch, queries, features), value (batch, keys, width) and key "
                             f"(batch, keys, features), got {', '.join(map(str, shapes))}")

    def build(self, *input_shapes: Any) -> None:
        shapes = listed_shapes(input_shapes)
        self.check_shapes(*shapes)
        self.scale: Variable | None = None
        self.concat_score_weight: Variable | None = None
        for name, shape in self.weight_shapes(shapes[0]).items():
            setattr(self, name, self.add_weight(name, shape, "ones"))
        self.built = True

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        return {**({"scale": ()} if self.use_scale else {}),
                **({"concat_score_weight": ()} if self.score_mode == "concat" else {})}

    def compute_output_shape(self, *input_shapes: Any, return_attention_scores: bool = False,
                             use_causal_mask: bool = False) -> Any:
        shapes = listed_shapes(input_shapes)
        query, value = shapes[0], shapes[1]
        output = (*query[:2], value[2])
        return [output, (*query[:2], value[1])] if return_attention_scores else output

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return None if mask is None else mask[0]

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        return [masked[0], *[False] * (count - 1)]

    # values --------------------------------------------------------------------------------------------------------

    def scores(self, query: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, Any]:
        """How well each key fits each query (batch, queries, keys), and what `score_gradients` needs beside both."""
        if self.score_mode == "concat":
            assert self.concat_score_weight is not None
            together = query[:, :, None] + key[:, None]
            bent = np.tanh(together if self.scale is None else together * self.scale.data)
            return self.concat_score_weight.data * bent.sum(-1), bent
        products = np.matmul(query, key.transpose(0, 2, 1))
        return products if self.scale is None else products * self.scale.data, products

    def score_gradients(self, d: np.ndarray, query: np.ndarray, key: np.ndarray, scored: Any,
                        wanted: tuple[bool, bool], call: Call) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The gradients of query and key from that of the scores; None where none is wanted."""
        if self.score_mode == "concat":
            assert self.concat_score_weight is not None
            self._learn(self.concat_score_weight, (d[..., None] * scored).sum(), call)
            together = (self.concat_score_weight.data * d)[..., None] * (1 - scored * scored)
            if self.scale is not None:
                self._learn(self.scale, (together * (query[:, :, None] + key[:, None])).sum(), call)
                together = together * self.scale.data
            return together.sum(2) if wanted[0] else None, together.sum(1) if wanted[1] else None
        if self.scale is not None:
            self._learn(self.scale, (d * scored).sum(), call)
            d = d * self.scale.data
        return (np.matmul(d, key) if wanted[0] else None,
                np.matmul(d.transpose(0, 2, 1), query) if wanted[1] else None)

    def _learn(self, variable: Variable, gradient: Any, call: Call) -> None:
        if self.trainable:
            call.gradient(variable)[...] = gradient

    def forward(self, query: np.ndarray, value: np.ndarray, *more: np.ndarray, call: Call) -> Any:
        xs = (query, value, *more)
        self.check_shapes(*(x.shape for x in xs))
        masks = call.mask or [None, None]
        for mask, x in zip(masks, xs):
            if mask is not None and mask.shape != x.shape[:2]:      # one that a layer below gives
                raise self.wrong_mask(mask, x.shape)
        scores, scored = self.scores(query, xs[-1])
        inside = self._inside(scores.shape, masks[1], call.options)
        if inside is not None:
            scores = np.where(inside, scores, scores.dtype.type(_MASKED))
        weights = attention_weights.softmax(scores.copy() if scores is scored else scores)
        factors = None
        if call.training and self.dropout > 0:
            factors = attention_weights.dropout(self.dropout, self._rng or runtime.rng(), weights.shape, call,
                                                self.dtype)
        shown = weights if factors is None else weights * factors
        y = np.matmul(shown, value)
        if masks[0] is not None:
            y *= masks[0][..., None]
        if call.taped:
            call.kept = Kept(xs, weights, factors, scored, masks[0], inside)
        if call.options.get("return_attention_scores"):
            return [y, shown.copy() if shown is weights and call.taped else shown]
        return y

    def _inside(self, shape: tuple[int, ...], mask: np.ndarray | None, options: Mapping[str, Any]) -> Any:
        """Which keys count for each query; None if all do."""
        inside: Any = None if mask is None else mask[:, None]
        if options.get("use_causal_mask"):
            earlier = attention_weights.causal(*shape[1:])
            inside = earlier if inside is None else inside & earlier
        return inside

    def backward(self, dy: Any, *more: Any, call: Call | None = None) -> list[np.ndarray | None]:
        """As every layer's.

        Args:
            dy: gradient of the output, None for zero.
            more: that of the weights, if they were asked for, or None.
            call: that of `forward`.
        """
        call = self.taped(call)
        kept: Kept = call.kept
        query, value, key = kept.inputs[0], kept.inputs[1], kept.inputs[-1]
        d: Any = 0
        shown = kept.weights if kept.factors is None else kept.weights * kept.factors
        dvalue = None
        if dy is not None:
            dy = self.check_gradient(dy, (*query.shape[:2], value.shape[2]))
            if kept.query_mask is not None:
                dy = dy * kept.query_mask[..., None]
            d = np.matmul(dy, value.transpose(0, 2, 1))
            dvalue = np.matmul(shown.transpose(0, 2, 1), dy) if call.wants(1) else None
        if more and more[0] is not None:
            d = d + self.check_gradient(more[0], kept.weights.shape)
        if kept.factors is not None:
            d = d * kept.factors
        d = attention_weights.softmax_back(kept.weights, d)
        if kept.inside is not None:
            d = d * kept.inside
        dquery, dkey = self.score_gradients(d, query, key, kept.scored,
                                            (call.wants(0), call.wants(len(kept.inputs) - 1)), call)
        if len(kept.inputs) == 3:
            return [dquery, dvalue, dkey]
        if dkey is None or not call.wants(1):
            return [dquery, None]
        return [dquery, dkey if dvalue is None else dvalue + dkey]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale, "score_mode": self.score_mode,
                "dropout": self.dropout, "seed": self.seed}
