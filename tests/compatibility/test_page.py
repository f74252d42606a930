# SPDX-License-Identifier: Apache-2.0
"""docs/keras.md says what is so, of every name that it has."""

from __future__ import annotations

import pytest

from tests.compatibility import page as pages
from tests.compatibility.inspection import MODULES, NOTHING, differences, find, public
from tests.compatibility.reasons import ABSENT, ARGUMENTS, DIFFERENT


@pytest.fixture(scope="module")
def written() -> str:
    return pages.PATH.read_text()


@pytest.fixture(scope="module")
def same_series(written) -> bool:
    """Whether the page is about the Keras that is installed: another's arguments may be others."""
    return f"Keras {pages.SERIES}:" in written


def test_page(written, same_series):
    """Names that a later Keras of the series adds are not asked for: the page has its own."""
    text, rows = pages.page(pages.named(written))
    if same_series:
        assert rows.missing == []
        assert text == written, "python -m tests.compatibility.page writes it anew"
    else:
        assert list(pages.named(text)) == list(pages.named(written)) == list(MODULES)


def test_every_name_is_on_the_page(written):
    if pages.keras.__version__ == "3.15.1":
        assert pages.named(written) == {module: public(module) for module in MODULES}
    assert all(pages.named(written).values())


def test_what_is_the_same_is_there_and_what_is_absent_is_not(written):
    module = ""
    for line in written.splitlines():
        if line.startswith("## keras"):
            module = line.removeprefix("## keras").lstrip(".")
        elif line.startswith("| `"):
            _, name, status = line.split("`", 2)
            assert (find("fastrnn", module, name) is NOTHING) == status.startswith(" | absent: "), (module, name)


def test_every_reason_is_used(written, same_series):
    rows = pages.page(pages.named(written))[1]
    given = {("DIFFERENT", name) for name in DIFFERENT} | {("ABSENT", name) for name in ABSENT} | {
        ("ARGUMENTS", name) for name in ARGUMENTS}
    if same_series:
        assert sorted(given - rows.used) == [], "rows of tests/compatibility/reasons.py that fit nothing: take them out"


def test_other_arguments_are_found():
    def theirs(x, axis=-1, keepdims=False): ...
    def ours(x, keepdims=False, axis=-1, initial=0): ...
    def fewer(x): ...
    assert differences(theirs, theirs) == ([], [], True)
    assert differences(theirs, ours) == ([], ["initial"], False)
    assert differences(theirs, fewer) == (["axis", "keepdims"], [], True)


def test_a_name_without_a_reason_is_found():
    rows = pages.Rows()
    rows.status("layers", "NoSuchLayer")
    assert len(rows.missing) == 1 and "layers.NoSuchLayer is absent" in rows.missing[0]
