# SPDX-License-Identifier: Apache-2.0
"""Sequential: a model that is a stack of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.layers.base import Shape
from fastrnn.layers.chain import Chain
from fastrnn.layers.table import register
from fastrnn.models.trainer import Trainer
from fastrnn.saving.writing import load_weights, save_model, save_weights
from fastrnn.training.data import single_input
from fastrnn.training.loop import Plan
from fastrnn.training.summary import print_summary


class Sequential(Chain, Trainer):  # type: ignore[override]
    """A stack of layers, each fed with the output of the one before.

    The weights are made as soon as the shape of the input is known: from an `Input` that comes first, from the first
    layer's `input_shape`, by `build`, or else from the first data.

    A `Sequential` can be a layer of another one, which has its weights among its own.

    Args:
        layers: the layers, to which `add` adds more.
        trainable: whether `fit` changes the weights.
        name: name of the model, made up if None.

    Attributes:
        layers: the layers, without the `Input`.
        weights, trainable_weights, non_trainable_weights: the variables of all layers, in their order.
        history: `History` of the last `fit`.
        stop_training: set it to True in a callback to end a `fit`.

    Raises:
        TypeError: something in `layers` is not a layer.
        ValueError: two layers share a name, or a layer does not fit the one before.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential()
    >>> model.add(fastrnn.Input((None, 3)))
    >>> model.add(fastrnn.layers.LSTM(4))
    >>> model.add(fastrnn.layers.Dense(2, activation="softmax"))
    >>> model.output_shape, model.count_params()
    ((None, 2), 138)
    >>> model.predict(np.zeros((5, 7, 3)), verbose=0).shape
    (5, 2)
    """

    def _changed(self) -> None:
        self._plan = None

    def prepare(self, x: Any) -> np.ndarray:
        return super().prepare(x if type(x) is np.ndarray else single_input(x, self.input_name, self))

    def backpropagate(self, gradient: np.ndarray, plan: Plan) -> None:
        self._backpropagate(gradient, False, plan.lowest, plan.fused)

    def summary(self, line_length: int | None = None, positions: Sequence[float] | None = None,
                print_fn: Callable[[str], Any] | None = None) -> None:
        """Print a table of the layers, their output shapes and their numbers of parameters.

        Args:
            line_length: width of the table in characters; None fits it to the terminal.
            positions: where its three columns end: fractions of `line_length`, or numbers of characters.
            print_fn: called with the whole text; None prints it.

        Example:

        >>> import fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)], name="encoder")
        >>> model.summary(line_length=80)
        Model: "encoder"
        ...
        Trainable params: 128 ...
        """
        shapes: Sequence[Shape | None] = self._shapes or [None] * len(self._stack)
        print_summary(self.name, list(zip(self._stack, shapes, strict=True)), self.trainable_weights,
                      self.non_trainable_weights, line_length, positions, print_fn)

    # -- files --------------------------------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Save the whole model; see `fastrnn.saving.save_model`."""
        save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Save the weights alone; see `fastrnn.saving.save_weights`."""
        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Take the weights of a file; see `fastrnn.saving.load_weights`."""
        load_weights(self, filepath)


register(Sequential)
