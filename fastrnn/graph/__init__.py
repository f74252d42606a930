# SPDX-License-Identifier: Apache-2.0
"""Graphs of layers: symbols and nodes, which layer calls make; a graph of them; the schedule that runs it. Knows no layer."""
