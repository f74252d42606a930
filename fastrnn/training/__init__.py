# SPDX-License-Identifier: Apache-2.0
"""What models share to train: the data, the loss and the metrics, the loop, and what is shown of them."""
