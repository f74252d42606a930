# SPDX-License-Identifier: Apache-2.0
"""A reader of pickles that can make plain values, and nothing else.

A pickle is a program for a small stack machine (the standard library's `pickletools` describes it). A name in a pickle
is a text here: nothing is imported. A name of the caller's closed table becomes a `Symbol`, and only symbols can be
applied, which calls the caller's function. Whatever else a pickle has, objects of any class, sets, bytes, becomes an
`Opaque`, which holds nothing: what it was to be made of is dropped.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from fastrnn.saving.errors import MAX_COUNT, MAX_DEPTH, MAX_NAME, ModelFileError
from fastrnn.saving.torch.pickle_values import WAY_OUT, Opaque, Refusal, Symbol, fill, kind_of

#: What some 3500 tensors take; the work and the memory of a pickle are in proportion to it.
MAX_OPERATIONS = 120_000
#: Bytes of a text.
_MAX_STRING = 1 << 16

_REFUSED = {b"i": "INST", b"o": "OBJ", b"\x82": "EXT1", b"\x83": "EXT2", b"\x84": "EXT4"}


def _nothing_outside(identifier: Any) -> Any:
    raise Refusal("expected nothing that is kept outside of the pickle")


def load(data: bytes | memoryview, file: str, place: str, symbols: Collection[str],
         functions: Mapping[str, Callable[..., Any]], persistent: Callable[[Any], Any]) -> Any:
    """The value that a pickle describes.

    Args:
        data: the pickle.
        file, place: where it is from, for errors.
        symbols: the names, as "module name", that stand for something; any other one is of an `Opaque`.
        functions: by some of these names, what is called where the pickle applies the name to arguments; they get
            what the pickle says, but for an `Opaque`, and raise `Refusal` for what they do not take.
        persistent: called with the identifier of an object that is kept outside of the pickle.

    Raises:
        ModelFileError: it is broken or too long, or uses an operation that no protocol from 2 on has.

    Example:

    >>> import pickle
    >>> load(pickle.dumps({"a": (1, 2.5, None)}), "m.pt", "data.pkl", (), {}, print)
    {'a': (1, 2.5, None)}
    """
    value, end = load_first(data, file, place, symbols, functions, persistent)
    if end != len(data):
        raise ModelFileError(file, f"{place}, byte {end}", "expected one value and nothing behind it")
    return value


def load_first(data: bytes | memoryview, file: str, place: str, symbols: Collection[str] = (),
               functions: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
               persistent: Callable[[Any], Any] = _nothing_outside) -> tuple[Any, int]:
    """As `load`, of a pickle with something behind it: the value, and where the pickle ends.

    >>> import pickle
    >>> load_first(pickle.dumps("a", 2) + b"...", "m.pt", "")
    ('a', 11)
    """
    machine = _Machine(data, symbols, functions, persistent)
    try:
        return machine.run(), machine.at
    except Refusal as refusal:
        raise ModelFileError(file, ", ".join(filter(None, [place, f"byte {machine.at}"])), str(refusal)) from None


class _Machine:
    def __init__(self, data: bytes | memoryview, symbols: Collection[str],
                 functions: Mapping[str, Callable[..., Any]], persistent: Callable[[Any], Any]) -> None:
        self.at = 0
        self._data = bytes(data)
        self._symbols, self._functions, self._persistent = symbols, functions, persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []     # heights of the stack
        self._memo: list[Any] = []

    def run(self) -> Any:
        stack, marks = self._stack, self._marks
        for _ in range(MAX_OPERATIONS):
            code = self._data[self.at:self.at + 1]
            self.at += 1
            if code == b".":
                return self._result()
            operation = _OPERATIONS.get(code)
            if operation is None:
                if not code:
                    raise Refusal("the pickle is cut off or broken")
                name = _REFUSED.get(code, "another one")
                raise Refusal(f"operation {code!r} ({name}) is not one of those that are known; {WAY_OUT}")
            operation(self)
            if len(stack) > MAX_COUNT or len(marks) > MAX_DEPTH:
                raise Refusal(f"expected at most {MAX_COUNT} values on the stack and {MAX_DEPTH} open groups")
        raise Refusal(f"expected at most {MAX_OPERATIONS} operations")

    def _result(self) -> Any:
        if len(self._stack) != 1 or self._marks:
            raise Refusal("expected one value")
        return self._stack[0]

    # bytes and stack -----------------------------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        start = self.at
        self._skip(count)
        return self._data[start:self.at]

    def _skip(self, count: int) -> None:
        self.at += count
        if count < 0 or self.at > len(self._data):
            raise Refusal("the pickle is cut off or broken")

    def _number(self, form: str) -> Any:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return number

    def _decoded(self, length: int) -> str:
        try:
            return str(self._take(length), "utf-8")
        except UnicodeDecodeError:
            raise Refusal("a text is not UTF-8") from None

    def _line(self) -> str:
        found = self._data[self.at:self.at + MAX_NAME + 1].find(b"\n")
        if found < 0:
            raise Refusal(f"expected a name of at most {MAX_NAME} bytes")
        text = self._decoded(found)
        self.at += 1
        return text

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        self._need(1)
        return self._stack.pop()

    def _need(self, count: int) -> None:
        """There are so many values above the last mark."""
        if len(self._stack) - (self._marks[-1] if self._marks else 0) < count:
            raise Refusal("the stack has too few values; the pickle is broken")

    def _pop_group(self) -> list[Any]:
        """The values above the last mark, which goes with them."""
        if not self._marks:
            raise Refusal("the stack has no mark; the pickle is broken")
        start = self._marks.pop()
        group = self._stack[start:]
        del self._stack[start:]
        return group

    # operations ----------------------------------------------------------------------------------------------------

    def _protocol(self) -> None:
        version = self._number("B")
        if not 2 <= version <= 5:
            raise Refusal(f"expected pickle protocol 2 to 5, got {version}")

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _tuple(self, count: int) -> None:
        self._need(count)
        items = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._push(items)

    def _text(self, length: int) -> None:
        if length > _MAX_STRING:
            self._skipped(length, "a long text")
        else:
            self._push(self._decoded(length))

    def _old_text(self, length: int) -> None:
        """A text of Python 2, which can as well be bytes."""
        start = self.at
        try:
            self._text(length)
        except Refusal:
            self.at = start
            self._skipped(length, "bytes")

    def _skipped(self, length: int, kind: str) -> None:
        self._skip(length)
        self._push(Opaque(kind))

    def _long(self, form: str) -> None:
        length = self._number(form)
        if length > 8:
            self._skipped(length, "a large whole number")
        else:
            self._push(int.from_bytes(self._take(length), "little", signed=True))

    def _append(self, items: list[Any]) -> None:
        self._need(1)
        target = self._stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is not Opaque:
            raise Refusal(f"only lists can be appended to, not {kind_of(target)}")

    def _set_items(self, items: list[Any]) -> None:
        self._need(1)
        target = self._stack[-1]
        if len(items) % 2:
            raise Refusal("a key has no value")
        if type(target) is dict:
            fill(target, zip(items[::2], items[1::2]))
        elif type(target) is not Opaque:
            raise Refusal(f"only dictionaries have items that can be set, not {kind_of(target)}")

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def _put(self, index: int) -> None:
        self._need(1)
        if index < len(self._memo):
            self._memo[index] = self._stack[-1]
        elif index == len(self._memo):      # pickles number what they remember
            self._memo.append(self._stack[-1])
        else:
            raise Refusal(f"expected memo {len(self._memo)} next, got {index}")

    def _get(self, index: int) -> None:
        if index >= len(self._memo):
            raise Refusal(f"there is no memo {index}; the pickle is broken")
        self._push(self._memo[index])

    def _symbol(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise Refusal(f"expected a name, got {kind_of(module)} and {kind_of(name)}")
        symbol = f"{module} {name}"
        self._push(Symbol(symbol) if symbol in self._symbols else Opaque(f"{module}.{name}"[:MAX_NAME]))

    def _stack_symbol(self) -> None:
        name, module = self._pop(), self._pop()
        self._symbol(module, name)

    def _apply(self) -> None:
        arguments, symbol = self._pop(), self._pop()
        if type(symbol) is Opaque:
            self._push(Opaque(symbol.kind))
        elif type(symbol) is not Symbol or symbol.name not in self._functions or type(arguments) is not tuple:
            raise Refusal(f"{kind_of(symbol)} cannot be applied to {kind_of(arguments)}; {WAY_OUT}")
        elif any(type(argument) is Opaque for argument in arguments):
            self._push(Opaque(symbol.name.replace(" ", ".")))
        else:
            self._push(self._functions[symbol.name](*arguments))

    def _new(self, arguments: int) -> None:
        """An object of a class, from so many values with arguments."""
        for _ in range(arguments):
            self._pop()
        made = self._pop()
        if type(made) is not Opaque:
            raise Refusal(f"no object is made of {kind_of(made)}; {WAY_OUT}")
        self._push(Opaque(made.kind))

    def _add(self, items: list[Any]) -> None:
        self._need(1)
        if type(self._stack[-1]) is not Opaque:
            raise Refusal(f"only sets can be added to, not {kind_of(self._stack[-1])}")

    def _set_attributes(self) -> None:
        """A state dict's attribute `_metadata`, versions of modules, which nothing here needs; no other one."""
        state, target = self._pop(), self._stack[-1] if self._stack else None
        if type(target) is Opaque:
            return
        if type(target) is not dict or type(state) is not dict or state.keys() - {"_metadata"}:
            raise Refusal(f"attributes of {kind_of(target)} cannot be set; {WAY_OUT}")

    def _stored_outside(self) -> None:
        self._push(self._persistent(self._pop()))


