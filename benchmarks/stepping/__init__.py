# SPDX-License-Identifier: Apache-2.0
"""Steps with state in every library, for `streaming.py`."""
