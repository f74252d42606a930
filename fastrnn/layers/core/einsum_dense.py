# SPDX-License-Identifier: Apache-2.0
"""EinsumDense: a dense layer over axes that an equation names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Unpack

import numpy as np

from fastrnn import activations, arrays
from fastrnn.graph.call import Call
from fastrnn.initializers.random import VarianceScaling
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.variable import Variable

# What stands for the axes of an ellipsis: letters that no equation of letters alone has.
_ELIDED = "0123456789"


class Plan(NamedTuple):
    """An equation, read for inputs of one rank: a letter for each axis."""

    x: str
    kernel: str
    y: str


class EinsumDense(Layer):
    """`activation(einsum(equation, x, kernel) + bias)`: a dense layer over any axes of its input.

    Args:
        equation: as of `np.einsum`, of the input and the kernel: ``"abc,cd->abd"`` is a `Dense` on sequences. The
            input and the output, not the kernel, may have ``...`` before or behind their letters.
        output_shape: sizes of the output behind the batch, None where they are the input's; or one size.
        activation: a name, an activation, or None for none.
        bias_axes: letters of the output that the bias has, None for no bias.
        kernel_initializer, bias_initializer: first values.
        kernel_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, bias_constraint: applied to them after each update.
        activity_regularizer, lora_rank, lora_alpha, gptq_unpacked_column_size: are refused if given.

    Raises:
        ValueError: the equation is none, or does not fit `output_shape` or the input.

    Example:

    >>> EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")(np.zeros((2, 5, 8))).shape
    (2, 5, 64)
    """

    supports_masking = True
    described = ("kernel", "bias")
    kernel_initializer: Any

    def __init__(self, equation: str, output_shape: int | Sequence[int | None], activation: Any = None,
                 bias_axes: str | None = None, kernel_initializer: Any = "glorot_uniform",
                 bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None, *, activity_regularizer: Any = None,
                 lora_rank: None = None, lora_alpha: None = None, gptq_unpacked_column_size: None = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not lora_rank is lora_alpha is gptq_unpacked_column_size is None:    # which Keras writes as None
            raise ValueError(f"{self} lora_rank, lora_alpha, gptq_unpacked_column_size: expected None: there are "
                             "neither adapters nor such quantization")
        parts = re.fullmatch(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?",
                             equation.replace(" ", "") if isinstance(equation, str) else "")
        if parts is None or bool(parts[1]) != bool(parts[5]) or bool(parts[3]) != bool(parts[7]) or (
                parts[1] and parts[3]) or any(len(set(parts[i])) < len(parts[i]) for i in (2, 4, 6)):
            raise ValueError(f"{self} equation: expected the letters of input, kernel and output, as in "
                             f"'abc,cd->abd' or '...c,cd->...d', each axis with one of its own, got {equation!r}")
        self.equation = equation
        self._before, self._behind = bool(parts[1]), bool(parts[3])
        self._letters = Plan(parts[2], parts[4], parts[6])
        shape = [output_shape] if isinstance(output_shape, int) else output_shape
        if not isinstance(shape, (list, tuple)) or not all(
                size is None or (isinstance(size, (int, np.integer)) and size > 0) for size in shape):
            raise ValueError(f"{self} output_shape: expected a size or several, got {output_shape!r}")
        self.partial_output_shape = tuple(None if size is None else int(size) for size in shape)
        if bias_axes is not None and not (isinstance(bias_axes, str) and bias_axes and set(bias_axes) <= set(parts[6])):
            raise ValueError(f"{self} bias_axes: expected letters of the output {parts[6]!r}, or None, got "
                             f"{bias_axes!r}")
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        self.describe(locals())

    @property
    def output_activation(self) -> str | None:
        return activations.plain_name(self.activation)

    # shapes --------------------------------------------------------------------------------------------------------

    def _plan(self, rank: int) -> Plan:
        """The letters of an input with that many axes."""
        own = self._letters
        more = rank - len(own.x)
        if not 0 <= more <= len(_ELIDED) * (self._before or self._behind):
            raise ValueError(f"{self}: expected an input with axes {self.equation.split(',')[0]!r}, got {rank} axes")
        elided = _ELIDED[:more]
        if self._before:
            return Plan(elided + own.x, own.kernel, elided + own.y)
        return Plan(own.x + elided, own.kernel, own.y + elided)

    def _sizes(self, input_shape: Any) -> tuple[Plan, dict[str, Any]]:
        """The letters, and the size that each stands for."""
        plan = self._plan(len(input_shape))
        sizes: dict[str, Any] = dict(zip(plan.x, input_shape))
        own = [letter for letter in plan.y if letter not in _ELIDED]
        given = self.partial_output_shape
        # The batch is the first axis, of the ellipsis if that comes first.
        own = own if self._before and plan.y[0] in _ELIDED else own[1:]
        if len(own) != len(given):
            raise ValueError(f"{self} output_shape: expected sizes of the axes {''.join(own)!r}, got {given}")
        for letter, size in zip(own, given):
            known = sizes.get(letter)
            if known is not None and size is not None and known != size:
                raise ValueError(f"{self} output_shape: expected axis {letter!r} of size {known}, as the input "
                                 f"{tuple(input_shape)} has it, got {size}")
            sizes[letter] = known if size is None else size
        for letter in (*plan.kernel, *plan.y):
            if letter not in sizes or (letter in plan.kernel and sizes[letter] is None):
                raise ValueError(f"{self}: expected a known size of axis {letter!r} in the equation "
                                 f"{self.equation!r}, got input {tuple(input_shape)} and output_shape {given}")
            if letter in plan.y and letter not in plan.x and letter not in plan.kernel:
                raise ValueError(f"{self} equation: expected axis {letter!r} of the output in the input or the kernel, "
                                 f"got {self.equation!r}")
        return plan, sizes

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        plan, sizes = self._sizes(input_shape)
        shapes = {"kernel": tuple(int(sizes[letter]) for letter in plan.kernel)}
        if self.bias_axes is not None:
            first = min(plan.y.index(letter) for letter in self.bias_axes)
            shape = [sizes[letter] if letter in self.bias_axes else 1 for letter in plan.y[first:]]
            if None in shape:
                raise ValueError(f"{self} bias_axes: expected axes of known size, got {self.bias_axes!r}")
            shapes["bias"] = tuple(int(size) for size in shape)
        return shapes

    def build(self, *input_shapes: Any) -> None:
        input_shape = input_shapes[0]
        shapes = self.weight_shapes(input_shape)
        letters = self._letters
        first = self.kernel_initializer
        if isinstance(first, VarianceScaling) and (first.input_axes is None or first.output_axes is None):
            into = [i for i, letter in enumerate(letters.kernel) if letter not in letters.y]
            out = [i for i, letter in enumerate(letters.kernel) if letter in letters.y]
            first = type(first)(**{**first.get_config(), "input_axes": into, "output_axes": out})
        self.kernel = self.described_weight("kernel", shapes["kernel"], initializer=first)
        self.bias: Variable | None = None
        if "bias" in shapes:
            self.bias = self.described_weight("bias", shapes["bias"])
        self.built = True

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        plan, sizes = self._sizes(input_shapes[0])
        return tuple(sizes[letter] for letter in plan.y)

    def check_input(self, x: Any) -> np.ndarray:
        if not arrays.is_ready(x, self.dtype):
            x = arrays.as_float(x, self.dtype, f"{self} input")
        plan, _ = self._sizes(x.shape)
        if self.built:
            kernel = dict(zip(plan.kernel, self.kernel.shape))
            if any(kernel.get(letter, size) != size for letter, size in zip(plan.x, x.shape)):
                raise ValueError(f"{self}: expected an input for the kernel {self.kernel.shape} in the equation "
                                 f"{self.equation!r}, got {x.shape}")
        return x

    # passes --------------------------------------------------------------------------------------------------------

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        plan = self._plan(x.ndim)
        z = contract(x, plan.x, self.kernel.data, plan.kernel, plan.y)
        if self.bias is not None:
            z = z + self.bias.data
        y = self.activation(z)
        if call.taped:
            call.kept = x, z if self.activation.needs_input else None, y
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        x, z, y = call.kept
        plan = self._plan(x.ndim)
        dz = self.check_gradient(dy, y.shape, "dz" if call.logits else "dy")
        if not call.logits and self.activation.name != "linear":
            dz = np.ascontiguousarray(self.activation.backward(y, dz, z))
        if self.trainable:
            call.gradient(self.kernel)[...] = contract(x, plan.x, dz, plan.y, plan.kernel)
            if self.bias is not None:
                shape = self.bias.shape
                more = dz.ndim - len(shape)
                axes = (*range(more), *(more + axis for axis, size in enumerate(shape) if size == 1))
                call.gradient(self.bias)[...] = dz.sum(axes).reshape(shape)
        if not call.wants():
            return None
        found = contract(dz, plan.y, self.kernel.data, plan.kernel, "".join(
            letter for letter in plan.x if letter in plan.y or letter in plan.kernel))
        alone = tuple(axis for axis, letter in enumerate(plan.x)
                      if letter not in plan.y and letter not in plan.kernel)    # summed over, in the forward pass
        return np.broadcast_to(np.expand_dims(found, alone), x.shape).copy() if alone else found

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "equation": self.equation, "output_shape": list(self.partial_output_shape),
            "activation": activations.serialize(self.activation), "bias_axes": self.bias_axes,
        }


def contract(a: np.ndarray, a_axes: str, b: np.ndarray, b_axes: str, out: str) -> np.ndarray:
    """`np.einsum` of two arrays, by one product of matrices where it is one.

    >>> contract(np.ones((2, 3)), "ab", np.ones((3, 4)), "bc", "ca").shape
    (4, 2)
    """
    shared = [letter for letter in a_axes if letter in b_axes and letter not in out]
    rest = [letter for letter in (*a_axes, *b_axes) if letter not in shared]
    if len(set(rest)) < len(rest) or len(rest) != len(out):     # an axis of all three, or of one alone
        numbers = {letter: i for i, letter in enumerate(dict.fromkeys(a_axes + b_axes))}
        return np.einsum(a, [numbers[one] for one in a_axes], b, [numbers[one] for one in b_axes],
                         [numbers[one] for one in out])
    found = np.tensordot(a, b, ([a_axes.index(one) for one in shared], [b_axes.index(one) for one in shared]))
    order = [rest.index(letter) for letter in out]
    return found if order == sorted(order) else np.ascontiguousarray(found.transpose(order))
