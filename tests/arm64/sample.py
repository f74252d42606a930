# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest: `-p tests.arm64.sample --every 13` runs each 13th test of all that were asked for.

A prime number meets all values of each parameter in turn, as their numbers are seldom multiples of it.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every", type=int, default=1, help="run each so many-th test")


@pytest.hookimpl(trylast=True)  # after -m and -k
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = items[:: config.getoption("--every")]
    left_out = set(items) - set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = kept
