# SPDX-License-Identifier: Apache-2.0
"""What threads do to the process that they are in, and to its children."""
