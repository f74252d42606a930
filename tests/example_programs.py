# SPDX-License-Identifier: Apache-2.0
"""The examples' folder, an example's program on Keras, and what is the same."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PNG = b"\x89PNG\r\n\x1a\n"


def for_keras(example, package="keras"):
    """The example's program for Keras: the same but for its imports."""
    source = Path(example.__file__).read_text(encoding="utf-8")
    assert "\nfrom fastrnn" in source
    program = ModuleType(f"{example.__name__}_for_keras")
    exec(compile(source.replace("\nfrom fastrnn", f"\nfrom {package}"), example.__file__, "exec"), program.__dict__)
    assert program.Model.__module__.startswith(package)
    return program


def same(ours, theirs, tolerance=2e-4):
    """Numbers, arrays, and lists and dictionaries of them, are the same."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        ours, theirs = [ours[name] for name in theirs], theirs.values()
    if isinstance(theirs, np.ndarray | np.floating | float):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    else:
        for one, other in zip(ours, theirs, strict=True):
            same(one, other, tolerance)
