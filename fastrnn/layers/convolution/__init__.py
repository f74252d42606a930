# SPDX-License-Identifier: Apache-2.0
"""Layers that slide a kernel over sequences and images."""
