# SPDX-License-Identifier: Apache-2.0
"""A reader of pickles that can make plain values, and nothing else.

A pickle is a program for a small stack machine (the standard library's `pickletools` describes it). This one knows the
operations that plain values and tensors need, and refuses every other one. A name in a pickle becomes a `Symbol`, a
text: nothing is imported. Only symbols of the caller's closed table can be applied, which calls the caller's function.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from fastrnn.saving.errors import MAX_COUNT, MAX_DEPTH, MAX_NAME, ModelFileError, shown

#: What some 3500 tensors take; the work and the memory of a pickle are in proportion to it.
MAX_OPERATIONS = 120_000
#: What to do about a file that has more than tensors.
WAY_OUT = "save the tensors alone: torch.save(model.state_dict(), path)"
#: Bytes of a text.
_MAX_STRING = 1 << 16

_REFUSED = {b"i": "INST", b"o": "OBJ", b"\x81": "NEWOBJ", b"\x92": "NEWOBJ_EX", b"\x82": "EXT1", b"\x83": "EXT2",
            b"\x84": "EXT4"}


class Symbol(NamedTuple):
    """A name of the closed table, as "module name"."""

    name: str


class Refusal(Exception):
    """What is wrong with a pickle; the caller knows in which file."""


def kind_of(value: Any) -> str:
    """What a value is, for errors; of containers no more than that: they can be without end when they are written out.

    >>> kind_of({"a": 1}), kind_of(3)
    ('a dict', '3')
    """
    plain = isinstance(value, (str, int, float)) or value is None
    if isinstance(value, Symbol):
        return shown(value.name)
    return shown(value) if plain else f"a {type(value).__name__.strip('_').lower()}"


def load(data: bytes | memoryview, file: str, place: str, symbols: Collection[str],
         functions: Mapping[str, Callable[..., Any]], persistent: Callable[[Any], Any]) -> Any:
    """The value that a pickle describes.

    Args:
        data: the pickle.
        file, place: where it is from, for errors.
        symbols: the names, as "module name", that it may have.
        functions: by some of these names, what is called where the pickle applies the name to arguments; they get
            what the pickle says and raise `Refusal` for what they do not take.
        persistent: called with the identifier of an object that is kept outside of the pickle.

    Raises:
        ModelFileError: it is broken or too long, uses another operation, or has another name.

    Example:

    >>> import pickle
    >>> load(pickle.dumps({"a": (1, 2.5, None)}), "m.pt", "data.pkl", (), {}, print)
    {'a': (1, 2.5, None)}
    """
    machine = _Machine(data, symbols, functions, persistent)
    try:
        return machine.run()
    except Refusal as refusal:
        raise ModelFileError(file, f"{place}, byte {machine.at}", str(refusal)) from None


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
                raise Refusal(f"operation {code!r} ({name}) is not one of the few that tensors need; {WAY_OUT}")
            operation(self)
            if len(stack) > MAX_COUNT or len(marks) > MAX_DEPTH:
                raise Refusal(f"expected at most {MAX_COUNT} values on the stack and {MAX_DEPTH} open groups")
        raise Refusal(f"expected at most {MAX_OPERATIONS} operations")

    def _result(self) -> Any:
        if len(self._stack) != 1 or self._marks or self.at != len(self._data):
            raise Refusal("expected one value and nothing behind it")
        return self._stack[0]

    # bytes and stack -----------------------------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        start = self.at
        self.at = end = start + count
        if end > len(self._data):
            raise Refusal("the pickle is cut off or broken")
        return self._data[start:end]

    def _number(self, form: str) -> Any:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return number

    def _text(self, length: int) -> str:
        if length > _MAX_STRING:
            raise Refusal(f"expected texts of at most {_MAX_STRING} bytes, got {length}")
        try:
            return str(self._take(length), "utf-8")
        except UnicodeDecodeError:
            raise Refusal("a text is not UTF-8") from None

    def _line(self) -> str:
        found = self._data[self.at:self.at + MAX_NAME + 1].find(b"\n")
        if found < 0:
            raise Refusal(f"expected a name of at most {MAX_NAME} bytes")
        text = self._text(found)
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

    def _long(self) -> None:
        length = self._number("B")
        if length > 8:
            raise Refusal(f"expected whole numbers of at most 8 bytes, got {length}")
        self._push(int.from_bytes(self._take(length), "little", signed=True))

    def _append(self, items: list[Any]) -> None:
        self._need(1)
        target = self._stack[-1]
        if type(target) is not list:
            raise Refusal(f"only lists can be appended to, not {kind_of(target)}")
        target.extend(items)

    def _set_items(self, items: list[Any]) -> None:
        self._need(1)
        target = self._stack[-1]
        if type(target) is not dict:
            raise Refusal(f"only dictionaries have items that can be set, not {kind_of(target)}")
        if len(items) % 2:
            raise Refusal("a key has no value")
        for key, value in zip(items[::2], items[1::2]):
            if type(key) not in (str, int):
                raise Refusal(f"expected keys that are texts or whole numbers, got {kind_of(key)}")
            if key in target:
                raise Refusal(f"a dictionary has the key {shown(key)} twice")
            target[key] = value

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
        if type(module) is not str or type(name) is not str or f"{module} {name}" not in self._symbols:
            what = f"{module}.{name}" if type(module) is type(name) is str else "something that is no name"
            raise Refusal(f"it names {shown(what)}, which is not one of the few names that tensors need, and nothing "
                          f"that a file names is imported or called; {WAY_OUT}")
        self._push(Symbol(f"{module} {name}"))

    def _stack_symbol(self) -> None:
        name, module = self._pop(), self._pop()
        self._symbol(module, name)

    def _apply(self) -> None:
        arguments, symbol = self._pop(), self._pop()
        if type(symbol) is not Symbol or symbol.name not in self._functions or type(arguments) is not tuple:
            raise Refusal(f"{kind_of(symbol)} cannot be applied to {kind_of(arguments)}; {WAY_OUT}")
        self._push(self._functions[symbol.name](*arguments))

    def _set_attributes(self) -> None:
        """A state dict's attribute `_metadata`, versions of modules, which nothing here needs; no other one."""
        state, target = self._pop(), self._stack[-1] if self._stack else None
        if type(target) is not dict or type(state) is not dict or state.keys() - {"_metadata"}:
            raise Refusal(f"attributes of {kind_of(target)} cannot be set; {WAY_OUT}")

    def _stored_outside(self) -> None:
        self._push(self._persistent(self._pop()))


