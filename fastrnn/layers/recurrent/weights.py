# SPDX-License-Identifier: Apache-2.0
"""The arguments and weights of recurrent layers, and what runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn import _core, activations
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.recurrent.numpy_runner import NumpyRunner, Tape
from fastrnn.layers.recurrent.states import States
from fastrnn.layers.variable import Variable


def rank_hint(shape: Sequence[int | None], width: int | None = None) -> str:
    """What to do where the input lacks one axis; which one, the number of features tells."""
    if len(shape) != 2:
        return ""
    if width == shape[1]:
        return f"; pass x[None] for one sequence, x[:, None] for {shape[0]} of one step"
    if width in (None, 1):
        return f"; pass {'' if width else 'x[None] for one sequence, '}x[:, :, None] for sequences of one feature"
    return "; add a batch or time axis"


class OfCell:
    """An attribute of a recurrent layer's class that the kernels' table has of its cell."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: Any) -> Any:
        value = _core.kernels("float32").CELLS[owner.cell_name][self.key]
        setattr(owner, self.name, value)        # a plain attribute from now on
        return value


class RecurrentWeights(States):
    """What a recurrent layer is made of; `Recurrent` has the whole."""

    supports_masking = True
    cell_name: str          # in the kernels' table of cells
    gates = OfCell("gates")
    state_count = OfCell("states")
    described = ("kernel", "recurrent", "bias")
    kernel_initializer: Any
    bias_initializer: Any
    has_recurrent_kernel = OfCell("has_recurrent_kernel")
    recurrent_kernel: Variable      # if the cell has one
    reset_after = True      # GRU's own argument
    use_peepholes = False   # and LSTM's
    peephole_kernel: Variable | None = None

    def __init__(self, units: int, *, activation: Any, recurrent_activation: Any = "sigmoid", use_bias: bool,
                 kernel_initializer: Any, bias_initializer: Any, kernel_regularizer: Any, bias_regularizer: Any,
                 activity_regularizer: Any, kernel_constraint: Any, bias_constraint: Any, dropout: float,
                 recurrent_dropout: float, seed: int | None, return_sequences: bool, return_state: bool,
                 go_backwards: bool, stateful: bool, recurrent_initializer: Any = None,
                 recurrent_regularizer: Any = None, recurrent_constraint: Any = None,
                 zero_output_for_mask: bool = False, unroll: bool = False, use_cudnn: Any = "auto",
                 implementation: Any = None, time_major: bool = False, **kwargs: Unpack[LayerArguments]) -> None:
        # unroll, use_cudnn and implementation decide how Keras runs the layer, and change no result here.
        if time_major:
            raise ValueError(f"{type(self).__name__}: time_major is not supported; transpose to (batch, time, ...)")
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = self.count_of("units", units)
        self.state_shapes = [(self.units,)] * self.state_count
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        #: Whether the kernels run the layer; else NumPy does, step by step, as they lack one of its activations.
        self.on_kernels = all(map(self._in_kernels, (self.activation, self.recurrent_activation)))
        self.use_bias = bool(use_bias)
        self.describe(locals())
        self.dropout = self._rate("dropout", dropout)
        self.recurrent_dropout = self._rate("recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.zero_output_for_mask = bool(zero_output_for_mask)

    def forget(self) -> None:
        super().forget()
        self._runner: Any = None            # see kernel_runner

    def _in_kernels(self, activation: activations.Activation) -> bool:
        name = activation.name
        return name in _core.kernels(self.dtype).ACTIVATIONS and activations.plain_name(activation) == name

    def _rate(self, argument: str, rate: Any) -> float:
        if not isinstance(rate, (int, float, np.number)) or rate != rate:
            raise ValueError(f"{self} {argument}: expected a fraction from 0 to 1, got {rate!r}")
        return min(1.0, max(0.0, float(rate)))      # as Keras does

    def _pieces_to_shape(self, length: int | None, width: int) -> tuple[int | None, ...]:
        return (length, width)

    # weights -------------------------------------------------------------------------------------------------------

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        columns = self.gates * self.units
        return {"kernel": (int(input_shape[-1]), columns),
                **({"recurrent_kernel": (self.units, columns)} if self.has_recurrent_kernel else {}),
                **({"bias": self._bias_shape()} if self.use_bias else {})}

    def build(self, *input_shapes: Any) -> None:
        input_shape = input_shapes[0]
        if len(input_shape) != 3 or not input_shape[-1]:
            raise ValueError(f"{self}: expected input (batch, time, features) with a known number of features, "
                             f"got {tuple(input_shape)}{rank_hint(input_shape)}")
        shapes = self.weight_shapes(input_shape)
        self._runner = None
        self.kernel = self.described_weight("kernel", shapes["kernel"])
        if self.has_recurrent_kernel:
            self.recurrent_kernel = self.described_weight("recurrent_kernel", shapes["recurrent_kernel"], "recurrent")
        self.bias: Variable | None = None
        if self.use_bias:
            self.bias = self.described_weight("bias", shapes["bias"], initializer=self._bias_initializer())
        self.built = True

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        """In the place of the argument, if not None."""
        return None

    def kernel_runner(self) -> Any:
        """The object that runs the layer and differentiates it: a compiled one, or one of NumPy."""
        if self._runner is None:
            self._runner = self._compiled_runner() if self.on_kernels else NumpyRunner(self)
        return self._runner

    def _compiled_runner(self) -> Any:
        recurrent = self.recurrent_kernel if self.has_recurrent_kernel else None
        kernels = _core.kernels(self.dtype)
        codes = kernels.ACTIVATIONS
        return kernels.RecurrentRunner(
            kernels.CELLS[self.cell_name]["number"], codes[self.activation.name],
            codes[self.recurrent_activation.name], self.kernel, recurrent, self.bias, self.peephole_kernel,
            self.units, self.return_sequences)

    def new_tape(self) -> Any:
        """For what the runner's forward pass leaves for its backward pass."""
        return _core.kernels(self.dtype).RecurrentTape() if self.on_kernels else Tape()

    # shapes --------------------------------------------------------------------------------------------------------

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        batch, time = input_shapes[0][:2]
        output: Shape = (batch, time, self.units) if self.return_sequences else (batch, self.units)
        return [output] + [(batch, self.units)] * self.state_count if self.return_state else output

    def mask_rank(self, rank: int) -> int:
        return 2

    @property
    def masks(self) -> str:
        return "pass" if self.return_sequences else "drop"

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> np.ndarray | None:
        return mask if self.return_sequences else None
