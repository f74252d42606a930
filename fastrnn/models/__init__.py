# SPDX-License-Identifier: Apache-2.0
"""Models: layers put together, trained and used as one."""

from fastrnn.models.sequential import Sequential

__all__ = ["Sequential"]
