# SPDX-License-Identifier: Apache-2.0
"""Archives, extracted into a folder and nowhere else."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any


def extract_archive(path: str, folder: str, archive_format: str | Sequence[str] | None = "auto") -> bool:
    """Extract an archive; the folder is there when all of it is.

    Members with an absolute path, or a path that leads out of the folder, and what is neither a file nor a folder, are
    left out with a warning. A link becomes a copy of the member that it names.

    Args:
        path: of the archive.
        folder: where to put its members; what is there stays, but for files of the same names.
        archive_format: "tar", "zip", a list of them, "auto" for both, None for neither.

    Returns:
        Whether it was such an archive.

    Raises:
        ValueError: `archive_format` is another.
    """
    formats = ["tar", "zip"] if archive_format == "auto" else \
        [archive_format] if isinstance(archive_format, str) else list(archive_format or ())
    for one in formats:
        if one not in _READERS:
            raise ValueError(f"get_file: expected archive_format to be 'tar', 'zip', 'auto' or None, got {one!r}")
        fits, members = _READERS[one]
        if fits(path):
            os.makedirs(os.path.dirname(os.path.abspath(folder)), exist_ok=True)
            with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(folder))) as new:
                inside = os.path.join(new, "extracted")     # with the mode of any new folder
                os.mkdir(inside)
                for name, source in members(path):
                    _put(name, source, inside)
                _move(inside, folder)
            return True
    return False


def _put(name: str, source: IO[bytes] | None, folder: str) -> None:
    """Write a member, a folder if there is nothing to read, into a new folder without links in it."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or name[:1] in ("/", "\\") or (parts and ":" in parts[0] and os.name == "nt"):
        warnings.warn(f"get_file: left {name!r} of the archive out, which would lie outside its folder", stacklevel=4)
        return
    target = os.path.join(folder, *parts)
    if source is None:
        os.makedirs(target, exist_ok=True)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with source, open(target, "wb") as file:
        shutil.copyfileobj(source, file)


def _move(source: str, target: str) -> None:
    """Give a new folder its place; where there is one already, give its files theirs."""
    if not os.path.isdir(target):
        os.replace(source, target)
        return
    for root, _, files in os.walk(source):
        into = os.path.join(target, os.path.relpath(root, source))
        os.makedirs(into, exist_ok=True)
        for file in files:
            os.replace(os.path.join(root, file), os.path.join(into, file))


def _tar_members(path: str) -> Iterator[tuple[str, Any]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isdir():
                yield member.name, None
                continue
            try:
                source = archive.extractfile(member)    # of a link, the member that it names
            except (KeyError, RecursionError):
                source = None
            if source is None:
                warnings.warn(f"get_file: left {member.name!r} of the archive out, which is no file", stacklevel=4)
            else:
                yield member.name, source


def _zip_members(path: str) -> Iterator[tuple[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            yield member.filename, None if member.is_dir() else archive.open(member)


_READERS: dict[str, Any] = {"tar": (tarfile.is_tarfile, _tar_members), "zip": (zipfile.is_zipfile, _zip_members)}
