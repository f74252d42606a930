# SPDX-License-Identifier: Apache-2.0
"""What SimpleRNN, LSTM and GRU share: arguments, weights, and one kernel call for all time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn import _core, activations, arrays, constraints, initializers, regularizers, runtime
from fastrnn.layers.base import Layer, Shape, Variable

SIMPLE_RNN, LSTM, GRU = 0, 1, 2     # the kernels' numbers for the cells


class Tape(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    x: np.ndarray                       # (N, T, D), input dropout applied
    mask: np.ndarray | None             # (N, T)
    buffer: np.ndarray                  # the kernel's gates and states


def rank_hint(rank: int) -> str:
    """What to do where the input has too few axes."""
    return "; add a time or feature axis, e.g. x[:, :, None]" if rank == 2 else ""


def check_sequences(layer: Layer, x: Any, width: int | None) -> np.ndarray:
    """`x` as float (batch, time, width), or a ValueError that names the layer."""
    x = arrays.as_float(x, layer.dtype, f"{layer} input")
    if x.ndim != 3 or (width is not None and x.shape[2] != width):
        raise ValueError(f"{layer}: expected input (batch, time, {'features' if width is None else width}), "
                         f"got {x.shape}{rank_hint(x.ndim)}")
    return x


class Recurrent(Layer):
    """Base of the three recurrent layers; see `SimpleRNN`, `LSTM` and `GRU` for the arguments.

    A subclass names its cell, and the gates of its kernel in Keras's order.
    """

    supports_masking = True
    cell: int
    gates: int
    states = 1
    reset_after = True      # GRU's own argument
    #: For gradients: the gates in the order of the kernel's blocks, for the input's and the state's weights.
    input_blocks: tuple[int, ...]
    state_blocks: tuple[tuple[int, ...], ...]

    def __init__(self, units: int, *, activation: Any, recurrent_activation: Any = "sigmoid", use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
                 bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
                 recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
                 recurrent_dropout: float = 0.0, seed: int | None = None, return_sequences: bool = False,
                 return_state: bool = False, go_backwards: bool = False, stateful: bool = False,
                 zero_output_for_mask: bool = False, **kwargs: Any) -> None:
        # What decides how Keras runs the layer, and changes no result here.
        for ignored in ("unroll", "use_cudnn", "implementation", "time_major"):
            if kwargs.pop(ignored, False) and ignored == "time_major":
                raise ValueError(f"{type(self).__name__}: time_major is not supported; transpose to (batch, time, ...)")
        super().__init__(**kwargs)
        if not isinstance(units, (int, np.integer)) or isinstance(units, bool) or units <= 0:
            raise ValueError(f"{self} units: expected a positive whole number, got {units!r}")
        if activity_regularizer is not None:
            raise ValueError(f"{self}: activity_regularizer is not supported; regularize the weights instead")
        self.units = int(units)
        self.activation = self._kernel_activation("activation", activation)
        self.recurrent_activation = self._kernel_activation("recurrent_activation", recurrent_activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = self._rate("dropout", dropout)
        self.recurrent_dropout = self._rate("recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self._rng = None if seed is None else np.random.Generator(np.random.SFC64(seed))
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.dropout_mask: np.ndarray | None = None
        self.recurrent_dropout_mask: np.ndarray | None = None
        self.initial_state_grads: list[np.ndarray] | None = None
        self._states: list[np.ndarray] | None = None
        self._tape: Tape | None = None
        self._training = arrays.Buffers()
        self._idle = [arrays.Buffers()]     # inference buffers, one for each thread that predicts at the moment
        self._packed: tuple[Any, ...] = ()
        self._packed_t: tuple[Any, ...] = ()

    def _options(self) -> tuple[Any, ...]:
        """What the kernels must know of the layer."""
        codes = _core.kernels(self.dtype).ACTIVATIONS
        return (self.cell, self.units, codes[self.activation.name], codes[self.recurrent_activation.name],
                self.reset_after, self.zero_output_for_mask)

    def _kernel_activation(self, argument: str, identifier: Any) -> activations.Activation:
        activation = activations.get(identifier)
        known = _core.kernels(self.dtype).ACTIVATIONS
        if activation.name not in known or activations.serialize(activation) != activation.name:
            raise ValueError(f"{self} {argument}: expected one of {', '.join(known)}, got {identifier!r}")
        return activation

    def _rate(self, argument: str, rate: Any) -> float:
        if not isinstance(rate, (int, float, np.number)) or rate != rate:
            raise ValueError(f"{self} {argument}: expected a fraction from 0 to 1, got {rate!r}")
        return min(1.0, max(0.0, float(rate)))      # as Keras does

    def _pieces_to_shape(self, length: int | None, width: int) -> tuple[int | None, ...]:
        return (length, width)

    # weights -------------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 3 or not input_shape[-1]:
            raise ValueError(f"{self}: expected input (batch, time, features) with a known number of features, "
                             f"got {tuple(input_shape)}{rank_hint(len(input_shape))}")
        width = int(input_shape[-1])
        columns = self.gates * self.units
        self.kernel = self.add_weight("kernel", (width, columns), self.kernel_initializer, self.kernel_regularizer,
                                      self.kernel_constraint)
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, columns), self.recurrent_initializer,
                                                self.recurrent_regularizer, self.recurrent_constraint)
        self.bias: Variable | None = None
        if self.use_bias:
            self.bias = self.add_weight("bias", self._bias_shape(), self._bias_initializer(), self.bias_regularizer,
                                        self.bias_constraint)
        self.built = True

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        return self.bias_initializer

    def _biases(self) -> tuple[np.ndarray, np.ndarray | None]:
        """(1, gates * units): what the projection adds; and what a GRU with reset_after adds to h U_h, or None."""
        if self.bias is None:
            return np.zeros((1, self.gates * self.units), self.dtype), None
        return self.bias.data.reshape(1, -1), None

    def _versions(self) -> tuple[int, ...]:
        return (self.kernel.version, self.recurrent_kernel.version, self.bias.version if self.bias is not None else 0)

    def _pack(self) -> tuple[Any, ...]:
        """The weights in the layout of the kernels; packed anew after an update only."""
        packed = self._packed
        versions = self._versions()
        if packed and packed[0] == versions:
            return packed
        kernels = _core.kernels(self.dtype)
        vector = kernels.VECTOR_LENGTH
        padded = -(-self.units // vector) * vector
        order = tuple(range(self.gates))
        bias, recurrent_bias = self._biases()
        sources = [(self.kernel.data, order), (self.recurrent_kernel.data, order), (bias, order)]
        if recurrent_bias is not None:
            sources.append((recurrent_bias, (0,)))
        targets = list(packed[1:]) or [arrays.aligned_empty(len(source) * len(gates) * padded, self.dtype)
                                       for source, gates in sources] + [None] * (4 - len(sources))
        for (source, gates), target in zip(sources, targets):
            kernels.pack(source, self.units, gates, target)
        self._packed = (versions, *targets)
        return self._packed

    def _pack_transposed(self) -> tuple[Any, ...]:
        """The transposed weights that gradients pass through."""
        packed = self._packed_t
        versions = self._versions()
        if packed and packed[0] == versions:
            return packed
        kernels = _core.kernels(self.dtype)
        vector = kernels.VECTOR_LENGTH
        padded = -(-self.units // vector) * vector
        width = -(-len(self.kernel.data) // vector) * vector
        targets = packed[1:] or (arrays.aligned_empty(self.gates * padded * width, self.dtype),
                                 arrays.aligned_empty(self.gates * padded * padded, self.dtype))
        kernels.pack_t(self.kernel.data, self.units, self.input_blocks, targets[0])
        start = 0
        for gates in self.state_blocks:     # products of their own, one after the other
            kernels.pack_t(self.recurrent_kernel.data, self.units, gates, targets[1][start:])
            start += len(gates) * padded * padded
        self._packed_t = (versions, *targets)
        return self._packed_t

    # shapes --------------------------------------------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, time = input_shape[0], input_shape[1]
        output: Shape = (batch, time, self.units) if self.return_sequences else (batch, self.units)
        return [output] + [(batch, self.units)] * self.states if self.return_state else output

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> np.ndarray | None:
        return mask if self.return_sequences else None

    def check_input(self, x: Any) -> np.ndarray:
        return check_sequences(self, x, self.kernel.data.shape[0] if self.built else None)

    # forward -------------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool = False, mask: Any = None, initial_state: Any = None) -> Any:
        """The layer's output for `x`.

        Args:
            x: (batch, time, features), any numeric dtype and strides.
            training: dropout acts, and `backward` can follow.
            mask: bool (batch, time), False where a step hands output and state on, or None.
            initial_state: (batch, units), for an LSTM a list of two: h and c; None for zeros, or, if stateful, for the
                states of the last call.

        Returns:
            (batch, time, units) with return_sequences, else (batch, units); with return_state a list of it and the
            final states.

        Raises:
            ValueError: an argument does not fit.
        """
        x = self.check_input(x)
        if not self.built:
            self.build(x.shape)
        return self.forward(x, training, self.check_mask(mask, x), initial_state)

    def forward(self, x: np.ndarray, training: bool = False, mask: np.ndarray | None = None,
                initial_state: Any = None) -> Any:
        states = self._initial_states(initial_state, len(x))
        out = np.empty((x.shape[0], x.shape[1], self.units), self.dtype) if self.return_sequences else None
        final = self.run(x, out, training, mask, states)
        if self.stateful:
            self._states = [state.copy() for state in final] if self.return_state else final
        if out is None:
            out = self._last_output(final[0], mask)
        return [out, *final] if self.return_state else out

    def _last_output(self, h: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """The last step's output: the final state, but zero where it is masked and zero_output_for_mask."""
        if mask is not None and self.zero_output_for_mask and mask.shape[1]:
            last = mask[:, 0] if self.go_backwards else mask[:, -1]
            return np.where(last[:, None], h, h.dtype.type(0))
        return h.copy() if self.return_state or self.stateful else h

    def _initial_states(self, given: Any, batch: int) -> Sequence[np.ndarray | None]:
        if given is None:
            if self.stateful and self._states is not None:
                if len(self._states[0]) != batch:
                    raise ValueError(f"{self}: stateful with states for a batch of {len(self._states[0])}, got a batch "
                                     f"of {batch}; call reset_states() first")
                return self._states
            return (None,) * self.states
        given = list(given) if isinstance(given, (list, tuple)) else [given]
        if len(given) != self.states:
            raise ValueError(f"{self} initial_state: expected {self.states} arrays, got {len(given)}")
        checked = [arrays.as_float(s, self.dtype, f"{self} initial_state") for s in given]
        for state in checked:
            if state.shape != (batch, self.units):
                raise ValueError(f"{self} initial_state: expected (batch, units) = {(batch, self.units)}, "
                                 f"got {state.shape}")
        return checked

    def run(self, x: np.ndarray, out: np.ndarray | None, training: bool, mask: np.ndarray | None,
            states: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        """All steps: fills `out` (N, T, units) if it is given, returns the final states; a step is in the order of
        processing, so with go_backwards out[:, 0] belongs to the last step of x."""
        kernels = _core.kernels(self.dtype)
        batch, time, width = x.shape
        if self.go_backwards:
            x = x[:, ::-1]
            mask = None if mask is None else mask[:, ::-1]
        recurrent_drop = None
        if training:
            x, recurrent_drop = self._drop(x)
        _, w, u, b, b_recurrent = self._pack()
        threads = runtime.get_num_threads()
        size = kernels.tape_size(self.cell, batch, time, width, self.units, training, recurrent_drop is not None,
                                 threads)
        final = [np.empty((batch, self.units), self.dtype) for _ in range(self.states)]
        buffers = self._training
        if not training:
            try:
                buffers = self._idle.pop()
            except IndexError:
                buffers = arrays.Buffers()
        tape = buffers.flat("tape", size, self.dtype)
        kernels.forward(*self._options(), training, threads, x, w, u, b, b_recurrent, states[0],
                        states[1] if self.states == 2 else None, mask, recurrent_drop, out, final[0],
                        final[1] if self.states == 2 else None, tape, self.kernel.data)
        if training:
            self._tape = Tape(x, mask, tape)
        else:
            self._idle.append(buffers)
        return final

    def _drop(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw the batch's dropout masks, shared over time and gates; apply the input's."""
        self.dropout_mask = self.recurrent_dropout_mask = None
        if self.dropout > 0:
            self.dropout_mask = self._draw(self.dropout, (x.shape[0], x.shape[2]), "dropout")
            dropped = self._training.array("x", x.shape, self.dtype)
            _core.kernels(self.dtype).scale_rows(x, self.dropout_mask, dropped, runtime.get_num_threads())
            x = dropped
        if self.recurrent_dropout > 0:
            self.recurrent_dropout_mask = self._draw(self.recurrent_dropout, (x.shape[0], self.units), "recurrent")
        return x, self.recurrent_dropout_mask

    def _draw(self, rate: float, shape: tuple[int, int], name: str) -> np.ndarray:
        rng = self._rng or runtime.rng()
        mask = self._training.array(name, shape, self.dtype)
        if rate >= 1:
            mask[...] = 0
        else:
            rng.random(dtype=mask.dtype, out=mask)
            np.multiply(mask >= rate, 1 / (1 - rate), out=mask, casting="unsafe")
        return mask

    # backward ------------------------------------------------------------------------------------------------------

    def backward(self, dy: Any, input_gradient: bool = True, dstates: Any = None) -> np.ndarray | None:
        """Gradients after a call with training=True.

        Args:
            dy: gradient of the output, of its shape, or None for zero.
            input_gradient: False spares the input's gradient.
            dstates: gradients of the final states, a list like that of the states, or None for zeros.

        Returns:
            The gradient of the input or None. The weights' gradients are in `kernel.grad`, `recurrent_kernel.grad`
            and `bias.grad`, those of the initial states in `initial_state_grads`.
        """
        if self._tape is None:
            raise self.not_called()
        batch, time, _ = self._tape.x.shape
        final: list[Any] = [None] * self.states if dstates is None else [
            None if d is None else np.ascontiguousarray(self.check_gradient(d, (batch, self.units), "dstates"))
            for d in dstates]
        if len(final) != self.states:
            raise ValueError(f"{self} dstates: expected {self.states} arrays, got {len(final)}")
        if dy is not None:
            shape = (batch, time, self.units) if self.return_sequences else (batch, self.units)
            dy = self.check_gradient(dy, shape)
            if not self.return_sequences:
                final[0] = self._last_gradient(dy, final[0])
                dy = None
        dx = np.empty(self._tape.x.shape, self.dtype) if input_gradient else None
        self.run_back(dy, dx, final)
        return dx

    def _last_gradient(self, dy: np.ndarray, dh: np.ndarray | None) -> np.ndarray:
        mask = self._tape.mask if self._tape is not None else None
        if mask is not None and self.zero_output_for_mask and mask.shape[1]:
            dy = np.where(mask[:, -1:], dy, dy.dtype.type(0))   # the tape's mask is in the order of processing
        return np.ascontiguousarray(dy) if dh is None else dy + dh

    def run_back(self, dy: np.ndarray | None, dx: np.ndarray | None, dstates: Sequence[np.ndarray | None]) -> None:
        """Gradients of all steps; `dy` (N, T, units) in the order of processing, `dx` (N, T, D) is filled."""
        tape = self._tape
        if tape is None:
            raise self.not_called()
        self._tape = None               # its gates are overwritten
        kernels = _core.kernels(self.dtype)
        batch, time, width = tape.x.shape
        _, w, u = self._pack_transposed()
        threads = runtime.get_num_threads()
        size = kernels.backward_scratch(self.cell, batch, time, width, self.units, threads)
        scratch = self._training.flat("scratch", size, self.dtype)
        dw = du = db = None
        if self.trainable:
            dw, du = self.kernel.gradient(), self.recurrent_kernel.gradient()
            if self.bias is not None:
                db = self.bias.gradient().reshape(-1)
        self.initial_state_grads = [np.empty((batch, self.units), self.dtype) for _ in range(self.states)]
        dx_steps = dx[:, ::-1] if dx is not None and self.go_backwards else dx
        kernels.backward(*self._options(), threads, tape.x, w, u, tape.mask, self.recurrent_dropout_mask, dy,
                         dstates[0], dstates[1] if self.states == 2 else None, tape.buffer, scratch, dx_steps, dw, du,
                         db, self.initial_state_grads[0], self.initial_state_grads[1] if self.states == 2 else None)
        if dx is not None and self.dropout_mask is not None:
            kernels.scale_rows(dx, self.dropout_mask, dx, threads)

    # state ---------------------------------------------------------------------------------------------------------

    def reset_states(self) -> None:
        """Forget the states that a stateful layer keeps."""
        self._states = None

    reset_state = reset_states

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": constraints.serialize(self.recurrent_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout, "seed": self.seed,
            "return_sequences": self.return_sequences, "return_state": self.return_state,
            "go_backwards": self.go_backwards, "stateful": self.stateful,
            "zero_output_for_mask": self.zero_output_for_mask,
        }
