# SPDX-License-Identifier: Apache-2.0
"""Keras's names of the settings of dtypes: see `fastrnn.config`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastrnn.config import DTypePolicy, dtype_policy, set_dtype_policy
from fastrnn.registry import absent_from

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = ["DTypePolicy", "Policy", "dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy"]

if not TYPE_CHECKING:
    __getattr__ = absent_from(__name__, __all__)
