# SPDX-License-Identifier: Apache-2.0
"""The header, compiled once."""

from __future__ import annotations

import pytest

from tests.serving.capi.library import FOLDER, Library, compile_c


@pytest.fixture(scope="session")
def c(tmp_path_factory) -> Library:
    path = tmp_path_factory.mktemp("capi") / "checks.so"
    compile_c(FOLDER / "checks.c", path, "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pthread")
    library = Library(path)
    assert library.holding.check_import() == 0
    return library
