# SPDX-License-Identifier: Apache-2.0
"""Pickles that want to do harm, in PyTorch's files, entered into `FAULTS`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.hostile.faults import fault
from tests.hostile.pickles import (
    GOOD,
    ORDERED_DICT,
    group,
    members,
    number,
    state,
    storage,
    symbol,
    symbol_of_stack,
    tensor,
    text,
    write,
)

SUFFIXES = (".pt", ".pth", ".bin")

COMMAND = group(text("touch pwned"))
#: Written out, 3 ** 200 times as long.
BOMB = b"()" + b"".join(b"q" + bytes([i]) + (b"h" + bytes([i])) * 3 + b"\x87" for i in range(200)) + b"t"


class _Reduced:
    """What pickle itself makes of an object that wants a function called."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self._reduced = function, arguments

    def __reduce__(self) -> tuple:
        return self._reduced


def _dumped(value: object, protocol: int) -> bytes:
    return pickle.dumps({"e.weight": value}, protocol)


# names, by every way that a pickle has -------------------------------------------------------------------------------

_EVAL = "__import__('os').system('touch pwned')"
PICKLES: dict[str, bytes] = {
    "system": state(text("a"), symbol("os.system") + COMMAND + b"R"),
    "system_of_posix": state(text("a"), symbol("posix.system") + COMMAND + b"R"),
    "eval": state(text("a"), symbol("builtins.eval") + group(text(_EVAL)) + b"R"),
    "exec_by_stack_global": state(text("a"), symbol_of_stack("builtins.exec") + group(text(_EVAL)) + b"R"),
    "old_builtins": state(text("a"), symbol("__builtin__.eval") + group(text(_EVAL)) + b"R"),
    "getattr": state(text("a"), symbol("builtins.getattr") + group(symbol("builtins.print"), text("x")) + b"R"),
    "torch_load": state(text("a"), symbol("torch.load") + group(text("other.pt")) + b"R"),
    "torch_hub": state(text("a"), symbol("torch.hub.load") + group(text("x/y"), text("z")) + b"R"),
    "import_module": state(text("a"), symbol("importlib.import_module") + group(text("antigravity")) + b"R"),
    "a_module_that_is_not_loaded": state(text("a"), symbol("antigravity.geohash")),
    "a_name_alone": state(text("a"), symbol("os.system")),
    "dotted_name": state(text("a"), b"ctorch._utils\nos.system\n" + COMMAND + b"R"),
    "dotted_name_of_a_known_one": state(text("a"), text("torch._utils") + text("_rebuild_tensor_v2.__globals__")
                                        + b"\x93"),
    "a_known_name_with_a_space": state(text("a"), text("torch") + text("_utils _rebuild_tensor_v2") + b"\x93"),
    "instance": b"\x80\x02}" + text("a") + b"(" + text("touch pwned") + b"ios\nsystem\ns.",
    "object": b"\x80\x02}" + text("a") + b"(" + symbol("os.system") + text("touch pwned") + b"os.",
    "object_of_a_known_name": b"\x80\x02}" + text("a") + b"(" + symbol("collections.OrderedDict") + b"os.",
    "new_object": state(text("a"), symbol("collections.OrderedDict") + b")\x81"),
    "new_object_ex": b"\x80\x04}" + text("a") + symbol("collections.OrderedDict") + b")}\x92s.",
    "extension_1": state(text("a"), b"\x82\x01"),
    "extension_2": state(text("a"), b"\x83\x01\0"),
    "extension_4": state(text("a"), b"\x84\x01\0\0\0"),
    "persistent_text": state(text("a"), b"Pos.system\n"),
    "a_storage_type_applied": state(text("a"), symbol("torch.FloatStorage") + group(number(10**9)) + b"R"),
    "a_text_applied": state(text("a"), text("os.system") + COMMAND + b"R"),
    "a_tensor_applied": state(text("a"), tensor() + COMMAND + b"R"),
    "arguments_that_are_no_tuple": state(text("a"), symbol("collections.OrderedDict") + b"]R"),
    "ordered_dict_of_arguments": state(text("a"), symbol("collections.OrderedDict") + group(b"]") + b"R"),
    "attributes_of_a_name": state(text("a"), symbol("collections.OrderedDict") + b"}" + text("x") + b"K\1sb"),
    "attributes_of_a_tensor": state(text("a"), tensor() + b"}" + text("data") + b"K\1sb"),
    "attributes_of_a_state_dict": b"\x80\x02" + ORDERED_DICT + b"}" + text("__class__") + b"K\1sb.",
    "state_of_slots": b"\x80\x02" + ORDERED_DICT + group(b"N", b"}") + b"b.",
    "system_of_pickle_2": _dumped(_Reduced(__import__("os").system, "touch pwned"), 2),
    "system_of_pickle_4": _dumped(_Reduced(__import__("os").system, "touch pwned"), 4),
    "numpy_array": _dumped(np.ones(3), 4),
    "a_set": _dumped({1, 2}, 4),
    "bytes": _dumped(b"x", 4),
    "a_buffer": _dumped(bytearray(b"x"), 5),
    "protocol_0": pickle.dumps({"a": 1}, 0),
    "protocol_1": pickle.dumps({"a": 1}, 1),
    "protocol_255": b"\x80\xff}.",
    # the machine itself
    "items_of_a_list": b"\x80\x02](" + text("a") + b"K\1u.",
    "items_of_a_tuple": b"\x80\x02)" + text("a") + b"K\1s.",
    "items_of_a_text": b"\x80\x02" + text("x") + text("a") + b"K\1s.",
    "items_of_a_name": b"\x80\x02" + symbol("torch.FloatStorage") + text("a") + b"K\1s.",
    "items_of_a_tensor": b"\x80\x02" + tensor() + b"K\1K\1s.",
    "items_of_a_storage": b"\x80\x02" + storage() + b"K\1K\1s.",
    "items_of_nothing": b"\x80\x02(" + text("a") + b"K\1u.",
    "appended_to_a_dict": b"\x80\x02}K\1a.",
    "appended_to_a_tensor": b"\x80\x02" + tensor() + b"(K\1e.",
    "a_key_that_is_a_tuple": state(group(number(1)), number(1)),
    "a_key_that_is_a_tensor": state(tensor(), number(1)),
    "a_key_twice": state(text("e.weight"), tensor(), text("e.weight"), tensor()),
    "a_key_without_value": b"\x80\x02}(" + text("a") + b"u.",
    "below_the_mark": b"\x80\x02K\1(\x85.",
    "empty_stack": b"\x80\x02R.",
    "no_mark": b"\x80\x02t.",
    "an_open_mark": b"\x80\x02}(.",
    "two_values": b"\x80\x02}}.",
    "bytes_behind": GOOD + b"cos\nsystem\n",
    "no_end": GOOD[:-1],
    "nothing": b"",
    "memo_that_is_not_there": b"\x80\x02h\5.",
    "memo_far_away": b"\x80\x02}r\xff\xff\xff\xff.",
    "memo_bomb": b"\x80\x02}" + text("a") + BOMB + b"s.",
    "memo_bomb_as_a_key": b"\x80\x02}" + BOMB + b"K\1s.",
    "memo_bomb_as_a_state_dict": b"\x80\x02" + BOMB + b".",
    "memo_bomb_as_a_shape": state(text("a"), symbol("torch._utils._rebuild_tensor_v2") + b"(" + storage() + b"K\0"
                                  + BOMB + b")\x89" + ORDERED_DICT + b"tR"),
    "memo_bomb_as_a_key_of_a_storage": state(text("e.weight"), tensor(storage(key=BOMB))),
    "memo_bomb_as_hooks": state(text("e.weight"), tensor(hooks=BOMB)),
    "a_dict_inside_itself": b"\x80\x02}q\0" + text("a") + b"h\0s.",
    "deep_marks": b"\x80\x02" + b"(" * 200_000,
    "deep_tuples": b"\x80\x02)" + b"\x85" * 300_000 + b".",
    "deep_lists": b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".",
    "values_without_end": b"\x80\x02" + b"N" * 1_000_000,
    "dicts_without_end": b"\x80\x02(" + b"}\x85" * 300_000,
    "remembered_without_end": b"\x80\x02]" + b"]\x94a" * 1_000_000,
    "a_list_without_end": b"\x80\x02]" + b"]a" * 1_000_000 + b".",
    "a_text_of_4_gb": b"\x80\x02X\xff\xff\xff\xff" + b"a" * 1000,
    "a_text_of_a_megabyte": b"\x80\x02" + text("a" * 1_000_000) + b".",
    "a_text_that_is_no_text": b"\x80\x02X\2\0\0\0\xff\xfe.",
    "a_name_without_end": b"\x80\x02c" + b"a" * 1_000_000,
    "a_number_of_255_bytes": b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",
    "too_many_tensors": state(*(part for i in range(11_000) for part in (text(f"e{i}.weight"), tensor()))),
    # tensors
    "storage_of_a_size_that_lies": state(text("e.weight"), tensor(storage(count=10**12), shape=(10**6, 10**6))),
    "storage_of_a_smaller_size": state(text("e.weight"), tensor(storage(count=3))),
    "storage_of_another_type": state(text("e.weight"), tensor(storage("torch.DoubleStorage"))),
    "storage_of_negative_size": state(text("e.weight"), tensor(storage(count=-4))),
    "storage_that_is_not_there": state(text("e.weight"), tensor(storage(key=text("1")))),
    "storage_by_a_path": state(text("e.weight"), tensor(storage(key=text("../data.pkl")))),
    "storage_by_an_absolute_path": state(text("e.weight"), tensor(storage(key=text("/etc/passwd")))),
    "storage_by_a_number": state(text("e.weight"), tensor(storage(key=number(0)))),
    "storage_of_a_function": state(text("e.weight"), tensor(storage("torch._utils._rebuild_tensor_v2"))),
    "storage_of_quantized_numbers": state(text("e.weight"), tensor(storage("torch.QInt8Storage"))),
    "storage_of_three_parts": state(text("e.weight"), tensor(group(text("storage"), text("0"), text("cpu")) + b"Q")),
    "storage_that_is_a_text": state(text("e.weight"), tensor(text("os.system") + b"Q")),
    "a_module_as_identifier": state(text("e.weight"), tensor(group(
        text("module"), symbol("collections.OrderedDict"), text("x.py"), text("touch pwned")) + b"Q")),
    "tensor_beyond_its_storage": state(text("e.weight"), tensor(offset=1)),
    "tensor_far_beyond_its_storage": state(text("e.weight"), tensor(shape=(2, 2), strides=(2**40, 1))),
    "tensor_before_its_storage": state(text("e.weight"), tensor(offset=-1)),
    "tensor_with_negative_strides": state(text("e.weight"), tensor(offset=3, strides=(-2, -1))),
    "tensor_of_negative_shape": state(text("e.weight"), tensor(shape=(-2, 2))),
    "strides_that_overflow": state(text("e.weight"), tensor(shape=(2, 2**30), strides=(2**62, 2**34))),
    "shape_bomb_of_zero_strides": state(text("e.weight"), tensor(shape=(10**6, 10**6), strides=(0, 0))),
    "shape_bomb_of_small_strides": state(text("e.weight"), tensor(shape=(3, 2), strides=(1, 1))),
    "shape_of_many_axes": state(text("e.weight"), tensor(shape=(1,) * 5000, strides=(1,) * 5000)),
    "shape_without_strides": state(text("e.weight"), tensor(strides=(1,))),
    "shape_of_texts": state(text("e.weight"), symbol("torch._utils._rebuild_tensor_v2") + group(
        storage(), number(0), group(text("a")), group(text("b")), b"\x89", ORDERED_DICT) + b"R"),
    "shape_of_booleans": state(text("e.weight"), symbol("torch._utils._rebuild_tensor_v2") + group(
        storage(), number(0), group(b"\x88", b"\x88"), group(b"\x88", b"\x88"), b"\x89", ORDERED_DICT) + b"R"),
    "tensor_of_a_storage_type": state(text("e.weight"), tensor(symbol("torch.FloatStorage"))),
    "tensor_without_arguments": state(text("e.weight"), symbol("torch._utils._rebuild_tensor_v2") + b")R"),
    "tensor_with_hooks": state(text("e.weight"), tensor(hooks=b"}" + text("x") + symbol("os.system") + b"s")),
    "tensor_with_known_hooks": state(text("e.weight"), tensor(hooks=b"}" + text("x") + b"K\1s")),
    "parameter_of_no_tensor": state(text("e.weight"), symbol("torch._utils._rebuild_parameter") + group(
        text("x"), b"\x88", ORDERED_DICT) + b"R"),
    "tensor_of_a_type_with_a_function": state(text("e.weight"), symbol("torch._tensor._rebuild_from_type_v2") + group(
        symbol("os.system"), symbol("os.system"), COMMAND, b"}") + b"R"),
    "name_that_leads_out": state(text("../../e.weight"), tensor()),
    "name_that_is_absolute": state(text("/etc/passwd.weight"), tensor()),
    "name_of_escapes": state(text("\x1b[2J.weight"), tensor()),
    "name_without_end": state(text("e" * 60_000 + ".weight"), tensor()),
    "name_that_is_a_number": state(number(7), tensor()),
    "a_dictionary_as_a_weight": state(text("e.weight"), b"}"),
    "no_state_dict": b"\x80\x02" + tensor() + b".",
    "layers_without_end": state(*(part for i in range(1000) for name in ("ih_l0", "hh_l0", "ih_l9999")
                                  for part in (text(f"r{i}.weight_{name}"), tensor()))),
}


def _enter(name: str, pkl: bytes) -> None:
    def make(path: Path, suffix: str) -> Path:
        return write(path, members(pkl))
    make.__name__ = name
    fault(*SUFFIXES)(make)


for _name, _pkl in PICKLES.items():
    _enter(_name, _pkl)
