# SPDX-License-Identifier: Apache-2.0
"""Making a layer's weights, as a whole or not at all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def whole(build: Callable[..., Any]) -> Callable[..., Any]:
    """The `build` of a layer's class; where it fails, or is interrupted, the layer is as it was before, and can be
    built."""

    @functools.wraps(build)
    def build_whole(self: Any, *shapes: Any, **named: Any) -> Any:
        built, made, stored = self.built, len(self._variables), dict(self.stored)
        try:
            return build(self, *shapes, **named)
        except BaseException:
            self.built, self.stored = built, stored
            del self._variables[made:]
            raise

    return build_whole
