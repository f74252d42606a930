# SPDX-License-Identifier: Apache-2.0
"""State dicts and files of PyTorch, without PyTorch."""
