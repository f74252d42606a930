# SPDX-License-Identifier: Apache-2.0
"""Archives, `.keras`, that want to do harm, entered into `FAULTS`."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from tests.hostile.faults import fault, good_members, zipped


def patched(path: Path, pattern: bytes, offset: int, content: bytes, last: bool = True) -> Path:
    """Bytes put at an offset from a signature of the archive."""
    data = bytearray(path.read_bytes())
    at = (data.rindex(pattern) if last else data.index(pattern)) + offset
    data[at:at + len(content)] = content
    path.write_bytes(data)
    return path


@fault(".keras")
def zip_bomb_of_weights(path: Path, suffix: str) -> Path:
    """Half a gigabyte of zeros in half a megabyte."""
    return zipped(path, list({**good_members(), "model.weights.h5": bytes(1 << 29)}.items()), zipfile.ZIP_DEFLATED)


@fault(".keras")
def zip_bomb_of_configuration(path: Path, suffix: str) -> Path:
    return zipped(path, list({**good_members(), "config.json": b" " * (1 << 28)}.items()), zipfile.ZIP_DEFLATED)


@fault(".keras")
def zip_bomb_that_lies(path: Path, suffix: str) -> Path:
    """A member that declares a hundred bytes and unfolds to a quarter of a gigabyte."""
    members = good_members()
    members = {"metadata.json": members["metadata.json"], "config.json": b" " * (1 << 28)}
    zipped(path, list(members.items()), zipfile.ZIP_DEFLATED)
    return patched(path, b"PK\x01\x02", 24, struct.pack("<I", 100))


@fault(".keras")
def member_that_leads_out(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), ("../../pwned", b"x")])


@fault(".keras")
def member_that_is_absolute(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), ("/tmp/pwned", b"x")])


@fault(".keras")
def member_of_another_system(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), ("..\\pwned", b"x"), ("c:\\pwned", b"x")])


@fault(".keras")
def member_twice(path: Path, suffix: str) -> Path:
    members = good_members()
    return zipped(path, [*members.items(), ("config.json", members["config.json"])])


@fault(".keras")
def member_that_is_a_link(path: Path, suffix: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in good_members().items():
            info = zipfile.ZipInfo(name)
            if name == "config.json":
                info.external_attr, content = 0o120777 << 16, b"/etc/passwd"
            file.writestr(info, content)
    return path


@fault(".keras")
def members_without_end(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), *((f"{i}", b"") for i in range(20_000))])


@fault(".keras")
def member_name_without_end(path: Path, suffix: str) -> Path:
    return zipped(path, [*good_members().items(), ("a" * 60_000, b"")])


@fault(".keras")
def encrypted_member(path: Path, suffix: str) -> Path:
    return patched(zipped(path, list(good_members().items())), b"PK\x01\x02", 8, b"\x01\x00")


@fault(".keras")
def unknown_compression(path: Path, suffix: str) -> Path:
    return zipped(path, list(good_members().items()), zipfile.ZIP_LZMA)


@fault(".keras")
def member_beyond_the_end(path: Path, suffix: str) -> Path:
    return patched(zipped(path, list(good_members().items())), b"PK\x01\x02", 42, struct.pack("<I", 1 << 30))


@fault(".keras")
def members_on_top_of_each_other(path: Path, suffix: str) -> Path:
    """The directory says that the weights begin where the configuration does."""
    zipped(path, list(good_members().items()))
    return patched(path, b"PK\x01\x02", 42, struct.pack("<I", 0))


@fault(".keras")
def checksum(path: Path, suffix: str) -> Path:
    zipped(path, list(good_members().items()))
    return patched(path, b"PK\x01\x02", 16, b"\0\0\0\0")


@fault(".keras")
def missing_weights(path: Path, suffix: str) -> Path:
    return zipped(path, list(good_members().items())[:2])


@fault(".keras")
def weights_in_pickles(path: Path, suffix: str) -> Path:
    return zipped(path, [*list(good_members().items())[:2], ("model.weights.npz", b"x")])


@fault(".keras")
def version_of_the_future(path: Path, suffix: str) -> Path:
    return zipped(path, list({**good_members(), "metadata.json": b'{"keras_version": "4.0"}'}.items()))


@fault(".keras")
def metadata_of_nothing(path: Path, suffix: str) -> Path:
    return zipped(path, list({**good_members(), "metadata.json": b"null"}.items()))


@fault(".keras")
def metadata_that_is_a_list(path: Path, suffix: str) -> Path:
    return zipped(path, list({**good_members(), "metadata.json": b"[]"}.items()))
