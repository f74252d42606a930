# SPDX-License-Identifier: Apache-2.0
"""Operation: one function of arrays as a node of a graph; what `+`, `@` and `[]` on symbols make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import OPERATIONS, Symbol
from fastrnn.layers.array_functions import FUNCTIONS, Function, as_key
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.broadcasting import summed_to
from fastrnn.layers.table import operations, register

_SCALARS = (bool, int, float)


class Operation(Layer):
    """One function of arrays, with its gradient. It has no weights, and hands no mask on.

    There is a class for each function of the table, under the name that Keras's class of it has, as its files hold
    them; the constants among the operands are arguments of the call, and belong to the layer from then on.

    Args:
        name: of the layer.

    Example:

    >>> import fastrnn
    >>> x = fastrnn.Input((3, 4))
    >>> y = 1 - x[:, -1] ** 2
    >>> y.shape, type(y.node.layer).__name__
    ((None, 4), 'Subtract')
    """

    function: ClassVar[Function]
    keras_module = "keras.src.ops.numpy"
    input_kind = "any"
    masks = "drop"

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self._constants: tuple[np.ndarray | None, ...] | None = None    # None where an input is
        self._options: tuple[Any, ...] = ()
        self._result = self.dtype

    def __call__(self, *operands: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The result for operands: symbols and constants, or arrays.

        Args:
            operands: in order; symbols, arrays and numbers may stand beside each other.
            training: `backward` can follow a call on arrays.
            mask: is dropped.

        Raises:
            TypeError: their number is wrong, or one is neither a symbol nor an array of numbers.
            ValueError: their shapes do not fit, or the layer has other constants from an earlier call.
        """
        count, options = len(self.function.gradients), self.function.options
        if len(operands) == 1 < count and isinstance(operands[0], (list, tuple)):
            operands = tuple(operands[0])               # as layers take several inputs
        if len(operands) != count + len(options):
            raise TypeError(f"{self}: expected {count + len(options)} operands, got {len(operands)}")
        symbolic = any(isinstance(operand, Symbol) for operand in operands[:count])
        inputs = self._take(operands[:count], operands[count:], Symbol if symbolic else np.ndarray)
        if symbolic:
            return self.connect(inputs, operands, {}, training)
        return self.run_call(inputs, training, None)

    def _take(self, operands: tuple[Any, ...], options: tuple[Any, ...], kind: type) -> list[Any]:
        """Part the operands in inputs, which are returned, and constants, which the layer keeps."""
        values: list[Any] = [operand if isinstance(operand, (Symbol, *_SCALARS)) else self._array(operand)
                             for operand in operands]
        taken = [isinstance(value, kind) for value in values]
        common = _common_dtype([value.dtype for value, own in zip(values, taken) if own],
                               [value for value, own in zip(values, taken) if not own])
        if common == "bool" and not self.function.booleans:
            raise TypeError(f"{self}: expected numbers, got booleans alone; multiply them by 1")
        try:
            constants = tuple(None if own else np.array(value, common) for value, own in zip(values, taken))
            options = tuple(as_key(option) for option in options)
        except (TypeError, OverflowError) as error:
            raise TypeError(f"{self}: {error}") from None
        if self._constants is not None and not _same(self._constants, constants, self._options, options):
            raise ValueError(f"{self}: was called with other constants before; make one for each call")
        self._constants, self._options = constants, options
        floating = common if common.startswith("float") else "float32"
        self._result = {"same": common, "float": floating, "bool": "bool"}[self.function.result]
        self.dtype = floating
        return [value for value, own in zip(values, taken) if own]

    def _array(self, operand: Any) -> np.ndarray:
        if operand is None or isinstance(operand, str):
            raise TypeError(f"{self}: expected symbols, arrays and numbers, got {operand!r}")
        try:
            return arrays.as_numbers(operand, f"{self} operand")
        except ValueError as error:
            raise TypeError(str(error)) from None

    def _operands(self, inputs: Any) -> list[Any]:
        """Inputs, or what is said of them, among the constants and before the options."""
        if self._constants is None:
            raise ValueError(f"{self}: was not called yet, and so has no operands")
        inputs = iter(inputs)
        return [*(next(inputs) if constant is None else constant for constant in self._constants), *self._options]

    def check_input(self, x: Any) -> np.ndarray:
        return arrays.as_float_or_whole(x, self.dtype, f"{self} operand")

    def check_shapes(self, *shapes: Shape) -> None:
        self.compute_output_shape(*shapes)

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        shapes = [one.shape if isinstance(one, np.ndarray) else one for one in self._operands(input_shapes)]
        try:
            return self.function.shape(*shapes)
        except ValueError as error:
            raise ValueError(f"{self}: {error}") from None

    def output_dtypes(self, inputs: list[Symbol], count: int) -> list[str]:
        return [self._result]

    def most_inputs(self) -> int:
        return len(self.function.gradients)

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None

    def forward(self, *xs: np.ndarray, call: Call) -> np.ndarray:
        operands = self._operands(xs)
        try:
            y = self.function.value(*operands)
        except (ValueError, IndexError) as error:       # of sizes that may vary
            raise ValueError(f"{self}: {error}") from None
        if self._result in arrays.DTYPES:
            y = np.asarray(y, arrays.DTYPES[self._result])
        if call.taped:
            call.kept = operands, y
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> Any:
        call = self.taped(call)
        operands, y = call.kept
        dy = self.check_gradient(dy, y.shape)
        found: list[np.ndarray | None] = []
        for gradient, operand, constant in zip(self.function.gradients, operands, self._constants or ()):
            if constant is not None:
                continue
            wanted = gradient is not None and call.wants(len(found)) and operand.dtype.kind == y.dtype.kind == "f"
            found.append(summed_to(gradient(dy, y, *operands), operand.shape) if wanted and gradient else None)
        return found[0] if len(found) == 1 else found

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    def __reduce__(self) -> Any:
        """Pickles find the class in the table: as names of a module, some would hide layers."""
        return _blank, (type(self).__name__,), self.__getstate__()


