# SPDX-License-Identifier: Apache-2.0
"""Layers and models with a `call` of the user's own."""

from __future__ import annotations

from fastrnn.layers.own.inside import NOT_INSIDE as NOT_INSIDE
from fastrnn.layers.own.layer import Own as Own
from fastrnn.layers.own.layer import takes_call as takes_call
