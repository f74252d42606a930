# SPDX-License-Identifier: Apache-2.0
"""The basic layers: Dense, Embedding, Activation, the input, and TimeDistributed."""
