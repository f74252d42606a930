# SPDX-License-Identifier: Apache-2.0
"""First values of weights: Keras's initializers, with Keras's names, defaults and distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn.initializers.base import Initializer
from fastrnn.initializers.constant import Constant, FromArray, Identity, Ones, Zeros
from fastrnn.initializers.random import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from fastrnn.registry import Registry, absent_from

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "Initializer", "LecunNormal",
    "LecunUniform", "Ones", "Orthogonal", "RandomInitializer", "RandomNormal", "RandomUniform", "TruncatedNormal",
    "VarianceScaling", "Zeros", "constant", "deserialize", "get", "glorot_normal", "glorot_uniform", "he_normal",
    "he_uniform", "identity", "lecun_normal", "lecun_uniform", "ones", "orthogonal", "random_normal",
    "random_uniform", "serialize", "truncated_normal", "variance_scaling", "zeros",
]  # fmt: skip

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)

zeros = Zeros
ones = Ones
constant = Constant
identity = Identity
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_uniform = HeUniform
he_normal = HeNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal
orthogonal = Orthogonal

_registry = Registry(
    "initializer",
    [
        Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
        GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal,
    ],
    {
        "zero": Zeros, "one": Ones, "normal": RandomNormal, "uniform": RandomUniform,
        "IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal,
    },
    module="keras.initializers",
)  # fmt: skip


def get(identifier: Any) -> Any:
    """The initializer of a name, a configuration, a class, an instance, a function of (shape, dtype), or an array
    of exactly the weight's shape; None for None.

    Raises:
        ValueError: the name is not known, or the configuration does not fit its class.

    Example:

    >>> get("glorot_uniform")
    GlorotUniform(seed=None)
    >>> get({"class_name": "Constant", "config": {"value": 3}})((2,))
    array([3., 3.], dtype=float32)
    """
    if isinstance(identifier, np.ndarray | np.generic):
        return FromArray(identifier)
    return _registry.get(identifier)


def serialize(initializer: Any) -> Any:
    """The configuration of an initializer, in the format of Keras 3; that of a `Constant` for an array."""
    if isinstance(initializer, FromArray):
        initializer = Constant(initializer.value)
    return _registry.serialize(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The initializer of a configuration; its name is looked up in `custom_objects`, then among the known ones."""
    return _registry.deserialize(config, custom_objects)
