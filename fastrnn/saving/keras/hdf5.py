# SPDX-License-Identifier: Apache-2.0
"""HDF5 files: read through one guarded accessor, written in Keras's way.

HDF5 can do what no model needs: point into other files, make terabytes out of a few bytes, load code to decompress. So
only this is read: groups and arrays that hard links lead to, attributes that are texts, and arrays that lie in one
piece, as they are, within this file. The bytes of arrays are taken from the file's own, not through HDF5.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastrnn.saving import tensors
from fastrnn.saving.archive import View
from fastrnn.saving.errors import MAX_COUNT, MAX_RANK, MAX_TEXT, ModelFileError, caused_by, check_name, shown
from fastrnn.saving.optional import package
from fastrnn.saving.tensors import DTYPES, Tensor

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def library() -> Any:
    """h5py; an ImportError, which says how to install it, where it is not."""
    return package("h5py", "Keras's .keras and .h5 files need", "keras")


class Group:
    """A group of a file, whose contents are given only if they are what a model needs.

    Attributes:
        place: where in the file it is.
    """

    def __init__(self, group: Any, data: memoryview, file: str, place: str, opened: Any, left: list[int]) -> None:
        self._group, self._data, self._file, self.place = group, data, file, place
        # What the groups of a file share: the file, which is open as long as one of them is there, and how many of its
        # bytes no array was given of yet.
        self._opened, self._left = opened, left

    def __contains__(self, name: str) -> bool:
        """Whether there is a link of this name in this very group; where it leads is not looked at."""
        return self._guarded(lambda: self._group.links.exists(name.encode()))

    def names(self) -> list[str]:
        """The names of all links, sorted."""
        count = self._guarded(lambda: self._group.get_num_objs())
        if count > MAX_COUNT:
            raise ModelFileError(self._file, self.place, f"expected at most {MAX_COUNT} entries, got {count}")
        names = self._guarded(lambda: [name.decode("utf-8", "replace") for name in self._group])
        return sorted(check_name(name, self._file, self.place) for name in names)

    def group(self, path: str) -> Group:
        """The group at a path of names."""
        found, place = self._find(path)
        if not isinstance(found, library().h5g.GroupID):
            raise ModelFileError(self._file, place, "expected a group, got an array")
        return Group(found, self._data, self._file, place, self._opened, self._left)

    def is_group(self, name: str) -> bool:
        """Whether the link of this name leads to a group."""
        return isinstance(self._find(name)[0], library().h5g.GroupID)

    @property
    def address(self) -> int:
        """Where the group lies in the file, by whatever link it was reached."""
        return self._guarded(lambda: library().h5o.get_info(self._group).addr)

    def tensor(self, path: str) -> Tensor:
        """The array at a path of names, not read yet."""
        found, place = self._find(path)
        if not isinstance(found, library().h5d.DatasetID):
            raise ModelFileError(self._file, place, "expected an array, got a group")
        return self._guarded(lambda: self._tensor(found, place), place)

    def text(self, name: str) -> str | None:
        """The attribute of this name, a text; None if there is none."""
        texts = self._attribute(name)
        if texts is not None and len(texts) != 1:
            raise ModelFileError(self._file, f"{self.place}@{name}", f"expected one text, got {len(texts)}")
        return None if texts is None else texts[0]

    def texts(self, name: str) -> list[str]:
        """The attribute of this name, a list of texts, which Keras cuts into several where it is too long for one."""
        whole = self._attribute(name)
        if whole is not None:
            return whole
        found: list[str] = []
        for number in range(MAX_COUNT):
            piece = self._attribute(f"{name}{number}")
            if piece is None:
                return found
            found += piece
        return found

    # what is allowed -----------------------------------------------------------------------------------------------

    def _guarded(self, call: Any, place: str | None = None) -> Any:
        """What `call` gives; the errors of a broken file, which h5py raises as many kinds, as one."""
        try:
            return call()
        except ModelFileError:
            raise
        except Exception as error:
            raise caused_by(error, self._file, self.place if place is None else place,
                            f"broken HDF5: {shown(str(error))}") from None

    def _find(self, path: str) -> tuple[Any, str]:
        h5py = library()
        found, place = self._group, self.place
        for name in check_name(path, self._file, place).split("/"):
            if not isinstance(found, h5py.h5g.GroupID):
                raise ModelFileError(self._file, place, f"expected a group with {shown(name)}, got an array")
            above, place = found, f"{place}/{name}" if place else name
            found = self._guarded(lambda above=above, name=name: self._linked(above, name, h5py), place)
            if found is None:
                raise ModelFileError(self._file, place, "there is nothing of this name")
        return found, place

    def _linked(self, group: Any, name: str, h5py: Any) -> Any:
        key = name.encode()
        if not group.links.exists(key):
            return None
        kind = group.links.get_info(key).type
        if kind != h5py.h5l.TYPE_HARD:
            kinds = {h5py.h5l.TYPE_SOFT: "soft", h5py.h5l.TYPE_EXTERNAL: "external"}
            raise ModelFileError(self._file, name, f"{kinds.get(kind, 'other')} links are not allowed")
        return h5py.h5o.open(group, key)

    def _tensor(self, dataset: Any, place: str) -> Tensor:
        h5py = library()
        settings = dataset.get_create_plist()
        layout = settings.get_layout()
        if settings.get_external_count():
            raise ModelFileError(self._file, place, "arrays in external files are not allowed")
        if layout == h5py.h5d.VIRTUAL:
            raise ModelFileError(self._file, place, "virtual arrays are not allowed")
        if layout != h5py.h5d.CONTIGUOUS or settings.get_nfilters():
            raise ModelFileError(self._file, place, "arrays in chunks, compressed or not, are not allowed; "
                                                    "expected them as Keras writes them, in one piece")
        space = dataset.get_space()
        if space.get_simple_extent_type() not in (h5py.h5s.SCALAR, h5py.h5s.SIMPLE):
            raise ModelFileError(self._file, place, "expected numbers, got an empty array")
        shape = tuple(int(n) for n in space.get_simple_extent_dims()) if space.get_simple_extent_ndims() else ()
        dtype = self._dtype(dataset.get_type(), place)
        size = math.prod(shape) * dtype.itemsize
        offset = dataset.get_offset()
        if size and (offset is None or dataset.get_storage_size() != size):
            raise ModelFileError(self._file, place, f"{size} bytes declared by shape {shape}, "
                                                    f"{dataset.get_storage_size() if offset is not None else 0} stored")
        self._left[0] -= size
        if self._left[0] < 0:
            raise ModelFileError(self._file, place, "the arrays take more bytes than the file has: some are stored on "
                                                    "top of each other")
        return tensors.view(self._data, place, self._file, shape, dtype, offset or 0)

    def _dtype(self, kind: Any, place: str) -> np.dtype:
        h5py = library()
        letter, size = {h5py.h5t.FLOAT: "f", h5py.h5t.INTEGER: "iu"}.get(kind.get_class(), ""), kind.get_size()
        for dtype in (np.dtype(f"{order}{one}{size}") for one in letter for order in "<>" if size in (1, 2, 4, 8)):
            if dtype.name in DTYPES and kind.equal(h5py.h5t.py_create(dtype)):      # and no other bits in it
                return dtype
        raise ModelFileError(self._file, place, "expected whole or floating-point numbers of 1 to 8 bytes")

    def _attribute(self, name: str) -> list[str] | None:
        return self._guarded(lambda: self._texts(name), f"{self.place}@{name}")

    def _texts(self, name: str) -> list[str] | None:
        h5py = library()
        key, place = name.encode(), f"{self.place}@{name}"
        if not h5py.h5a.exists(self._group, key):
            return None
        attribute = h5py.h5a.open(self._group, key)
        count = math.prod(attribute.shape)
        if len(attribute.shape) > MAX_RANK or count > MAX_COUNT:
            raise ModelFileError(self._file, place, f"expected at most {MAX_COUNT} texts, got {attribute.shape}")
        if count == 0 and attribute.shape:      # of any type: Keras writes empty lists as numbers
            return []
        kind = attribute.get_type()
        if kind.get_class() != h5py.h5t.STRING or attribute.get_storage_size() > MAX_TEXT:
            raise ModelFileError(self._file, place, f"expected texts of at most {MAX_TEXT} bytes")
        value = h5py.Group(self._group).attrs[name]
        values = value.reshape(-1).tolist() if isinstance(value, np.ndarray) else [value]
        found = [text.decode() if isinstance(text, bytes) else str(text) for text in values]
        if sum(map(len, found)) > MAX_TEXT:
            raise ModelFileError(self._file, place, f"expected texts of at most {MAX_TEXT} bytes")
        return found


def open_file(data: memoryview, file: str, place: str = "") -> Group:
    """The root of an HDF5 file.

    Args:
        data: the file's bytes.
        file: its name, for errors.
        place: where it lies in that file, if it is a member of an archive.

    Raises:
        ImportError: h5py is not installed.
        ModelFileError: it is no HDF5 file.
    """
    h5py = library()
    if bytes(data[:8]) != _SIGNATURE:
        raise ModelFileError(file, place, "expected an HDF5 file")
    try:
        opened = h5py.File(View(data), "r", driver="fileobj", rdcc_nbytes=0)
        root = h5py.h5g.open(opened.id, b"/")
    except Exception as error:  # OSError, RuntimeError, ValueError, as the fault has it
        raise caused_by(error, file, place, f"broken HDF5: {shown(str(error))}") from None
    return Group(root, data, file, place, opened, [len(data)])


def write(arrays: Mapping[str, np.ndarray], texts: Mapping[str, Mapping[str, str | Iterable[str]]]) -> memoryview:
    """The bytes of a new file.

    Args:
        arrays: by path.
        texts: attributes by the path of their group; a text, or a list of texts.
    """
    h5py = library()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, attributes in texts.items():
            group = file.require_group(path) if path else file
            for name, value in attributes.items():
                if isinstance(value, str):
                    group.attrs[name] = value
                else:
                    _write_texts(group, name, [text.encode() for text in value])
        for path, array in arrays.items():
            file.create_dataset(path, data=array)
    return buffer.getbuffer()


def _write_texts(group: Any, name: str, values: list[bytes]) -> None:
    """A list of texts, in as many attributes as HDF5's limit for one, 64 kB, asks for."""
    pieces: list[list[bytes]] = [[]]
    width = max(map(len, values), default=1)
    for value in values:
        if width * (len(pieces[-1]) + 1) > 60_000:
            pieces.append([])
        pieces[-1].append(value)
    for number, piece in enumerate(pieces):
        group.attrs[name if len(pieces) == 1 else f"{name}{number}"] = np.array(piece, f"S{width}")
