# SPDX-License-Identifier: Apache-2.0
"""A model of PyTorch's, the same each time."""

from __future__ import annotations

import pytest
import torch

from tests.saving.torch.zoo import Words


@pytest.fixture
def words() -> Words:
    torch.manual_seed(1)
    return Words().eval()
