# SPDX-License-Identifier: Apache-2.0
"""Files of Keras 3, 2 and 1."""
