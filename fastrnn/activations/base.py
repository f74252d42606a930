# SPDX-License-Identifier: Apache-2.0
"""What every activation is, and a user's own function as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.graph.eager import differentiated, tape
from fastrnn.graph.tape import is_box, plain
from fastrnn.registry import Configurable, snake_case


class Activation(Configurable):
    """An activation function. A subclass defines `forward` and `backward`, and `needs_input = True` if its derivative
    cannot be had from the output alone.

    Further arguments of a call replace those of the object: `leaky_relu(x, negative_slope=0.1)`, `leaky_relu(x, 0.1)`.

    Example:

    >>> class Square(Activation):
    ...     needs_input = True
    ...     def forward(self, x):
    ...         return x * x
    ...     def backward(self, y, dy, x=None):
    ...         return 2 * x * dy
    >>> Square()(np.array([3.0]))
    array([9.])
    """

    needs_input = False

    @property
    def name(self) -> str:
        """The name in configurations: "hard_sigmoid"."""
        return snake_case(type(self).__name__)

    def __call__(self, x: Any, *arguments: Any, **parameters: Any) -> np.ndarray:
        """The activation of `x`, an array of any shape: a float array of the same shape."""
        running = tape()
        if running is not None and is_box(x):
            return self._traced(x, running, {**dict(zip(self.get_config(), arguments)), **parameters})
        if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
            x = np.asarray(x, np.float32)
        if arguments or parameters:
            config = self.get_config()
            if len(arguments) > len(config) or parameters.keys() & list(config)[:len(arguments)]:
                raise TypeError(f"activation {self.name!r}: expected at most {', '.join(config) or 'nothing'} beside "
                                f"the input, each once, got {len(arguments)} by position and {', '.join(parameters)}")
            return type(self)(**{**config, **dict(zip(config, arguments)), **parameters}).forward(x)
        return self.forward(x)

    def _traced(self, x: Any, running: Any, parameters: dict[str, Any]) -> Any:
        known = type(self)(**{**self.get_config(), **parameters}) if parameters else self
        values = plain(x)
        y = known.forward(values)
        return running.record(y, [x], lambda dy: known.backward(y, dy, values))

    def output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The output's shape for an input of this shape: the same, for all but few."""
        return shape

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The activation of a float array."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(x)")

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        """The gradient with respect to the input.

        Args:
            y: what the activation gave.
            dy: the gradient with respect to `y`, of the same shape.
            x: what the activation was given; may be left out unless `needs_input`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define backward(y, dy, x), needed for training")


class FunctionActivation(Activation):
    """A function of the user's own, made of `fastrnn.ops`, of operators or of NumPy's element-wise functions. Its
    derivative follows from a trace of it, by the package autograd."""

    needs_input = True

    def __init__(self, function: Callable[[np.ndarray], Any]) -> None:
        self.function = function

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.function(x), x.dtype)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        found = differentiated(self.function, needed(self, x))[1](dy)[0]
        return np.zeros_like(dy) if found is None else np.asarray(found, dy.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"function": self.name}


def needed(activation: Activation, x: np.ndarray | None) -> np.ndarray:
    """`x`, or the error of a backward that was not given it."""
    if x is None:
        raise ValueError(f"activation {activation.name!r}: backward needs the input x as well as the output")
    return x


def stable_sigmoid(x: np.ndarray) -> np.ndarray:
    """`1 / (1 + exp(-x))`, without overflow and accurate at both ends."""
    with np.errstate(over="ignore"):  # exp(-x) is infinite for a very negative x, and one over it the 0 wanted
        return 1 / (1 + np.exp(-x))


def stable_softplus(x: np.ndarray) -> np.ndarray:
    """`log(1 + exp(x))`, without overflow and accurate at both ends."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
