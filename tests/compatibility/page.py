# SPDX-License-Identifier: Apache-2.0
"""docs/keras.md: what fastrnn has of each of Keras's public names.

    python -m tests.compatibility.page     writes it
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import keras

from tests.compatibility.inspection import MODULES, NOTHING, differences, find, public
from tests.compatibility.reasons import ABSENT, ARGUMENTS, DIFFERENT

PATH = Path(__file__).parents[2] / "docs" / "keras.md"

#: The series of Keras's versions, "3.15".
SERIES = ".".join(keras.__version__.split(".")[:2])

HEAD = """# Keras's names in fastrnn

What fastrnn has of each public name of Keras {series}: **same**, **different** and why, or **absent** and what to use
instead. "Same" means that the name is there and takes Keras's arguments in Keras's order; arguments that fastrnn has
beside are named. `python -m tests.compatibility.page` writes this page by looking into both packages, and a test
compares it.

Of {total} names {same} are the same, {different} differ and {absent} are absent.
"""


def reason(table: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """The row of a table that a name fits, and what it says."""
    return next(((pattern, text) for pattern, text in table.items() if fnmatchcase(name, pattern)), None)


class Rows:
    """The page's rows, with what is missing in the tables of reasons, and which rows of these were used."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.used: set[tuple[str, str]] = set()

    def said(self, table: str, name: str, what: str) -> str:
        """What a table says of a name."""
        found = reason({"DIFFERENT": DIFFERENT, "ABSENT": ABSENT, "ARGUMENTS": ARGUMENTS}[table], name)
        if found is None:
            self.missing.append(f"{what}: add a row to {table} of tests/compatibility/reasons.py")
            return ""
        self.used.add((table, found[0]))
        return found[1]

    def status(self, module: str, name: str) -> str:
        """What the page says of a name: "same", "different: why" or "absent: instead"."""
        path = f"{module}.{name}".lstrip(".")
        theirs, ours = find("keras", module, name), find("fastrnn", module, name)
        if ours is NOTHING:
            return f"absent: {self.said('ABSENT', path, f'{path} is absent')}"
        lacks, extra, in_order = differences(theirs, ours)
        reasons = [self.said("DIFFERENT", path, path)] if reason(DIFFERENT, path) else []
        if not reasons:
            texts: dict[str, list[str]] = {}
            for argument in lacks:
                text = self.said("ARGUMENTS", argument, f"{path} lacks the argument {argument!r}")
                texts.setdefault(text, []).append(f"`{argument}`")
            reasons = [f"no {', '.join(names)}: {text}" for text, names in texts.items()]
            if not in_order:
                self.missing.append(f"{path} takes its arguments in another order: {differences(theirs, ours)}")
        beside = f"also takes {', '.join(f'`{argument}`' for argument in extra)}" if extra else ""
        return "; ".join(filter(None, ["different: " + "; ".join(reasons) if reasons else "same", beside]))


def page(names: Mapping[str, list[str]]) -> tuple[str, Rows]:
    """The page about the names of each module, and how it came to be."""
    rows, parts, count = Rows(), [], {"same": 0, "different": 0, "absent": 0}
    for module, here in names.items():
        parts.append(f"\n## {f'keras.{module}'.rstrip('.')}\n\n| name | in fastrnn |\n|---|---|")
        for name in here:
            status = rows.status(module, name)
            count[re.split("[:;]", status)[0]] += 1
            parts.append(f"| `{name}` | {status} |")
    head = HEAD.format(series=SERIES, total=sum(count.values()), **count)
    return head + "\n".join(parts) + "\n", rows


def named(text: str) -> dict[str, list[str]]:
    """The names that a page has, by module."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("## keras"):
            here = found.setdefault(line.removeprefix("## keras").lstrip("."), [])
        elif line.startswith("| `"):
            here.append(line.split("`")[1])
    return found


if __name__ == "__main__":
    text, made = page({module: public(module) for module in MODULES})
    print(*made.missing, sep="\n")
    PATH.write_text(text)