_OPERATIONS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine._protocol,                                    # PROTO
    b"\x95": lambda m: (m._take(8), None)[1],                       # FRAME: a hint for buffers
    b"N": lambda m: m._push(None),                                  # NONE
    b"\x88": lambda m: m._push(True),                               # NEWTRUE
    b"\x89": lambda m: m._push(False),                              # NEWFALSE
    b"J": lambda m: m._push(m._number("<i")),                       # BININT
    b"K": lambda m: m._push(m._number("B")),                        # BININT1
    b"M": lambda m: m._push(m._number("<H")),                       # BININT2
    b"\x8a": _Machine._long,                                        # LONG1
    b"G": lambda m: m._push(m._number(">d")),                       # BINFLOAT
    b"X": lambda m: m._push(m._text(m._number("<I"))),              # BINUNICODE
    b"\x8c": lambda m: m._push(m._text(m._number("B"))),            # SHORT_BINUNICODE
    b"(": _Machine._mark,                                           # MARK
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
    b"q": lambda m: m._put(m._number("B")),                         # BINPUT
    b"r": lambda m: m._put(m._number("<I")),                        # LONG_BINPUT
    b"\x94": lambda m: m._put(len(m._memo)),                        # MEMOIZE
    b"h": lambda m: m._get(m._number("B")),                         # BINGET
    b"j": lambda m: m._get(m._number("<I")),                        # LONG_BINGET
    b"c": lambda m: m._symbol(m._line(), m._line()),                # GLOBAL
    b"\x93": _Machine._stack_symbol,                                # STACK_GLOBAL
    b"R": _Machine._apply,                                          # REDUCE
    b"b": _Machine._set_attributes,                                 # BUILD
    b"Q": _Machine._stored_outside,                                 # BINPERSID
}
