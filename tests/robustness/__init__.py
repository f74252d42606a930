# SPDX-License-Identifier: Apache-2.0
"""What a production process does to a library: signals, forks, failed allocations, its own threads."""
