# SPDX-License-Identifier: Apache-2.0
"""The one error of everything that reads model files, and the bounds that it names."""

from __future__ import annotations

#: Bytes of a configuration or of a file's table of contents; parsed, it takes up to twenty times as much.
MAX_TEXT = 2 << 20
#: Dictionaries and lists inside each other.
MAX_DEPTH = 32
#: Layers of a model, members of an archive, arrays of a file.
MAX_COUNT = 10_000
#: Characters of a name.
MAX_NAME = 255
#: Axes of an array.
MAX_RANK = 8
#: Characters of what an error says is wrong.
_MAX_PROBLEM = 2000


class ModelFileError(ValueError):
    """A model file that is broken, hostile, or holds what fastrnn does not have.

    Args:
        file: the file, as the caller named it.
        place: where in it: a member, a group, a key; or "".
        problem: what was expected, what came, and the way out.

    Example:

    >>> print(ModelFileError("m.keras", "config.json", "expected a dictionary, got []"))
    m.keras: config.json: expected a dictionary, got []
    """

    def __init__(self, file: str, place: str, problem: str) -> None:
        super().__init__(": ".join(part for part in (str(file), _line(place), _line(problem)) if part))
        self.file, self.place, self.problem = str(file), place, problem

    def __reduce__(self) -> tuple[type[ModelFileError], tuple[str, str, str]]:
        return type(self), (self.file, self.place, self.problem)


class ModelMemoryError(ModelFileError, MemoryError):
    """There is not the memory that a model file asks for, be it a hostile file or a small machine."""


def caused_by(error: Exception, file: str, place: str, problem: str) -> ModelFileError:
    """The error of a file for an error that its values have provoked elsewhere."""
    return (ModelMemoryError if isinstance(error, MemoryError) else ModelFileError)(file, place, problem)


def _line(text: str) -> str:
    """A text, parts of which other libraries took from a file, as one line that is not without end."""
    line = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text[:_MAX_PROBLEM])
    return line if len(text) <= _MAX_PROBLEM else f"{line}... ({len(text)} characters)"


def shown(value: object) -> str:
    """A value from a file as an error may show it: one line, not long, nothing that moves a terminal's cursor."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def check_name(name: object, file: str, place: str) -> str:
    """A name from a file, refused if it is too long or could be taken for a path that leads elsewhere."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise ModelFileError(file, place, f"expected a name of 1 to {MAX_NAME} characters, got {shown(name)}")
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or not name.isprintable():
        raise ModelFileError(file, place, f"the name {shown(name)} is not allowed: it looks like a path")
    return name
