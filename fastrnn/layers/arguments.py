# SPDX-License-Identifier: Apache-2.0
"""The keywords that layers share, for type checkers, and how an `__init__` hands its arguments on."""

from __future__ import annotations

from typing import Any, TypedDict


class UnnamedArguments(TypedDict, total=False):
    """What every layer takes as keywords, but for the name, which the signatures of some have; see `Layer`."""

    trainable: bool
    dtype: Any
    input_shape: Any
    batch_input_shape: Any
    batch_shape: Any
    input_dim: int | None
    input_length: int | None
    batch_size: int | None


class LayerArguments(UnnamedArguments, total=False):
    """What every layer takes as keywords; see `Layer`."""

    name: str | None


class RecurrentArguments(LayerArguments, total=False):
    """What recurrent layers take beside the arguments that their signatures name; see `SimpleRNN`."""

    zero_output_for_mask: bool
    implementation: int
    time_major: bool


class CellArguments(LayerArguments, total=False):
    """What cells take beside the arguments that their signatures name."""

    implementation: int


class RNNArguments(CellArguments, total=False):
    """What `RNN` takes beside the arguments that its signature names."""

    time_major: bool


def handed_on(arguments: dict[str, Any], *own: str) -> dict[str, Any]:
    """The keywords for the `__init__` of the base class.

    Args:
        arguments: the `locals()` of an `__init__` that has done nothing yet; its `kwargs` are among the keywords.
        own: names of the arguments that the base class does not take.

    Example:

    >>> def init(self, units, reset_after=True, **kwargs):
    ...     return handed_on(locals(), "reset_after")
    >>> init(None, 4, name="encoder")
    {'units': 4, 'name': 'encoder'}
    """
    named = {name: value for name, value in arguments.items() if name not in ("self", "__class__", "kwargs", *own)}
    return {**named, **arguments["kwargs"]}
