# SPDX-License-Identifier: Apache-2.0
"""Layers in which steps of one sequence ask those of another."""
