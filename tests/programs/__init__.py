# SPDX-License-Identifier: Apache-2.0
"""Programs as people write them for Keras, one folder a source: each runs on fastrnn by changing its imports.

A program has one function, `main(begin)`. It calls `begin(model, ...)` when its models have weights and before
it trains them, and returns what is to be compared, by name: losses, metrics, predictions, words.
"""
