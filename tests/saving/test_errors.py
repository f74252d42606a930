# SPDX-License-Identifier: Apache-2.0
"""The error of a model file: whatever a file holds, it is one printable line."""

from __future__ import annotations

import pickle

import pytest

from fastrnn.saving import ModelFileError


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\x00", "x" * 1_000_000])
def test_one_printable_line(text):
    for error in (ModelFileError("m.keras", text, "wrong"), ModelFileError("m.keras", "config.json", text)):
        assert str(error).isprintable()
        assert str(error).startswith("m.keras: ")
        assert len(str(error)) < 2500


def test_text_stays_as_it_is():
    assert str(ModelFileError("m.keras", "größe", "expected a dictionary, got []")) == \
        "m.keras: größe: expected a dictionary, got []"


def test_it_can_be_pickled():
    error = ModelFileError("m.keras", "config.json", "a\nb")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.file, copy.place, copy.problem) == (str(error), error.file, error.place, error.problem)