def _blank(name: str) -> Any:
    return object.__new__(operations.objects[name])


def _common_dtype(inputs: list[Any], constants: list[Any]) -> str:
    """The dtype that operands meet in: floats no wider than the inputs, as Keras has them.

    >>> _common_dtype(["float32"], [np.ones(3)]), _common_dtype(["int32"], [1]), _common_dtype(["int32"], [0.5])
    ('float32', 'int32', 'float32')
    """
    kinds = [np.dtype(dtype) for dtype in inputs]
    kinds += [value.dtype for value in constants if isinstance(value, np.ndarray)]
    if any(kind.kind == "f" for kind in kinds) or any(isinstance(value, float) for value in constants):
        return "float64" if "float64" in map(str, inputs) else "float32"
    found: np.dtype[Any] = np.result_type(*kinds) if kinds else np.dtype(bool)
    if found.kind == "b" and any(isinstance(value, int) and not isinstance(value, bool) for value in constants):
        return "int32"
    return "float32" if found.kind == "f" else found.name


def _same(constants: tuple[Any, ...], others: tuple[Any, ...], options: tuple[Any, ...],
          other_options: tuple[Any, ...]) -> bool:
    return options == other_options and all(
        one is two is None or (one is not None and two is not None and np.array_equal(one, two, equal_nan=True))
        for one, two in zip(constants, others))


def _maker(cls: type[Operation]) -> Callable[..., Any]:
    return lambda *operands: cls()(*operands)


for _key, _function in FUNCTIONS.items():
    _class = type(_function.name, (Operation,), {
        "function": _function, "__module__": __name__, "__doc__": f"The operation {_function.name}; see `Operation`."})
    register(_class)
    OPERATIONS[_key] = _maker(_class)
