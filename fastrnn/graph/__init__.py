# SPDX-License-Identifier: Apache-2.0
"""Graphs of layers: symbols and nodes, which calls of layers make; a graph; the schedule that runs it."""
