# SPDX-License-Identifier: Apache-2.0
"""ONNX: graphs from files, planned and run, and models as graphs."""
