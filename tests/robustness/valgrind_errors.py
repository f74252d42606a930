# SPDX-License-Identifier: Apache-2.0
"""Ends with an error if a report of valgrind's has one that happened in the kernels:
`python -m tests.robustness.valgrind_errors build/valgrind.xml`."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

FRAMES = 3      # of a stack, from the innermost: a library's function that a kernel calls counts as well


def ours(path: str) -> list[str]:
    """Each error in a file of ours as its kind and stack. What is still allocated when Python ends is not lost."""
    found = []
    for error in ElementTree.parse(path).getroot().findall("error"):
        kind, stack = error.findtext("kind", "?"), error.find("stack")
        frames = [] if stack is None else stack.findall("frame")
        if not kind.startswith("Leak") and any("fastrnn" in frame.findtext("obj", "") for frame in frames[:FRAMES]):
            found.append(" < ".join([kind, *(frame.findtext("fn", "?") for frame in frames[:6])]))
    return found


if __name__ == "__main__":
    errors = ours(sys.argv[1])
    sys.exit("\n".join(errors) if errors else 0)
