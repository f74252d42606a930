# SPDX-License-Identifier: Apache-2.0
"""How layers are called: on arrays, on symbols, by a schedule; and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph import eager
from fastrnn.graph.call import Call
from fastrnn.graph.graph import Graph
from fastrnn.graph.symbol import Node, NodesOf, Symbol, flatten, has_symbols

Shape = tuple[int | None, ...]


class Calling:
    """A layer's calls. Two methods, one rule: `forward` leaves in the call what `backward` needs.

    A subclass defines `forward(x, *more, call)`, which gives the outputs for checked inputs: an array, or a list of
    them; and `backward(dy, *more, call)`, which takes the gradients of the outputs, and gives those of the inputs: an
    array, or a list where there are several inputs.

    Example:

    >>> from fastrnn.layers import Layer
    >>> class Double(Layer):
    ...     def forward(self, x, *, call):
    ...         return 2 * x
    ...     def backward(self, dy, *, call=None):
    ...         return 2 * dy
    >>> Double()([[1.0, 2.0]])
    array([[2., 4.]], dtype=float32)
    """

    name: str
    dtype: str
    built: bool
    activity_regularizer: Any
    _default_call: Call | None
    _nodes: NodesOf

    # Properties, as for some layers these depend on their arguments; the others have them as class attributes.

    @property
    def supports_masking(self) -> bool:
        """Whether the layer knows what to do with a mask; a layer with a `call` of the user's own hands it on."""
        return bool(vars(self).get("_supports_masking", False))

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = bool(value)

    @property
    def input_kind(self) -> str:
        """What the input holds: "float", "index" for whole numbers that name rows of a table, "string", or "any" kind
        of numbers."""
        return "float"

    @property
    def default_input_dtype(self) -> str:
        """The dtype of the input where no `Input` says it."""
        return {"index": "int32", "string": "string"}.get(self.input_kind, self.dtype)

    @property
    def masks(self) -> str:
        """What becomes of a mask: "pass", "drop", "make" one, or "merge" those of several inputs."""
        return "pass"

    @property
    def output_activation(self) -> str | None:
        """The activation that the output comes from, by name, where `backward` can start from what enters it."""
        return None

    #: Whether `forward` takes `arrays.Rows`, and whether it can give them.
    reads_rows = gives_rows = False
    #: Whether `backward` may need the output as it is.
    keeps_output = True
    #: Whether a list is a list of inputs.
    takes_many = False
    #: Attributes with layers that have this one's weights, and are not inside it.
    not_inside: tuple[str, ...] = ()
    #: Whether `forward` goes by the arguments of the call, which its inputs are parts of.
    takes_arguments = False
    #: Whether in training what a sample gives depends on the batch that it is in.
    reads_batch = False
    #: Whether the layer's mask is an input of its node in Keras.
    reads_mask = False
    #: How many of Keras's nodes lie between the mask of the output and the inputs with a mask, and those without.
    mask_depths = (0, 0)
    #: The number that Keras gives the first call among a model's outputs: 1 where 0 is the one that the layer was made
    #: with.
    first_call_number = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "forward" in vars(cls):          # which may not know how
            for ability, cautious in (("reads_rows", False), ("gives_rows", False), ("keeps_output", True)):
                if ability not in vars(cls):
                    setattr(cls, ability, cautious)
            if "runner" not in vars(cls):
                cls.runner = Calling.runner     # type: ignore[method-assign]

    # on arrays -----------------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The layer's output for arrays of any numeric dtype; for symbols, the symbol of it.

        Args:
            x: input, batch first; a list of them for a layer that takes several.
            training: dropout acts, and `backward` can follow. On symbols: whenever the model runs; None as that does.
            mask: bool array, False where a step is to be ignored, or None; its axes are the input's first ones,
                (batch, time), up to as many as `mask_rank` says.

        Raises:
            ValueError: the input or the mask does not fit; names the layer, what was expected and what came.
            TypeError: arrays among symbols.
        """
        inputs = flatten(x) if self.takes_many else [x]
        if has_symbols(x) or has_symbols(mask):
            return self.connect(flatten(x), (x,), {}, training, mask)
        return self.run_call(inputs, training, mask)

    def run_call(self, inputs: list[Any], training: bool | None, mask: Any,
                 options: Mapping[str, Any] | None = None) -> Any:
        """A user's call on arrays. In training it copies what `backward` needs as it is now, and what the caller may
        change; a training loop, which does not, calls `forward`."""
        running = eager.current()
        if running is not None:
            return running.call(self, inputs, training, mask, options)
        xs = self.check_inputs(inputs)
        if not self.built:
            self.build(*(x.shape for x in xs))
        mask = self.check_masks(mask, xs)
        if not training:
            return self.forward(*xs, call=Call(mask=mask, options=options))
        call = self.default_call
        call.training = call.taped = True
        call.kept = None
        call.mask, call.options = _copy(mask), options or {}
        y = self.forward(*(_copy(x) for x in xs), call=call)
        return _copy(y) if self.keeps_output else y

    @property
    def default_call(self) -> Call:
        """The call of those who name none: of `layer(x, training=True)`, then `layer.backward(dy)`."""
        if self._default_call is None:
            self._default_call = Call(training=True)
        return self._default_call

    def taped(self, call: Call | None) -> Call:
        """The call that a backward pass goes back through: the layer's default, if None is given.

        Raises:
            RuntimeError: no forward pass in training came before.
        """
        if call is None:
            call = self.default_call
        if call.kept is None:
            raise RuntimeError(f"{self}: backward needs a call with training=True before it")
        return call

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        """The inputs as the arrays that `forward` takes, or a ValueError."""
        return [self.check_part(index, x) for index, x in enumerate(inputs)]

    def check_part(self, index: int, x: Any) -> np.ndarray:
        """The input of an index as the array that `forward` takes there, or a ValueError."""
        return self.check_input(x)

    def check_input(self, x: Any) -> np.ndarray:
        """`x` as the array that `forward` takes, or a ValueError."""
        return x if arrays.is_ready(x, self.dtype) else arrays.as_float(x, self.dtype, f"{self} input")

    if TYPE_CHECKING:           # a subclass takes as many arguments as it has inputs, and outputs
        forward: Callable[..., Any]
        backward: Callable[..., Any]
    else:
        def forward(self, x: Any, *more: Any, call: Call) -> Any:
            """The outputs for checked inputs. In training `call.kept` has what `backward` needs, which may be inputs,
            mask and outputs themselves: they must not change before it."""
            raise NotImplementedError(f"{type(self).__name__} must define forward(x, *more, call)")

        def backward(self, dy: Any, *more: Any, call: Call | None = None) -> Any:
            """Gradients after a call with training=True.

            Args:
                dy, more: gradients of the outputs, of their shapes; of several outputs None is zero.
                call: that of `forward`; None for `layer(x, training=True)`. Inputs that are among its `spared` need no
                    gradient; with `logits` the gradient is that of what enters `output_activation`.

            Returns:
                The gradient of the input, or None; a list of them where there are several inputs. The weights'
                gradients are in each variable's `grad`.

            Raises:
                RuntimeError: no call with training=True came before.
                ValueError: `dy` has another shape than the output.
            """
            raise NotImplementedError(f"{type(self).__name__} must define backward(dy, *more, call)")

    def check_gradient(self, dy: Any, shape: tuple[int, ...], what: str = "dy") -> np.ndarray:
        """`dy` as an array of the layer's dtype and the shape given, its last axis contiguous; or a ValueError."""
        if type(dy) is not np.ndarray or dy.dtype != arrays.DTYPES[self.dtype] or not dy.flags.aligned:
            dy = arrays.as_float(dy, self.dtype, f"{self} {what}")
        if dy.shape != shape:
            raise ValueError(f"{self} {what}: expected shape {shape}, got {dy.shape}")
        return dy if dy.ndim == 0 or dy.strides[-1] == dy.itemsize else np.ascontiguousarray(dy)

    # masks ---------------------------------------------------------------------------------------------------------

    def mask_rank(self, rank: int) -> int:
        """How many axes, counted with the batch and at least 2, a mask may have beside an input of `rank` axes."""
        return rank - 1

    def check_masks(self, mask: Any, xs: list[np.ndarray]) -> Any:
        """The mask, or the list of masks where the layer merges them, as bool arrays or None, or a ValueError."""
        if mask is None:
            return None
        if self.masks != "merge":
            return self.check_mask(mask, xs[0])
        if not isinstance(mask, (list, tuple)) or len(mask) != len(xs):
            raise ValueError(f"{self} mask: expected a list of {len(xs)} masks, one for each input, or None, got "
                             f"{len(mask) if isinstance(mask, (list, tuple)) else type(mask).__name__}")
        return [self.check_mask(one, x) for one, x in zip(mask, xs)]

    def check_mask(self, mask: Any, x: np.ndarray) -> np.ndarray | None:
        """`mask` as a bool array or None, or a ValueError."""
        if mask is None:
            return None
        mask = np.asarray(mask)
        if not 2 <= mask.ndim <= self.mask_rank(x.ndim) or mask.shape != x.shape[:mask.ndim] \
                or mask.dtype.kind not in "biuf":
            raise self.wrong_mask(mask, x.shape)
        return mask.astype(bool, copy=False)

    def wrong_mask(self, mask: np.ndarray, shape: tuple[int, ...]) -> ValueError:
        """The error of a mask that does not fit an input of this shape."""
        fitting = " or ".join(f"(batch, time{', ...' if rank > 2 else ''}) = {shape[:rank]}"
                              for rank in range(2, self.mask_rank(len(shape)) + 1))
        return ValueError(f"{self} mask: expected {f'bool {fitting}' if fitting else 'None, there is no time axis'}, "
                          f"got {mask.shape} of {mask.dtype}")

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The mask that goes with the output: (batch, time), or of more axes of the input, but not of its features; of
        lists where the layer merges masks; a list where it has several outputs."""
        return mask

    def masks_of_outputs(self, xs: list[Any], call: Call) -> Any:
        """The mask of the output of a call of `forward` on `xs`; a list where there are several outputs."""
        return self.compute_mask(xs if self.masks == "merge" else xs[0], call.mask)

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        """Which of so many outputs may come with a mask, by which of the inputs do."""
        first = self.masks == "make" or (self.masks != "drop" and any(masked))
        return [first, *[False] * (count - 1)]

    # on symbols ----------------------------------------------------------------------------------------------------

    def connect(self, inputs: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None = None,
                mask: Any = None, options: Mapping[str, Any] | None = None,
                masks: tuple[Any, ...] | None = None) -> Any:
        """The symbols of the outputs, and the node between them and the inputs.

        Args:
            inputs: the symbols that `forward` reads, in its order.
            args, kwargs: as the caller wrote them.
            training, mask: see `__call__`.
            options: what `forward` finds in its call's `options`, and `compute_output_shape` gets as keywords.
            masks: of each input, where the caller gave them by other names, which are among `kwargs`.
        """
        if masks is None:
            masks = tuple(mask) if isinstance(mask, (list, tuple)) else () if mask is None else (mask,)
        for symbol in (*inputs, *(one for one in masks if one is not None)):
            if not isinstance(symbol, Symbol):
                raise TypeError(f"{self}: expected symbols alone, as Input and layers give them, got "
                                f"{type(symbol).__name__} among them; constants can be added by + and *")
        if len(inputs) > 1 and not self.takes_many and len(inputs) > self.most_inputs():
            raise ValueError(f"{self}: expected one input, got {len(inputs)}")
        shapes = [symbol.shape for symbol in inputs]
        self._check_kinds(inputs)
        self.check_shapes(*shapes)
        if not self.built:
            self.build(*shapes)
        made = self.shapes_of_outputs(shapes, options or {})
        if training is not None:
            kwargs = {**kwargs, "training": training}
        if mask is not None:
            kwargs = {**kwargs, "mask": mask}
        node = Node(self, inputs, args, kwargs, masks, training, options)
        self._nodes.add(node)
        count = len(made) if isinstance(made, list) else 1
        seen = [(index < len(masks) and masks[index] is not None) or symbol.masked
                for index, symbol in enumerate(inputs if self.masks == "merge" else inputs[:1])]
        return node.makes(made, self.output_dtypes(inputs, count), self.masked_outputs(seen, count))

    def wants_strings(self, index: int) -> bool | None:
        """Whether the input of an index is of strings; None where it may be of strings or of numbers."""
        return self.input_kind == "string"

    def _check_kinds(self, inputs: list[Symbol]) -> None:
        """Raise a ValueError if strings come where numbers are expected, or the other way round; an `Input` without a
        dtype is what its readers take."""
        for index, symbol in enumerate(inputs):
            wants_strings, given = self.wants_strings(index), symbol.dtype == "string"
            if wants_strings is not None and wants_strings != given and (given or symbol.node.inputs):
                expected, got = ("strings", "numbers") if wants_strings else ("numbers", "strings")
                way_out = "" if wants_strings else "; TextVectorization and StringLookup make numbers of strings"
                raise ValueError(f"{self}: expected a symbol of {expected}, got one of {got}, {symbol!r}{way_out}")

    def shapes_of_outputs(self, shapes: list[Any], options: Mapping[str, Any]) -> Any:
        """`compute_output_shape` of a call with options."""
        return self.compute_output_shape(*shapes, **options)

    def most_inputs(self) -> int:
        """How many symbols `forward` takes at most, where the layer takes no list."""
        return 1

    def check_shapes(self, *shapes: Shape) -> None:
        """Raise a ValueError if the layer cannot take inputs of these shapes: an array without samples shows the rank,
        and, if the layer is built, the width that it takes."""
        kind: Any = object if self.input_kind == "string" else self.default_input_dtype
        self.check_input(np.zeros((0, *(1 if size is None else size for size in shapes[0][1:])), kind))

    def output_dtypes(self, inputs: list[Symbol], count: int) -> list[str]:
        """The dtypes of so many outputs."""
        return [inputs[0].dtype if self.input_kind == "any" and inputs else self.dtype] * count

    def runner(self) -> Any:
        """What does the same as a built layer's `forward` in inference without a mask: a runner of the kernels of its
        dtype, which goes by the weights as they are at each call. None if nothing does."""
        return None

    def unrolled(self) -> Graph | None:
        """The graph that takes the layer's place in a schedule, if it is one."""
        return None

    @property
    def penalizes_inside(self) -> bool:
        """Whether layers inside have penalties on outputs that are not outputs of this one."""
        return False

    def by_parts(self, run: Callable[..., list[Any]], inputs: list[Any]) -> list[Any]:
        """The outputs, by calls of the layers inside; of a layer that `penalizes_inside`.

        Args:
            run: gives the outputs of a layer for its inputs; with False after them, without the mask and the options
                of the call of this one.
            inputs: of this one, in the order of `forward`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define by_parts(run, inputs)")

    @property
    def input(self) -> Any:
        """The symbols that the layer was first called on, a list if there are several."""
        inputs = self._node("input").inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    @property
    def output(self) -> Any:
        """The symbols that its first call on symbols gave, a list if there are several."""
        node = self._node("output")
        return node.outputs[0] if node.single else list(node.outputs)

    def _node(self, what: str) -> Node:
        nodes = self._nodes.alive()
        if not nodes:
            raise AttributeError(f"{self} has no {what}: it was not called on a symbol, or no model of these symbols "
                                 "is left")
        return nodes[0]

    # shapes --------------------------------------------------------------------------------------------------------

    def build(self, *input_shapes: Any) -> None:
        """Make the weights for inputs of these shapes (batch first, None where it may vary)."""
        self.built = True

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        """The output's shape for inputs of these shapes, None where it may vary, or a list of shapes; a layer that
        changes the shape must define it."""
        return tuple(input_shapes[0])


def _copy(x: Any) -> Any:
    """Of an array, or of each in a list."""
    if isinstance(x, list):
        return [_copy(one) for one in x]
    return x.copy() if isinstance(x, np.ndarray) else x
