# SPDX-License-Identifier: Apache-2.0
"""Tests of convolutions, and a convolution in plain loops."""
