# SPDX-License-Identifier: Apache-2.0
"""Layers that prepare data: in front of a model, or in a pipeline of data."""
