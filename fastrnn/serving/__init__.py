# SPDX-License-Identifier: Apache-2.0
"""Models in use: what a trained model becomes where it only predicts."""

from fastrnn.serving.c_export import export_c

__all__ = ["export_c"]
