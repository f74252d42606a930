# SPDX-License-Identifier: Apache-2.0
"""The reader of pickles beside the standard library's: the same plain values, and an error for all the rest."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import enum
import io
import pathlib
import pickle
import re
import struct
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastrnn.saving import ModelFileError
from fastrnn.saving.tensors import Tensor
from fastrnn.saving.torch import archive, pickle_machine
from fastrnn.saving.torch.pickle_values import Opaque, Symbol
from tests.hostile import pickle_faults, pickles

SYMBOLS = {"collections OrderedDict": lambda *arguments: {}, "m f": lambda *arguments: ("f", len(arguments))}


def load(data: bytes):
    return pickle_machine.load(data, "m.pt", "data.pkl", SYMBOLS, SYMBOLS, lambda identifier: "outside")


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-2**63, 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.lists(inner, max_size=4).map(tuple)
    | st.dictionaries(st.text(max_size=4) | st.integers(0, 300), inner, max_size=4), max_leaves=20)


class TestValues:
    @settings(max_examples=300)
    @given(_plain, st.sampled_from([2, 3, 4, 5]))
    def test_what_pickle_wrote(self, value, protocol):
        found = load(pickle.dumps(value, protocol))
        assert found == value
        assert repr(found) == repr(value)       # types, and the sign of zero

    @pytest.mark.parametrize("protocol", [2, 4])
    def test_an_ordered_dict(self, protocol):
        value = collections.OrderedDict((f"k{i}", (i, [i])) for i in range(3000))
        value._metadata = {"": {"version": 1}}
        assert load(pickle.dumps(value, protocol)) == dict(value)

    def test_a_value_twice_is_one(self):
        inner = [1]
        found = load(pickle.dumps([inner, inner], 2))
        assert found[0] is found[1]

    def test_names_are_texts(self):
        assert load(b"\x80\x02cm\nf\n.") == Symbol("m f")
        assert load(b"\x80\x02cm\nf\n(K\1K\2tR.") == ("f", 2)


class Slots:
    """An object whose state is a tuple."""

    __slots__ = ("a",)

    def __init__(self) -> None:
        self.a = 1


class Color(enum.Enum):
    RED = 1


class Listed(list):
    """Its items are appended to an object."""


class TestOpaque:
    """What is no plain value is stepped over, whatever it is made of, and what is around it is read."""

    @pytest.mark.parametrize("value, kind", [
        ({1, 2}, "set"), (frozenset([1]), "frozenset"), (b"x" * 300, "bytes|_codecs"), (b"x" * 70_000, "bytes|_codecs"),
        (bytearray(b"x"), "bytearray"), (2**64, "a large whole number"), (2**2100, "a large whole number"),
        (1j, "builtins.complex|__builtin__.complex"), (range(3), "range"), (print, "print"), (Slots, "Slots"),
        ("x" * 70_000, "a long text"), (np.float64(0.5), "scalar"), (np.ones(5), "_reconstruct|_frombuffer"),
        (argparse.Namespace(a=[1], b={"c": 2}), "argparse.Namespace"), (datetime.datetime.now(), "datetime.datetime"),
        (Slots(), "Slots"), (Listed([1, 2]), "Listed"), (collections.Counter("ab"), "collections.Counter"),
        (collections.defaultdict(list, {1: [2]}), "collections.defaultdict"), (pathlib.PurePosixPath("a"), "Path"),
        (decimal.Decimal("1.5"), "decimal.Decimal"), (Color.RED, "Color")])
    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_objects(self, value, kind, protocol):
        found = load(pickle.dumps({"before": 1, "x": value, "list": [value], "after": (2,)}, protocol))
        assert (found["before"], found["after"]) == (1, (2,))
        for one in (found["x"], *found["list"]):
            assert type(one) is Opaque and re.search(kind, one.kind)
            assert Opaque.__slots__ == ("kind",)    # there is no room for anything else

    @pytest.mark.parametrize("key", [(1, 2), None, 1.5, True, b"x", 2**64, frozenset([1]), Slots])
    @pytest.mark.parametrize("protocol", [2, 4])
    def test_keys(self, key, protocol):
        """The item stays, so that a dictionary with it is not taken for one without, and cannot be asked for."""
        found = load(pickle.dumps({"before": 1, key: 2, "after": 3}, protocol))
        one, odd, two = found
        assert (one, two) == ("before", "after") and type(odd) is Opaque and found[odd] == 2

    def test_what_is_made_of_it(self):
        """A function of the table is not called with it."""
        assert load(b"\x80\x02cm\nf\n(cx\ny\ntR.").kind == "m.f"

    @pytest.mark.parametrize("tail, problem", [
        (b"cx\ny\n(K\1K\2K\3u.", "a key has no value"), (b"]K\1K\2\x81.", "no object is made of 1"),
        (b"K\1(K\2\x90.", "only sets can be added to"), (b"](K\2\x90.", "only sets can be added to, not a list"),
        (b"\x8b\xff\xff\xff\xff.", "cut off or broken"), (b"T\xff\xff\xff\xff.", "cut off or broken"),
        (b"\x8e" + b"\xff" * 8 + b".", "cut off or broken"), (b"\x8d" + b"\xff" * 8 + b".", "cut off or broken"),
        (b"\x96" + b"\xff" * 8 + b".", "cut off or broken"), (b"C\5abc.", "cut off or broken"), (b"0.", "too few"),
        (b"(0.", "too few"), (b"1.", "no mark"), (b"\x91.", "no mark")])
    def test_broken(self, tail, problem):
        with pytest.raises(ModelFileError, match=problem):
            load(b"\x80\x02" + tail)

    def test_texts_of_python_2(self):
        assert load(b"\x80\x02U\3abc.") == "abc"
        assert load(b"\x80\x02T\3\0\0\0abc.") == "abc"
        assert load(b"\x80\x02U\2\xff\xfe.").kind == "bytes"

    def test_thrown_away(self):
        """As pickle does where a tuple is inside itself."""
        assert load(b"\x80\x02K\x01K\x02K\x0300.") == 1
        assert load(b"\x80\x02K\x01(K\x02K\x031.") == 1


class TestErrors:
    """See `tests/hostile` for what files could do with it."""

    def test_it_says_where(self):
        with pytest.raises(ModelFileError, match=r"^m.pt: data.pkl, byte 9: 'm f' cannot be applied to None"):
            load(b"\x80\x02cm\nf\nNR.")
        assert load(b"\x80\x02cos\nsystem\n.").kind == "os.system"      # a text, and nothing was looked up
        with pytest.raises(ModelFileError, match=r"^m.pt: data.pkl, byte 3: operation b'i' \(INST\)"):
            load(b"\x80\x02ios\nsystem\n.")

    @pytest.mark.parametrize("value", [{1, 2}, b"x", 2**64, 1j, print, [1]])
    def test_protocol_0(self, value):
        with pytest.raises(ModelFileError, match="is not one of those that are known"):
            load(pickle.dumps([value], 0))

    def test_operations(self):
        most = pickle_machine.MAX_OPERATIONS
        assert load(b"\x80\x02]" + b"Na" * (most // 2 - 2) + b".") == [None] * (most // 2 - 2)
        with pytest.raises(ModelFileError, match=f"at most {most} operations"):
            load(b"\x80\x02]" + b"Na" * (most // 2) + b".")

    @pytest.mark.parametrize("count, good", [(32, True), (33, False)])
    def test_levels(self, count, good):
        data = b"\x80\x02" + b"(" * count + b"N" + b"t" * count + b"."
        if good:
            assert load(data) is not None
        else:
            with pytest.raises(ModelFileError, match="32 open groups"):
                load(data)


# at random ----------------------------------------------------------------------------------------------------------

_byte = st.integers(0, 255).map(lambda value: bytes([value]))
_word = st.integers(0, 2**32 - 1).map(lambda value: struct.pack("<I", value))
_texts = st.sampled_from(["", "a", "storage", "0", "cpu", "os", "system", "builtins", "eval", "torch", "FloatStorage",
                          "torch._utils", "_rebuild_tensor_v2", "collections", "OrderedDict", "e.weight", "__class__"])
_names = st.sampled_from(["os.system", "builtins.eval", "builtins.getattr", "posix.system", "torch.FloatStorage",
                          "torch.LongStorage", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
                          "collections.OrderedDict", "torch.serialization.load"])
#: One operation with its arguments, or several that belong together.
_operation = st.one_of(
    st.sampled_from([b"N", b"\x88", b"\x89", b"(", b")", b"\x85", b"\x86", b"\x87", b"t", b"]", b"a", b"e", b"}", b"s",
                     b"u", b"\x94", b"\x93", b"R", b"b", b"Q", b"i", b"o", b"\x81", b"\x92", b"0", b"1", b"2", b"."]),
    _byte, st.builds(lambda code, value: code + value, st.sampled_from([b"K", b"q", b"h"]), _byte),
    st.integers(0, 4).map(lambda i: b"h" + bytes([i])), st.integers(0, 4).map(lambda i: b"q" + bytes([i])),
    st.builds(lambda code, value: code + value, st.sampled_from([b"J", b"r", b"j"]), _word),
    _texts.map(pickles.text), _names.map(pickles.symbol), _names.map(pickles.symbol_of_stack),
    st.integers(-2**62, 2**62).map(pickles.number), st.just(pickles.storage()),
    st.builds(pickles.tensor, st.just(None), st.integers(-1, 5), st.tuples(*[st.integers(0, 3)] * 2),
              st.tuples(*[st.integers(0, 3)] * 2)),
    st.just(pickles.ORDERED_DICT), st.just(pickle_faults.COMMAND))
_program = st.lists(_operation, max_size=14).map(lambda parts: b"\x80\x02" + b"".join(parts) + b".")
_state = st.lists(_operation, max_size=6).map(lambda parts: pickles.state(pickles.text("e.weight"), *parts))
_tensor_state = st.builds(
    pickles.tensor, st.just(None), st.integers(-1, 3), st.tuples(*[st.integers(0, 3)] * 2),
    st.tuples(*[st.integers(0, 3)] * 2)).map(lambda one: pickles.state(pickles.text("e.weight"), one))
_edited = st.lists(st.tuples(st.integers(0, len(pickles.GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=3)


def changed(edits: list[tuple[int, int]]) -> bytes:
    data = bytearray(pickles.GOOD)
    for at, value in edits:
        data[at] = value
    return bytes(data)


class Standard(pickle.Unpickler):
    """The standard library's reader, with nothing to find."""

    def find_class(self, module: str, name: str):
        raise pickle.UnpicklingError(name)


