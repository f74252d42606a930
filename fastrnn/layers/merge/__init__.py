# SPDX-License-Identifier: Apache-2.0
"""Layers of several inputs, and their functions, which take the places of the modules of the same names."""

from __future__ import annotations

from fastrnn.layers.merge.add import Add, add
from fastrnn.layers.merge.average import Average, average
from fastrnn.layers.merge.concatenate import Concatenate, concatenate
from fastrnn.layers.merge.dot import Dot, dot
from fastrnn.layers.merge.maximum import Maximum, maximum
from fastrnn.layers.merge.minimum import Minimum, minimum
from fastrnn.layers.merge.multiply import Multiply, multiply
from fastrnn.layers.merge.subtract import Subtract, subtract
