# SPDX-License-Identifier: Apache-2.0
"""Several processes that train one model, and data engines that predict: real ones, on this machine."""
