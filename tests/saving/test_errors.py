# SPDX-License-Identifier: Apache-2.0
"""The error of a model file: whatever a file holds, it is one printable line."""

from __future__ import annotations

import pickle

import pytest

from fastrnn import layers, models
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


@pytest.mark.parametrize("name", ["model.safetensors", "model.keras", "model.h5"])
def test_too_little_memory_is_a_memory_error(name, tmp_path, monkeypatch):
    """Of reading and of writing; a reader's is a `ModelFileError` as well: a hostile file may ask for any memory."""
    model = models.Sequential([layers.Input((3, 2)), layers.LSTM(2)])
    model.save(tmp_path / name)

    def fails(*_, **__):
        raise MemoryError("none left")

    monkeypatch.setattr(layers.LSTM, "__init__", fails)
    with pytest.raises(MemoryError, match="none left") as caught:
        models.load_model(tmp_path / name)
    assert isinstance(caught.value, ModelFileError)
    with pytest.raises(MemoryError, match="none left"):
        model.save(tmp_path / name)
