# SPDX-License-Identifier: Apache-2.0
"""What any installation has, whichever optional packages are there: the tests of every wheel run this file."""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path

import pytest

import fastrnn
from fastrnn import _core


def test_version():
    assert fastrnn.__version__ == importlib.import_module("fastrnn._version").__version__
    try:
        installed = importlib.metadata.version("fastrnn")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from the source tree, not installed")
    assert fastrnn.__version__ == installed


def test_typed():
    assert (Path(fastrnn.__file__).parent / "py.typed").is_file()
    assert (Path(fastrnn.__file__).parent / "_core" / "cpu.pyi").is_file()


def test_kernels_for_both_scalar_types():
    for dtype in ("float32", "float64"):
        assert _core.kernels(dtype).__name__ == f"fastrnn._core.kernels_{_core.isa}_{dtype}"
