# SPDX-License-Identifier: Apache-2.0
"""Layers and models with a `call` of the user's own, written once for Keras and for fastrnn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def classes(library: Any) -> Any:
    """The classes, of a library's."""
    layers, ops = library.layers, library.ops

    class Mixed(layers.Layer):
        """A weight of its own and two layers."""

        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.second = layers.Dense(units, activation="tanh")
            self.first = layers.GRU(units, return_sequences=True)

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(shape=(self.units,), initializer="uniform", name="scale")
            self.shift = self.add_weight(shape=(self.units,), initializer="uniform", name="shift", trainable=False)
            super().build(input_shape)

        def call(self, x: Any) -> Any:
            return self.second(self.first(x)) * self.scale + self.shift

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    class Listed(layers.Layer):
        """Lists of layers, one in the other, and a dictionary."""

        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.blocks = [layers.Dense(units), layers.LSTM(units, return_sequences=True), layers.Dense(units)]
            self.pairs = [[layers.Dense(units), Mixed(units)], [layers.Dense(units)]]
            self.named = {"b": layers.Dense(units), "a": layers.Dense(units)}
            self._last = layers.Bidirectional(layers.GRU(units))

        def call(self, x: Any) -> Any:
            for layer in [*self.blocks, *self.pairs[0], *self.pairs[1], self.named["a"], self.named["b"]]:
                x = layer(x)
            return ops.concatenate([self._last(x), ops.mean(x, axis=1)], axis=-1)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    class Tagger(library.Model):
        """A model with both."""

        def __init__(self, units: int = 3, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.encoder = Listed(units)
            self.mixed = Mixed(units)
            self.heads = [layers.Dense(2), layers.Dense(2)]

        def call(self, x: Any) -> Any:
            y = self.encoder(x)
            return self.heads[0](y) + self.heads[1](ops.mean(self.mixed(x), axis=1))

        def get_config(self) -> dict[str, Any]:
            return {"units": self.units, "name": self.name}

    return SimpleNamespace(Mixed=Mixed, Listed=Listed, Tagger=Tagger)


def make(library: Any, name: str) -> tuple[Any, dict[str, Any]]:
    """A model, and the classes in it."""
    own = classes(library)
    x = library.Input((5, 4))
    if name == "functional":
        model = library.Model(x, library.layers.Dense(2)(own.Listed(3)(own.Mixed(4)(x))))
    elif name == "sequential":
        model = library.Sequential([x, own.Mixed(4), own.Listed(3), library.layers.Dense(2)])
    else:
        model = own.Tagger(3)
        model.build((None, 5, 4))
    return model, vars(own)