def archive_of(pkl: bytes) -> memoryview:
    buffer = io.BytesIO()
    pickles.write(buffer, pickles.members(pkl))
    return memoryview(buffer.getvalue())


FUZZ = settings(max_examples=1000, suppress_health_check=list(HealthCheck))
counts: collections.Counter[str] = collections.Counter()


class TestAtRandom:
    @FUZZ
    @given(_program)
    def test_programs(self, program):
        """What is accepted and names nothing is what the standard library makes of it."""
        try:
            found = load(program)
        except ModelFileError as error:
            assert str(error).startswith("m.pt: data.pkl, byte ")
            counts["refused"] += 1
            return
        counts["read"] += 1
        if "<" not in repr(found) and b"c" not in program and b"\x93" not in program and b"Q" not in program:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert repr(Standard(io.BytesIO(program)).load()) == repr(found)

    @FUZZ
    @given(st.one_of(_program, _state, _tensor_state, _edited.map(changed)))
    def test_files(self, pkl):
        """Tensors, every one of which can be read, or an error."""
        try:
            tensors = archive.read(archive_of(pkl), "m.pt")
        except ModelFileError as error:
            assert str(error).startswith("m.pt: ")
            counts["file refused"] += 1
            return
        for name, tensor in tensors.items():
            assert type(name) is str and type(tensor) is Tensor
            assert tensor.read().shape == tensor.shape and tensor.read().dtype == tensor.dtype
            assert tensor.read().size <= 4
        counts["file read"] += 1

    def test_both_happened(self):
        """Else what was tried was nothing that the reader looks at."""
        for outcome in ("read", "refused", "file read", "file refused"):
            assert counts[outcome] > 10, counts


class TestBesidePyTorch:
    """Where this reader gives tensors, so does PyTorch's own restricted one, the same."""

    @settings(max_examples=300, suppress_health_check=list(HealthCheck))
    @given(_edited)
    def test_the_same_tensors(self, edits):
        data = archive_of(changed(edits))
        try:
            tensors = archive.read(data, "m.pt")
        except ModelFileError:
            return
        try:
            expected = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:     # a text became one of Python 2
            assert "Unsupported operand" in str(error)
            return
        assert list(expected) == list(tensors)
        for name, tensor in tensors.items():
            assert tuple(expected[name].shape) == tensor.shape
            assert expected[name].contiguous().numpy().tobytes() == tensor.read().tobytes()
