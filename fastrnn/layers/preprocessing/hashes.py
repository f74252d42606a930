# SPDX-License-Identifier: Apache-2.0
"""The hashes by which TensorFlow, and so Keras, puts strings into bins.

FarmHash's Fingerprint64: G. Pike, https://github.com/google/farmhash, the function that never changes. SipHash-2-4,
with a key: J.-P. Aumasson, D. J. Bernstein, SipHash: a fast short-input PRF, 2012.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

_ALL = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def check_salt(salt: Any, what: str) -> list[int] | None:
    """The key of `siphash`: two whole numbers, of which one may be given for both; None for none.

    Raises:
        ValueError: it is something else.

    >>> check_salt(3, "Hashing")
    [3, 3]
    """
    if salt is None:
        return None
    pair = list(salt) if isinstance(salt, (list, tuple)) else [salt, salt]
    if len(pair) != 2 or not all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in pair):
        raise ValueError(f"{what} salt: expected a whole number, two of them or None, got {salt!r}")
    return [int(one) for one in pair]


def bins_of(texts: Iterable[bytes], count: int, salt: list[int] | None) -> np.ndarray:
    """The bin, of so many, of each text.

    >>> bins_of([b"a", b"b"], 5, None)
    array([4, 2])
    """
    if salt is None:
        return np.array([fingerprint64(text) % count for text in texts], np.int64)
    first, second = salt
    return np.array([siphash(text, first, second) % count for text in texts], np.int64)


def siphash(data: bytes, first: int, second: int) -> int:
    """SipHash-2-4 of bytes with a key of two numbers, from 0 to 2**64 - 1.

    >>> hex(siphash(bytes(range(15)), 0x0706050403020100, 0x0F0E0D0C0B0A0908))
    '0xa129ca6149be45e5'
    """
    a, b = (first & _ALL) ^ 0x736F6D6570736575, (second & _ALL) ^ 0x646F72616E646F6D
    c, d = (first & _ALL) ^ 0x6C7967656E657261, (second & _ALL) ^ 0x7465646279746573
    whole = len(data) // 8 * 8
    last = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    for word in [*(_word(data, start) for start in range(0, whole, 8)), last]:
        a, b, c, d = _sip_rounds(a, b, c, d ^ word, 2)
        a ^= word
    a, b, c, d = _sip_rounds(a, b, c ^ 0xFF, d, 4)
    return a ^ b ^ c ^ d


def _sip_rounds(a: int, b: int, c: int, d: int, count: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        a, c = a + b & _ALL, c + d & _ALL
        b, d = _rotated(b, 51) ^ a, _rotated(d, 48) ^ c
        a = _rotated(a, 32)
        c, a = c + b & _ALL, a + d & _ALL
        b, d = _rotated(b, 47) ^ c, _rotated(d, 43) ^ a
        c = _rotated(c, 32)
    return a, b, c, d


def fingerprint64(data: bytes) -> int:
    """The hash of bytes, from 0 to 2**64 - 1.

    >>> fingerprint64(b"")
    11160318154034397263
    """
    length = len(data)
    if length <= 16:
        return _to_16(data, length)
    factor = _K2 + 2 * length & _ALL
    if length > 64:
        return _over_64(data, length)
    if length <= 32:
        a, b = _word(data, 0) * _K1 & _ALL, _word(data, 8)
        c, d = _word(data, length - 8) * factor & _ALL, _word(data, length - 16) * _K2
        return _mixed(_rotated(a + b, 43) + _rotated(c, 30) + d, a + _rotated(b + _K2, 18) + c, factor)
    a, b = _word(data, 0) * _K2 & _ALL, _word(data, 8)
    c, d = _word(data, length - 8) * factor & _ALL, _word(data, length - 16) * _K2
    y = _rotated(a + b, 43) + _rotated(c, 30) + d & _ALL
    z = _mixed(y, a + _rotated(b + _K2, 18) + c, factor)
    e, f = _word(data, 16) * factor & _ALL, _word(data, 24)
    g = (y + _word(data, length - 32)) * factor & _ALL
    h = (z + _word(data, length - 24)) * factor & _ALL
    return _mixed(_rotated(e + f, 43) + _rotated(g, 30) + h, e + _rotated(f + a, 18) + g, factor)


def _to_16(data: bytes, length: int) -> int:
    factor = _K2 + 2 * length & _ALL
    if length >= 8:
        a, b = _word(data, 0) + _K2 & _ALL, _word(data, length - 8)
        return _mixed(_rotated(b, 37) * factor + a, (_rotated(a, 25) + b) * factor, factor)
    if length >= 4:
        first = int.from_bytes(data[:4], "little")
        return _mixed(length + (first << 3), int.from_bytes(data[-4:], "little"), factor)
    if length:
        y, z = data[0] + (data[length >> 1] << 8), length + (data[-1] << 2)
        return _shifted((y * _K2 ^ z * _K0) & _ALL) * _K2 & _ALL
    return _K2


def _over_64(data: bytes, length: int) -> int:
    """Blocks of 64 bytes one after the other, then the last 64."""
    x, y = 81, 81 * _K1 + 113 & _ALL
    z = _shifted(y * _K2 + 113 & _ALL) * _K2 & _ALL
    x = x * _K2 + _word(data, 0) & _ALL
    v, w = (0, 0), (0, 0)
    for start in range(0, (length - 1) // 64 * 64, 64):
        x, y, z, v, w = _block(data, start, x, y, z, v, w, _K1, 1)
    factor = _K1 + ((z & 0xFF) << 1) & _ALL
    w = (w[0] + (length - 1 & 63) & _ALL, w[1])
    v = (v[0] + w[0] & _ALL, v[1])
    w = (w[0] + v[0] & _ALL, w[1])
    x, y, z, v, w = _block(data, length - 64, x, y, z, v, w, factor, 9)
    return _mixed(_mixed(v[0], w[0], factor) + _shifted(y) * _K0 + z, _mixed(v[1], w[1], factor) + x, factor)


def _block(data: bytes, start: int, x: int, y: int, z: int, v: tuple[int, int], w: tuple[int, int], factor: int,
           times: int) -> tuple[int, int, int, tuple[int, int], tuple[int, int]]:
    x = _rotated(x + y + v[0] + _word(data, start + 8), 37) * factor & _ALL
    y = _rotated(y + v[1] + _word(data, start + 48), 42) * factor & _ALL
    x ^= w[1] * times & _ALL
    y = y + v[0] * times + _word(data, start + 40) & _ALL
    z = _rotated(z + w[0], 33) * factor & _ALL
    v = _weak(data, start, v[1] * factor, x + w[0])
    w = _weak(data, start + 32, z + w[1], y + _word(data, start + 16))
    return z, y, x, v, w


def _weak(data: bytes, start: int, a: int, b: int) -> tuple[int, int]:
    first, second, third, last = (_word(data, start + 8 * i) for i in range(4))
    a = a + first & _ALL
    b = _rotated(b + a + last, 21)
    c = a
    a = a + second + third & _ALL
    b += _rotated(a, 44)
    return a + last & _ALL, b + c & _ALL


def _word(data: bytes, start: int) -> int:
    return int.from_bytes(data[start:start + 8], "little")


def _rotated(value: int, bits: int) -> int:
    """Moved to the right by some bits."""
    value &= _ALL
    return (value >> bits | value << 64 - bits) & _ALL


def _shifted(value: int) -> int:
    return value ^ value >> 47


def _mixed(u: int, v: int, factor: int) -> int:
    a = _shifted(((u ^ v) & _ALL) * factor & _ALL)
    return _shifted(((v ^ a) & _ALL) * factor & _ALL) * factor & _ALL
