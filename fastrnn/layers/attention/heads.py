# SPDX-License-Identifier: Apache-2.0
"""Attention by several heads at once: what MultiHeadAttention and GroupQueryAttention share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn import arrays, runtime
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import Symbol, has_symbols
from fastrnn.layers.attention import weights as attention_weights
from fastrnn.layers.attention.projected import Projected
from fastrnn.layers.core.einsum_dense import EinsumDense

_MASKED = -1e9      # the score of a step that is masked: its exponential is 0


class Kept(NamedTuple):
    """What a forward pass leaves for the backward pass, beside what the layers inside leave."""

    inputs: int
    query: np.ndarray                   # (batch, heads, queries, size)
    key: np.ndarray                     # (batch, heads, keys, size), shared heads again for each that shares them
    value: np.ndarray
    weights: np.ndarray                 # (batch, heads, queries, keys), before the dropout
    factors: np.ndarray | None          # of the dropout
    inside: np.ndarray | None           # which keys count for which queries
    context: np.ndarray                 # (batch, queries, heads, size)
    gate: np.ndarray | None             # of the same shape
    shape: tuple[int, ...]              # of the output


class Heads(Projected):
    """Base of the layers in which several heads ask at once. A subclass sets the numbers of heads, and sizes."""

    # calls ---------------------------------------------------------------------------------------------------------

    def __call__(self, query: Any, value: Any = None, key: Any = None,  # type: ignore[override]
                 query_mask: Any = None, value_mask: Any = None, key_mask: Any = None, attention_mask: Any = None,
                 return_attention_scores: bool = False, training: bool | None = None, use_causal_mask: bool = False,
                 mask: Any = None) -> Any:
        """What the queries get, projected.

        Args:
            query: (batch, queries, features), an array or a symbol; or a list of query, value and perhaps key.
            value: (batch, keys, features).
            key: (batch, keys, features), the value if None.
            query_mask, value_mask, key_mask: bool (batch, steps), False where a step does not count, or None.
            attention_mask: which keys each query may ask: bool (batch, queries, keys), or without the batch, or with
                the heads behind it; or None.
            return_attention_scores: give the weights (batch, heads, queries, keys), too.
            training: dropout acts, and `backward` can follow.
            use_causal_mask: a query asks no later step than its own.
            mask: list of the masks of query, value and key, in place of the three.

        Returns:
            (batch, queries, width), or a list of it and the weights.

        Raises:
            TypeError: there is no value.
            ValueError: the inputs do not fit each other; names the layer, what was expected and what came.
        """
        if value is None and isinstance(query, (list, tuple)) and len(query) in (2, 3):
            query, value, key = (*query, None)[:3]
        if value is None:
            raise TypeError(f"{self}: expected query and value, as in layer(query, value), got no value")
        if mask is not None:
            if not isinstance(mask, (list, tuple)) or not 2 <= len(mask) <= 3:
                raise ValueError(f"{self} mask: expected a list of those of query, value and key, or None, got "
                                 f"{len(mask) if isinstance(mask, (list, tuple)) else type(mask).__name__}")
            query_mask, value_mask, key_mask = (*mask, None)[:3]
        said = {name: True for name, one in (("return_attention_scores", return_attention_scores),
                                             ("use_causal_mask", use_causal_mask)) if one}
        options: dict[str, Any] = dict(said)
        inputs, masks = [query, value], [query_mask, value_mask]
        symbolic = has_symbols([query, value, key, attention_mask, *masks, key_mask])
        if symbolic and attention_mask is not None and not isinstance(attention_mask, Symbol):
            options["attention_mask"] = self.check_part(3, attention_mask)
        given = attention_mask is not None and "attention_mask" not in options
        if key is not None or key_mask is not None or given:
            inputs, masks = [*inputs, value if key is None else key], [*masks, key_mask]
        if given:
            inputs, masks = [*inputs, attention_mask], [*masks, None]
        if not symbolic:
            return self.run_call(inputs, training, masks if any(one is not None for one in masks) else None, options)
        words = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask,
                 "attention_mask": attention_mask}
        kwargs = {**{name: one for name, one in words.items() if one is not None}, **said}
        args = (query, value) if key is None else (query, value, key)
        return self.connect(inputs, args, kwargs, training, None, options, tuple(masks))

    def most_inputs(self) -> int:
        return 4

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        xs = super().check_inputs(inputs)
        self.check_shapes(*(x.shape for x in xs))
        return xs

    def check_part(self, index: int, x: Any) -> np.ndarray:
        if index < 3:
            return self.check_input(x)
        mask = arrays.as_array(x, f"{self} attention_mask")
        if mask.dtype.kind not in "biuf" or not 2 <= mask.ndim <= 4:
            raise ValueError(f"{self} attention_mask: expected bool (batch, queries, keys), or without the batch, or "
                             f"with the heads behind it, got {mask.shape} of {mask.dtype}")
        return mask.astype(bool, copy=False)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The query's."""
        return None if mask is None else mask[0]

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        return [masked[0], *[False] * (count - 1)]

    # values --------------------------------------------------------------------------------------------------------

    def _inside(self, shape: tuple[int, ...], masks: Sequence[Any], given: Any, options: Mapping[str, Any]) -> Any:
        """Which keys count for each query, to be broadcast to the scores (batch, heads, queries, keys); None if all."""
        found = [mask[:, None, :, None] if index == 0 else mask[:, None, None]
                 for index, mask in enumerate(masks) if mask is not None]
        if options.get("use_causal_mask"):
            found.append(attention_weights.causal(*shape[2:])[None, None])
        if self.sliding_window is not None:
            apart = np.arange(shape[2])[:, None] - np.arange(shape[3])
            found.append((np.abs(apart) < self.sliding_window)[None, None])
        for mask in given, options.get("attention_mask"):
            if mask is not None:
                self.check_mask_shape(mask.shape, shape)
                found.append(mask[:, None] if mask.ndim == 3 else mask.reshape([1] * (4 - mask.ndim) + [*mask.shape]))
        if not found:
            return None
        inside = found[0]
        for mask in found[1:]:
            inside = inside & mask
        return inside

    def _shared(self, x: np.ndarray) -> np.ndarray:
        """Keys or values (batch, keys, heads, size) as (batch, heads, keys, size), those of shared heads repeated."""
        x = x.transpose(0, 2, 1, 3)
        return x if self.key_heads == self.query_heads else np.repeat(x, self.query_heads // self.key_heads, axis=1)

    def _unshared(self, d: np.ndarray) -> np.ndarray:
        """The gradient of what `_shared` was given."""
        if self.key_heads != self.query_heads:
            d = d.reshape(len(d), self.key_heads, -1, *d.shape[2:]).sum(2)
        return np.ascontiguousarray(d.transpose(0, 2, 1, 3))

    def forward(self, query: np.ndarray, value: np.ndarray, *more: np.ndarray, call: Call) -> Any:
        key = more[0] if more else value
        self.check_shapes(query.shape, value.shape, key.shape)
        masks = (call.mask or [])[:3]
        for mask, x in zip(masks, (query, value, key)):
            if mask is not None and mask.shape != x.shape[:2]:      # one that a layer below gives
                raise self.wrong_mask(mask, x.shape)
        by_query, by_key, by_gate, by_value, together = self.projections
        q = self._through(by_query, query, call).transpose(0, 2, 1, 3)
        k = self._shared(self._through(by_key, key, call))
        v = self._shared(self._through(by_value, value, call))
        scores = np.matmul(q, k.transpose(0, 1, 3, 2))
        scores *= scores.dtype.type(1 / math.sqrt(self.key_size))
        asked = bool(call.options.get("return_attention_scores"))
        inside = self._inside(scores.shape, masks, more[1] if len(more) > 1 else None, call.options)
        if inside is not None:
            scores = np.where(inside, scores, scores.dtype.type(_MASKED))
        weights = attention_weights.softmax(scores)
        if inside is not None and (asked or self.dropout > 0):
            weights *= inside           # as Keras: of a query that may ask nobody all weights are 0, and else the same
        factors = None
        if call.training and self.dropout > 0:
            factors = attention_weights.dropout(self.dropout, self._rng or runtime.rng(), weights.shape, call,
                                                self.dtype)
        context = np.ascontiguousarray(
            np.matmul(weights if factors is None else weights * factors, v).transpose(0, 2, 1, 3))
        gate = self._through(by_gate, query, call) if self.use_gate else None
        y = self._through(together, context if gate is None else context * gate, call)
        if call.taped:
            call.kept = Kept(2 + len(more), q, k, v, weights, factors, inside, context, gate, y.shape)
        return [y, weights.copy() if call.taped else weights] if asked else y

    def _through(self, name: str, x: np.ndarray, call: Call) -> np.ndarray:
        layer: EinsumDense = getattr(self, name)
        return layer.forward(x, call=call.inner(name))

    def backward(self, dy: Any, *more: Any, call: Call | None = None) -> list[np.ndarray | None]:
        """As every layer's.

        Args:
            dy: gradient of the output, None for zero.
            more: that of the weights, if they were asked for, or None.
            call: that of `forward`.
        """
        call = self.taped(call)
        kept: Kept = call.kept
        by_query, by_key, by_gate, by_value, together = self.projections
        dy = np.zeros(kept.shape, self.dtype) if dy is None else self.check_gradient(dy, kept.shape)
        dweights = more[0] if more and more[0] is not None else None
        if dweights is not None:
            dweights = self.check_gradient(dweights, kept.weights.shape)
        dcontext: Any = self._back(together, dy, True, call)
        dgate = None
        if kept.gate is not None:
            dgate = self._back(by_gate, dcontext * kept.context, call.wants(0), call)
            dcontext = dcontext * kept.gate
        dcontext = dcontext.transpose(0, 2, 1, 3)
        shown = kept.weights if kept.factors is None else kept.weights * kept.factors
        dv = self._unshared(np.matmul(shown.transpose(0, 1, 3, 2), dcontext))
        d = np.matmul(dcontext, kept.value.transpose(0, 1, 3, 2))
        if kept.factors is not None:
            d *= kept.factors
        if dweights is not None:
            d += dweights
        d = attention_weights.softmax_back(kept.weights, d)
        d *= d.dtype.type(1 / math.sqrt(self.key_size))
        if kept.inside is not None:
            d *= kept.inside
        dq = np.ascontiguousarray(np.matmul(d, kept.key).transpose(0, 2, 1, 3))
        dk = self._unshared(np.matmul(d.transpose(0, 1, 3, 2), kept.query))
        found = [self._back(by_query, dq, call.wants(0), call), self._back(by_value, dv, call.wants(1), call),
                 self._back(by_key, dk, call.wants(2 if kept.inputs > 2 else 1), call)]
        if dgate is not None and found[0] is not None:
            found[0] = found[0] + dgate
        if kept.inputs == 2:            # the value is the key, too
            dkey = found.pop()
            return [found[0], None if found[1] is None or dkey is None else found[1] + dkey]
        return found if kept.inputs == 3 else [*found, None]

    def _back(self, name: str, d: np.ndarray, wanted: bool, call: Call) -> np.ndarray | None:
        inner = call.of(name)
        inner.spared, inner.pass_ = frozenset() if wanted else frozenset([0]), call.pass_
        layer: EinsumDense = getattr(self, name)
        return layer.backward(d, call=inner)
