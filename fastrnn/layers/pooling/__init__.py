# SPDX-License-Identifier: Apache-2.0
"""Layers that make one step of several: their largest, or their mean."""
