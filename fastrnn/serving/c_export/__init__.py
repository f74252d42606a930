# SPDX-License-Identifier: Apache-2.0
"""Models that stream as C: one file and its header."""

from fastrnn.serving.c_export.export import export_c

__all__ = ["export_c"]
