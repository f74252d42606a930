# SPDX-License-Identifier: Apache-2.0
"""Files on disk: read through a memory map, written as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
import tempfile
from collections.abc import Callable
from typing import IO, Any

from fastrnn.saving.errors import ModelFileError

#: The formats by the end of a file's name; the first that fits counts.
SUFFIXES = (".safetensors", ".keras", ".weights.h5", ".h5", ".hdf5")
NATIVE = ".safetensors"
#: State dicts that torch.save wrote: weights without a model. Their names can end in anything; these are theirs alone.
TORCH = (".pt", ".pth", ".bin")
#: What to do about them.
OF_TORCH = "PyTorch's files hold weights without a model; make layers of them by fastrnn.saving.from_torch"
#: Graphs of operators.
ONNX = ".onnx"
#: A model as C, which is written alone.
SOURCE = ".c"
#: TensorFlow's: a SavedModel's folder, its graph, TensorFlow Lite's.
TENSORFLOW = (".tf", ".pb", ".tflite")


def named(path: Any) -> str:
    """The path of a file as a text.

    Raises:
        TypeError: it is an open file, bytes, or no path at all.
        ValueError: it is empty, or has a NUL, which no file's name has.

    Example:

    >>> named(b"m.keras")
    Traceback (most recent call last):
    TypeError: filepath: expected the path of a file, a str or a pathlib.Path, got bytes; decode it by os.fsdecode
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str):
        way_out = "decode it by os.fsdecode" if isinstance(path, bytes) else "name the file instead of opening it"
        raise TypeError(f"filepath: expected the path of a file, a str or a pathlib.Path, got {type(path).__name__}; "
                        f"{way_out}")
    if not text:
        raise ValueError("filepath: expected the path of a file, got ''; give it a name")
    if "\0" in text:
        raise ValueError(f"filepath: expected the path of a file, got {text[:200]!r}, which has a NUL; name it without")
    return text


def suffix_of(path: Any) -> str:
    """Which format a file's name stands for.

    Raises:
        ValueError: no format of fastrnn's has names that end so.

    Example:

    >>> suffix_of("models/a.weights.h5"), suffix_of("models/a")
    ('.weights.h5', '')
    """
    path = named(path)
    name = os.path.basename(path)
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return suffix
    found = os.path.splitext(name)[1]
    if found in TORCH:
        raise ModelFileError(path, "", f"{OF_TORCH}, and one of layers by fastrnn.saving.to_torch")
    if found == ONNX:
        raise ModelFileError(path, "", "an ONNX file is a graph, which is no model that can be trained; write one by "
                                       "fastrnn.saving.export_onnx, and run one by fastrnn.saving.load_onnx")
    if found in TENSORFLOW:
        raise ModelFileError(path, "", f"TensorFlow's {found} files are neither read nor written; go by way of .keras, "
                                       "which Keras reads, writes and exports")
    if found:
        raise ModelFileError(path, "", f"no model format has names that end in {found!r}; expected one of "
                                                  f"{', '.join(SUFFIXES)}, or none for {NATIVE}")
    return ""


def with_suffix(path: Any) -> str:
    """The path, with the native format's suffix if it has none."""
    return named(path) + ("" if suffix_of(path) else NATIVE)


def read_mapped(path: Any, follow_links: bool = True) -> mmap.mmap:
    """The bytes of a regular file, mapped: pages are read when they are touched, and shared with other processes until
    written; what is written stays in this process.

    Args:
        path: of the file.
        follow_links: read what a symbolic link of that name leads to; else it is refused.

    Raises:
        OSError: there is no such file, or it may not be read.
        ModelFileError: it is empty, or no regular file, or a link that is not to be followed.
    """
    link = ModelFileError(os.fspath(path), "", "expected a file, got a symbolic link; put the file itself there")
    # Not to wait for a writer where the name is that of a pipe.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow_links:
        if not hasattr(os, "O_NOFOLLOW") and os.path.islink(path):
            raise link
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if follow_links or error.errno not in (errno.ELOOP, errno.EMLINK):      # EMLINK: what BSD says of it
            raise
        raise link from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ModelFileError(os.fspath(path), "", "expected a file, got a folder, a pipe or a device")
        if status.st_size == 0:
            raise ModelFileError(os.fspath(path), "", "the file is empty")
        return mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_COPY)
    finally:
        os.close(descriptor)


def mapped(path: Any) -> memoryview:
    """The bytes of a file, as `read_mapped` gives them, for as long as something refers to them."""
    return memoryview(read_mapped(path))


def existing(path: Any) -> str:
    """The path of a file to read: with the native format's suffix if it has none.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = with_suffix(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: there is no such file")
    return path


def check_free(path: str, overwrite: bool) -> None:
    """Raise a FileExistsError where a file is there that must not be replaced."""
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path}: there is a file already; pass overwrite=True to replace it")


def write_whole(path: Any, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file such that at any moment, a process killed or not, there is the old one or the new one, whole.

    The bytes go to a temporary file in the same folder, which then takes the old one's place; a link keeps pointing to
    the file, and the file keeps its mode.

    Args:
        path: of the file.
        write: called with the temporary file, open for writing.

    Raises:
        TypeError, ValueError: as `named`.
        OSError: there is no such folder, it cannot be written to, or the disk is full; the old file is as it was.
    """
    given, path = named(path), os.path.realpath(path)
    folder = os.path.dirname(path)
    if os.path.isdir(path):     # not to be found out when all has been written
        raise IsADirectoryError(errno.EISDIR, "expected the path of a file, got that of a folder", given)
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mode = None
    # Hidden, and with a suffix that no reader takes for a model.
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)[:100]}.", suffix=".tmp", dir=folder)
    except OSError as error:    # which names the temporary file, of which the caller knows nothing
        problem = "there is no such folder; make it first" if not os.path.isdir(folder) else error.strerror
        raise OSError(error.errno, problem, given) from None
    try:
        with os.fdopen(descriptor, "w+b") as file:
            write(file)
            file.flush()
            os.chmod(temporary, mode if mode is not None else 0o666 & ~_umask())
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _umask() -> int:
    """The mask of a new file's mode, which can be read only by setting it; where the system tells, from there, since
    for a moment other threads would make files with the wrong one."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: str) -> None:
    """Make the new name last through a power failure, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
