# SPDX-License-Identifier: Apache-2.0
"""Activation functions with arguments, as layers."""
