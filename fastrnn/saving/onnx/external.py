# SPDX-License-Identifier: Apache-2.0
"""The one file beside an ONNX file in which its constants may lie, as PyTorch's exporter writes them; guarded.
https://onnx.ai/onnx/repo-docs/ExternalData.html
"""

from __future__ import annotations

import errno
import os

from fastrnn.saving import files
from fastrnn.saving.errors import MAX_NAME, ModelFileError, shown
from fastrnn.saving.onnx.protobuf import Message

#: What a constant says of its place; a checksum is not computed, for it is of the whole file.
_KEYS = ("location", "offset", "length", "checksum")
#: Digits of an offset or a length: no file is larger.
_MOST_DIGITS = 18


class External:
    """Values that lie in another file: it has a plain name, is in the same folder, is no link, and is mapped once.

    Args:
        path: the ONNX file; None if there is none, but bytes, beside which nothing lies.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._location = ""
        self._data = memoryview(b"")
        self._left = 0      # bytes that constants may still take of it

    def read(self, message: Message, size: int) -> memoryview:
        """The bytes of a constant.

        Args:
            message: the constant.
            size: its bytes, by its shape and dtype.

        Raises:
            ModelFileError: it names anything but a part of that size of one such file.
        """
        entries: dict[str, str] = {}
        for entry in message.messages(13, f"{message.place}, external data", len(_KEYS)):
            key = entry.text(1, "key")
            if key in entries or key not in _KEYS:
                raise message.error(f"external data: expected {', '.join(_KEYS)} once each, got {shown(key)}")
            entries[key] = entry.text(2, "value")
        data = self._file(message, entries.get("location", ""))
        offset = self._number(message, entries, "offset", 0)
        length = self._number(message, entries, "length", size)
        if length != size:
            raise message.error(f"external data: expected {size} bytes for the shape, got a length of {length}")
        if offset + length > len(data):     # Python's numbers: nothing overflows
            raise message.error(f"external data: bytes {offset} to {offset + length} do not lie within the {len(data)} "
                                f"bytes of {shown(self._location)}; the file is cut off or of another model")
        self._left -= size
        if self._left < 0:
            raise message.error(f"external data: constants lie on top of each other in {shown(self._location)}")
        return data[offset:offset + length]

    def _number(self, message: Message, entries: dict[str, str], key: str, default: int) -> int:
        text = entries.get(key)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
            raise message.error(f"external data: expected a number of bytes as {key}, got {shown(text)}")
        return int(text)

    def _file(self, message: Message, location: str) -> memoryview:
        """The file's bytes."""
        if self._location and location == self._location:
            return self._data
        if self._path is None:
            raise message.error(f"the values are in another file, {shown(location)}; load the model by the path of its "
                                "file, beside which that one lies")
        if not _is_plain(location):
            raise message.error(f"the values are in another file, {shown(location)}: expected a plain name of a file "
                                "in the same folder, nothing else is read; save the model with its data in one file")
        if self._location:
            raise message.error(f"the values are in another file, {shown(location)}, others in "
                                f"{shown(self._location)}; save the model with all its data in one file")
        path = os.path.join(os.path.dirname(self._path), location)
        try:
            self._data = memoryview(files.read_mapped(path, follow_links=False))
        except ModelFileError as error:     # says which file it is, not which one led to it
            raise message.error(f"the values are in another file, {shown(location)}: {error.problem}") from None
        except OSError as error:
            problem = ("it is not there; keep both files in one folder" if error.errno == errno.ENOENT
                       else error.strerror or str(error))
            raise message.error(f"the values are in another file, {shown(location)}: {problem}") from None
        self._location, self._left = location, 2 * len(self._data)
        return self._data


def _is_plain(location: str) -> bool:
    """Whether a text is the name of a file, on any system, and nothing that leads elsewhere."""
    return 0 < len(location) <= MAX_NAME and location not in (".", "..") and location.isprintable() \
        and not set(location) & set('/\\:')
