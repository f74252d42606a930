# SPDX-License-Identifier: Apache-2.0
"""Trained models in service: frozen, as streams that carry their states, and in C."""

from fastrnn.serving.frozen import Frozen
from fastrnn.serving.streaming import Stream

__all__ = ["Frozen", "Stream"]
