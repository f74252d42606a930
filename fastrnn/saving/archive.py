# SPDX-License-Identifier: Apache-2.0
"""Zip archives: members are read in memory, by name, within bounds; none is ever extracted."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO

from fastrnn.saving.errors import MAX_COUNT, ModelFileError, caused_by, check_name, shown

_LOCAL_HEADER = struct.Struct("<4s22xHH")   # signature, lengths of name and extra field; what is between is elsewhere


class View(io.RawIOBase):
    """Bytes as a file that is read only, without a copy of them."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset from the start, the position or the end."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        """Fill the buffer, as far as there are bytes."""
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        part = self._data[self._at:self._at + len(target)]
        target[:len(part)] = part
        self._at += len(part)
        return len(part)


class Archive:
    """The members of a zip archive.

    Args:
        data: its bytes.
        file: its name, for errors.

    Raises:
        ModelFileError: it is no zip archive; a member's name is a path that leads elsewhere, or there twice; there are
            too many.
    """

    def __init__(self, data: memoryview, file: str) -> None:
        self._data, self._file = data, file
        try:
            with zipfile.ZipFile(io.BufferedReader(View(data))) as archive:
                members = archive.infolist()
        except Exception as error:  # what the standard library raises for a broken directory is of many kinds
            raise caused_by(error, file, "", f"expected a zip archive: {shown(str(error))}") from None
        if len(members) > MAX_COUNT:
            raise ModelFileError(file, "", f"expected at most {MAX_COUNT} members, got {len(members)}")
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            name = check_name(member.filename, file, "member")
            if name in self._members:
                raise ModelFileError(file, name, "the archive has two members of this name")
            self._members[name] = member

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """The names of all members."""
        return list(self._members)

    def size(self, name: str) -> int:
        """The size that a member declares, in bytes."""
        return self._member(name).file_size

    def read(self, name: str, limit: int) -> memoryview:
        """The bytes of a member; of one that is stored without compression, those of the file themselves.

        Args:
            name: of the member.
            limit: largest size in bytes.

        Raises:
            ModelFileError: there is no such member; it is larger, encrypted or compressed in another way than deflate;
                its size or its checksum is not the one declared.
        """
        member = self._member(name)
        if member.file_size > limit:
            raise ModelFileError(self._file, name, f"expected at most {limit} bytes, got {member.file_size}")
        if member.flag_bits & 1:
            raise ModelFileError(self._file, name, "the member is encrypted")
        start = self._start(member)
        stored = self._data[start:start + member.compress_size]
        if len(stored) != member.compress_size:
            raise ModelFileError(self._file, name, "the member does not lie within the file; it is cut off or broken")
        if member.compress_type == zipfile.ZIP_STORED:
            content = stored
        elif member.compress_type == zipfile.ZIP_DEFLATED:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            try:    # no byte more than declared is ever made
                content = memoryview(inflate.decompress(stored, member.file_size + 1))
            except zlib.error as error:
                raise ModelFileError(self._file, name, f"broken compressed data: {error}") from None
        else:
            raise ModelFileError(self._file, name, f"compression method {member.compress_type} is not supported")
        if len(content) != member.file_size:
            raise ModelFileError(self._file, name, f"expected {member.file_size} bytes, as declared, got another size")
        if zlib.crc32(content) != member.CRC:
            raise ModelFileError(self._file, name, "the checksum does not agree; the file is broken")
        return content

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise ModelFileError(self._file, name, "the archive has no such member; "
                                                   f"it has {shown(', '.join(self._members))}")
        return self._members[name]

    def _start(self, member: zipfile.ZipInfo) -> int:
        """Where a member's bytes begin: behind its local header, whose name must be that of the directory."""
        header = self._data[member.header_offset:member.header_offset + _LOCAL_HEADER.size]
        if member.header_offset < 0 or len(header) != _LOCAL_HEADER.size:
            raise ModelFileError(self._file, member.filename, "the member does not lie within the file")
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        begin = member.header_offset + _LOCAL_HEADER.size
        encoding = "utf-8" if member.flag_bits & 0x800 else "cp437"
        name = bytes(self._data[begin:begin + name_length]).decode(encoding, "replace")
        if signature != b"PK\x03\x04" or name != member.orig_filename:
            raise ModelFileError(self._file, member.filename, "the member's header does not agree with the directory")
        return begin + name_length + extra_length


def write(file: IO[bytes], members: Mapping[str, bytes | memoryview]) -> None:
    """Write an archive of members without compression, as Keras does: weights do not get smaller by it.

    The same members give the same bytes.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=len(content) > 1 << 30) as member:
                member.write(content)