_OPERATIONS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine._protocol,                                    # PROTO
    b"\x95": lambda m: m._skip(8),                                  # FRAME: a hint for buffers
    b"N": lambda m: m._push(None),                                  # NONE
    b"\x88": lambda m: m._push(True),                               # NEWTRUE
    b"\x89": lambda m: m._push(False),                              # NEWFALSE
    b"J": lambda m: m._push(m._number("<i")),                       # BININT
    b"K": lambda m: m._push(m._number("B")),                        # BININT1
    b"M": lambda m: m._push(m._number("<H")),                       # BININT2
    b"\x8a": lambda m: m._long("B"),                                # LONG1
    b"\x8b": lambda m: m._long("<i"),                               # LONG4
    b"G": lambda m: m._push(m._number(">d")),                       # BINFLOAT
    b"X": lambda m: m._text(m._number("<I")),                       # BINUNICODE
    b"\x8c": lambda m: m._text(m._number("B")),                     # SHORT_BINUNICODE
    b"\x8d": lambda m: m._text(m._number("<Q")),                    # BINUNICODE8
    b"U": lambda m: m._old_text(m._number("B")),                    # SHORT_BINSTRING
    b"T": lambda m: m._old_text(m._number("<i")),                   # BINSTRING
    b"C": lambda m: m._skipped(m._number("B"), "bytes"),            # SHORT_BINBYTES
    b"B": lambda m: m._skipped(m._number("<I"), "bytes"),           # BINBYTES
    b"\x8e": lambda m: m._skipped(m._number("<Q"), "bytes"),        # BINBYTES8
    b"\x96": lambda m: m._skipped(m._number("<Q"), "bytearray"),    # BYTEARRAY8
    b"(": _Machine._mark,                                           # MARK
    b"0": lambda m: (m._pop(), None)[1],                            # POP
    b"1": lambda m: (m._pop_group(), None)[1],                      # POP_MARK
    b")": lambda m: m._push(()),                                    # EMPTY_TUPLE
    b"\x85": lambda m: m._tuple(1),                                 # TUPLE1
    b"\x86": lambda m: m._tuple(2),                                 # TUPLE2
    b"\x87": lambda m: m._tuple(3),                                 # TUPLE3
    b"t": lambda m: m._push(tuple(m._pop_group())),                 # TUPLE
    b"]": lambda m: m._push([]),                                    # EMPTY_LIST
    b"a": lambda m: m._append([m._pop()]),                          # APPEND
    b"e": lambda m: m._append(m._pop_group()),                      # APPENDS
    b"}": lambda m: m._push({}),                                    # EMPTY_DICT
    b"s": _Machine._set_item,                                       # SETITEM
    b"u": lambda m: m._set_items(m._pop_group()),                   # SETITEMS
    b"\x8f": lambda m: m._push(Opaque("set")),                      # EMPTY_SET
    b"\x90": lambda m: m._add(m._pop_group()),                      # ADDITEMS
    b"\x91": lambda m: m._push((m._pop_group(), Opaque("frozenset"))[1]),   # FROZENSET
    b"q": lambda m: m._put(m._number("B")),                         # BINPUT
    b"r": lambda m: m._put(m._number("<I")),                        # LONG_BINPUT
    b"\x94": lambda m: m._put(len(m._memo)),                        # MEMOIZE
    b"h": lambda m: m._get(m._number("B")),                         # BINGET
    b"j": lambda m: m._get(m._number("<I")),                        # LONG_BINGET
    b"c": lambda m: m._symbol(m._line(), m._line()),                # GLOBAL
    b"\x93": _Machine._stack_symbol,                                # STACK_GLOBAL
    b"R": _Machine._apply,                                          # REDUCE
    b"\x81": lambda m: m._new(1),                                   # NEWOBJ
    b"\x92": lambda m: m._new(2),                                   # NEWOBJ_EX
    b"b": _Machine._set_attributes,                                 # BUILD
    b"Q": _Machine._stored_outside,                                 # BINPERSID
}
