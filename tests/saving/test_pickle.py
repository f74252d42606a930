# SPDX-License-Identifier: Apache-2.0
"""The reader of pickles beside the standard library's: the same plain values, and an error for all the rest."""

from __future__ import annotations

import collections
import io
import pickle
import struct
import warnings

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastrnn.saving import ModelFileError, pickle_machine, torch_archive
from fastrnn.saving.tensors import Tensor
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
        assert load(b"\x80\x02cm\nf\n.") == pickle_machine.Symbol("m f")
        assert load(b"\x80\x02cm\nf\n(K\1K\2tR.") == ("f", 2)


class TestErrors:
    """See `tests/hostile` for what files could do with it."""

    def test_it_says_where(self):
        with pytest.raises(ModelFileError, match=r"^m.pt: data.pkl, byte 14: it names 'os.system'"):
            load(b"\x80\x02Ncos\nsystem\n.")
        with pytest.raises(ModelFileError, match=r"^m.pt: data.pkl, byte 3: operation b'i' \(INST\)"):
            load(b"\x80\x02ios\nsystem\n.")

    @pytest.mark.parametrize("value", [{1, 2}, b"x", bytearray(b"x"), 2**64, 1j, range(3), print, TestValues,
                                       {(1, 2): 3}, {None: 1}, {1.5: 2}, frozenset([1])])
    @pytest.mark.parametrize("protocol", range(6))
    def test_other_values(self, value, protocol):
        with pytest.raises(ModelFileError):
            load(pickle.dumps([value], protocol))

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
        if b"c" not in program and b"\x93" not in program and b"Q" not in program:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert repr(Standard(io.BytesIO(program)).load()) == repr(found)

    @FUZZ
    @given(st.one_of(_program, _state, _tensor_state, _edited.map(changed)))
    def test_files(self, pkl):
        """Tensors, every one of which can be read, or an error."""
        try:
            tensors = torch_archive.read(archive_of(pkl), "m.pt")
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
            tensors = torch_archive.read(data, "m.pt")
        except ModelFileError:
            return
        expected = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        assert list(expected) == list(tensors)
        for name, tensor in tensors.items():
            assert tuple(expected[name].shape) == tensor.shape
            assert expected[name].contiguous().numpy().tobytes() == tensor.read().tobytes()
