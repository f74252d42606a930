# SPDX-License-Identifier: Apache-2.0
"""get_file: a file from the net, kept and checked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Sequence
from typing import IO, Any

from fastrnn.saving.files import write_whole
from fastrnn.utils.archives import extract_archive
from fastrnn.utils.progbar import Progbar

_PIECE = 1 << 16
_HASHES = ("auto", "sha256", "md5")


def get_file(fname: Any = None, origin: str | None = None, untar: bool = False, md5_hash: str | None = None,
             file_hash: str | None = None, cache_subdir: str = "datasets", hash_algorithm: str = "auto",
             extract: bool = False, archive_format: str | Sequence[str] | None = "auto", cache_dir: Any = None,
             force_download: bool = False) -> str:
    """The path of a file, downloaded if it is not there.

    It is kept in `cache_dir/cache_subdir`. What is there is whole and has the hash: a download that is broken off, or
    has another hash, leaves nothing behind.

    Args:
        fname: name of the file, without folders; None takes that of the URL. Of an archive that is extracted it is the
            name of its folder, or, with a dot in it, that of the archive beside a folder that ends in "_extracted".
        origin: the URL: https://, http:// or file://.
        untar: older word for `extract=True` of a tar archive.
        md5_hash: older word for `file_hash`, of MD5.
        file_hash: of the file, in hexadecimal digits, SHA-256 or MD5. A file that is kept with another is downloaded
            anew.
        cache_subdir: folder in `cache_dir`, or an absolute path.
        hash_algorithm: "sha256", "md5", or "auto", which tells them by their length.
        extract: extract an archive. What would come to lie outside its folder is left out, with a warning.
        archive_format: "tar" (compressed as well), "zip", a list of these, "auto" for both, or None for neither.
        cache_dir: the environment's `KERAS_HOME`, or else `~/.keras`, if None; so Keras and fastrnn share files.
        force_download: download even if the file is there.

    Returns:
        The path of the file; of an archive that is extracted, that of the folder.

    Raises:
        ValueError: an argument is missing or wrong, or the file has another hash.
        OSError: the file cannot be had, or ended early.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "poem.txt").write_text("Tyger")
    >>> path = get_file("tyger.txt", (folder / "poem.txt").as_uri(), cache_dir=folder)
    Downloading data from ...
    >>> os.path.relpath(path, folder), open(path).read()
    ('datasets/tyger.txt', 'Tyger')
    """
    if not origin:
        raise ValueError("get_file: expected origin, the URL of the file")
    if hash_algorithm not in _HASHES:
        raise ValueError(f"get_file: expected hash_algorithm to be one of {', '.join(_HASHES)}, got {hash_algorithm!r}")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name = _name(fname, origin)
    kept = os.path.join(_cache(cache_dir), cache_subdir)
    os.makedirs(kept, exist_ok=True)
    extracts = extract or untar
    folder = os.path.join(kept, name)
    if not extracts:
        path = folder
    elif fname and "." in name:
        path, folder = folder, os.path.join(kept, f"{name[: name.find('.')]}_extracted")
    else:
        path = f"{folder}_archive"
    fresh = force_download or not os.path.exists(path)
    if not fresh and file_hash is not None and _hash_of(path, file_hash, hash_algorithm) != file_hash.lower():
        print(f"{path} has another hash than {file_hash}, so it is downloaded anew")
        fresh = True
    if fresh:
        print(f"Downloading data from {origin}")
        _download(origin, path, file_hash, hash_algorithm)
    if not extracts:
        return path
    if fresh or not os.path.isdir(folder):
        formats = "tar" if untar else archive_format
        if not extract_archive(path, folder, formats):
            warnings.warn(f"get_file: {path} is no archive of format {formats!r}; nothing was extracted", stacklevel=2)
    return folder


def _name(fname: Any, origin: str) -> str:
    """The name that the file is to have."""
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name:
        raise ValueError(f"get_file: {origin} ends in no name of a file; pass fname")
    if name in (os.curdir, os.pardir) or os.path.basename(name) != name:
        raise ValueError(f"get_file: expected fname without folders, got {name!r}; say the folder by cache_dir and "
                         "cache_subdir")
    return name


def _cache(given: Any) -> str:
    """The folder that all files are kept in, or one for temporary files if it cannot be written to."""
    folder = os.path.expanduser(os.fspath(given if given is not None else os.environ.get("KERAS_HOME") or "~/.keras"))
    if given is None:
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
    return folder if os.access(folder, os.W_OK) else os.path.join(tempfile.gettempdir(), ".keras")


def _hasher(file_hash: str, algorithm: str) -> Any:
    sha256 = algorithm == "sha256" or (algorithm == "auto" and len(file_hash) == 64)
    return hashlib.sha256() if sha256 else hashlib.md5(usedforsecurity=False)


def _hash_of(path: str, file_hash: str, algorithm: str) -> str:
    hasher = _hasher(file_hash, algorithm)
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    return str(hasher.hexdigest())


def _download(origin: str, path: str, file_hash: str | None, algorithm: str) -> None:
    """Write what is at a URL to a file, whole and with this hash, or raise and leave the file as it was."""
    hasher = None if file_hash is None else _hasher(file_hash, algorithm)

    def write(file: IO[bytes]) -> None:
        with urllib.request.urlopen(origin) as source:
            length = source.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            bar, had = Progbar(total, unit_name="byte"), 0
            while piece := source.read(_PIECE):
                file.write(piece)
                had += len(piece)
                if hasher is not None:
                    hasher.update(piece)
                bar.update(had)
        if total is not None and had != total:
            raise OSError(f"get_file: {origin} ended after {had} of {total} bytes; try again")
        if hasher is not None and file_hash is not None and hasher.hexdigest() != file_hash.lower():
            raise ValueError(f"get_file: expected {origin} to have the hash {file_hash} ({hasher.name}), got "
                             f"{hasher.hexdigest()}; the file was changed, or damaged on its way")

    try:
        write_whole(path, write)
    except urllib.error.HTTPError as error:
        raise OSError(f"get_file: {origin} cannot be had: {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise OSError(f"get_file: {origin} cannot be had: {error.reason}") from None
