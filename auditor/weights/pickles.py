"""A pickle machine that builds nothing: it imports no name, calls nothing, loads no class.

Opcodes are decoded by the standard library's `pickletools`, which executes none of them, and
replayed on a stack where every "import this and call it" becomes an inert `Node`. What a
tensor is, the readers of this room decide by looking at the nodes.

References
----------
Lib/pickletools.py of CPython describes every opcode and its effect on the stack.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from auditor.errors import WeightsError

SIZE_LIMIT = 32 << 20  # bytes of one pickle; the largest seen in a model is below 10 MiB
OPCODE_LIMIT = 1_500_000  # some 50,000 tensors, and a few seconds
NAMES_LIMIT = 10_000  # different things to import
MARK = object()


@dataclass(frozen=True, slots=True)
class Global:
    """A name the pickle asks to import."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """``module.name``."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    """Something the pickle wants built, and with what; dicts and sets are nodes, too.

    Nothing is ever hashed or compared: a nested tuple as a key could take forever.
    """

    maker: object  # a Global, or the Node that stands for a class made on the way
    args: object = ()
    items: list[tuple[object, object]] = field(default_factory=list)  # of a set: (element, None)
    states: list[object] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reference:
    """A persistent id: something that lies outside the pickle."""

    id: object


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Unpickled:
    """What a pickle says."""

    value: object
    globals: tuple[Global, ...]  # in the order they are first named
    references: tuple[Reference, ...] = ()
    problem: str = ""  # why it could not be replayed to its end


DICT = Global("builtins", "dict")
SET = Global("builtins", "set")


def unpickle(stream: BytesIO) -> Unpickled:
    """Replay one pickle; `stream` is left behind its end.

    Never raises: a pickle that makes no sense has a `problem`, and the names it asked for
    until then.
    """
    machine = _Machine()
    try:
        value = machine.run(stream)
    except WeightsError as error:
        return Unpickled(None, tuple(machine.names), problem=str(error))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        # what pickletools and a stack of the wrong things raise on bytes that are no pickle
        problem = f"its pickle is damaged: {error}"[:300]
        return Unpickled(None, tuple(machine.names), problem=problem)
    return Unpickled(value, tuple(machine.names), tuple(machine.references))


class _Machine:
    """Stack, memo and the names asked for."""

    def __init__(self) -> None:
        self.names: dict[Global, None] = {}  # an ordered set
        self.references: list[Reference] = []
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def run(self, stream: BytesIO) -> object:
        for count, (opcode, arg, _) in enumerate(pickletools.genops(stream)):
            if count > OPCODE_LIMIT:
                raise WeightsError(f"its pickle has more than {OPCODE_LIMIT} instructions")
            if opcode.name == "STOP":
                return self._stack.pop()
            if opcode.name in LITERALS:
                self.push(LITERALS[opcode.name] if arg is None else arg)
            elif opcode.name not in IGNORED:
                EFFECTS[opcode.name](self, arg)
        raise WeightsError("its pickle has no end")

    def marked(self) -> list[object]:
        """Take everything above the last mark off the stack, and the mark."""
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] is MARK:
                taken = self._stack[index + 1 :]
                del self._stack[index:]
                return taken
        raise WeightsError("its pickle is damaged: no mark on the stack")

    def named(self, module: object, name: object) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            raise WeightsError("its pickle is damaged: a name to import is no text")
        found = Global(module, name)
        self.names.setdefault(found)
        if len(self.names) > NAMES_LIMIT:
            raise WeightsError(f"its pickle names more than {NAMES_LIMIT} things to import")
        return found

    def push(self, value: object) -> None:
        self._stack.append(value)

    def refer(self, persistent_id: object) -> None:
        self.references.append(Reference(persistent_id))
        self.push(self.references[-1])

    def pop(self) -> object:
        return self._stack.pop()

    @property
    def top(self) -> object:
        return self._stack[-1]

    def put(self, index: int | None) -> None:
        self._memo[len(self._memo) if index is None else index] = self.top

    def get(self, index: int) -> None:
        self.push(self._memo[index])


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    def build(m: _Machine, _arg: object) -> None:
        taken = [m.pop() for _ in range(count)]
        m.push(tuple(reversed(taken)))

    return build


def _pairs(values: list[object]) -> list[tuple[object, object]]:
    return list(zip(values[::2], values[1::2], strict=True))


def _append(target: object, values: list[object]) -> None:
    """What ``append`` does to a list, a set or an inert thing."""
    if isinstance(target, list):
        target.extend(values)
    elif isinstance(target, Node):
        target.items.extend((value, None) for value in values)
    else:
        raise WeightsError("its pickle is damaged: it appends to something that is no list")


def _set_items(m: _Machine, values: list[object]) -> None:
    if not isinstance(m.top, Node):
        raise WeightsError("its pickle is damaged: it sets an item of something that is no dict")
    m.top.items.extend(_pairs(values))


def _set_item(m: _Machine, _arg: object) -> None:
    value, key = m.pop(), m.pop()
    _set_items(m, [key, value])


def _append_one(m: _Machine, _arg: object) -> None:
    value = m.pop()
    _append(m.top, [value])


def _append_many(m: _Machine, _arg: object) -> None:
    values = m.marked()
    _append(m.top, values)


def _set_many(m: _Machine, _arg: object) -> None:
    values = m.marked()
    _set_items(m, values)


def _frozenset(m: _Machine, _arg: object) -> None:
    m.push(Node(SET, items=[(value, None) for value in m.marked()]))


def _pop_mark(m: _Machine, _arg: object) -> None:
    m.marked()


def _global(m: _Machine, arg: str) -> None:
    module, _, name = arg.partition(" ")
    m.push(m.named(module, name))


def _stack_global(m: _Machine, _arg: object) -> None:
    name, module = m.pop(), m.pop()
    m.push(m.named(module, name))


def _extension(m: _Machine, arg: int) -> None:
    m.push(m.named("copyreg", f"extension_{arg}"))


def _reduce(m: _Machine, _arg: object) -> None:
    args, maker = m.pop(), m.pop()
    m.push(Node(maker, args))


def _newobj_ex(m: _Machine, _arg: object) -> None:
    _keywords, args, maker = m.pop(), m.pop(), m.pop()
    m.push(Node(maker, args))


def _inst(m: _Machine, arg: str) -> None:
    args = tuple(m.marked())
    module, _, name = arg.partition(" ")
    m.push(Node(m.named(module, name), args))


def _obj(m: _Machine, _arg: object) -> None:
    maker, *args = m.marked()
    m.push(Node(maker, tuple(args)))


def _build(m: _Machine, _arg: object) -> None:
    state = m.pop()
    if isinstance(m.top, Node):
        m.top.states.append(state)


LITERALS: Mapping[str, object] = {  # the value stands in the pickle, or here
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4")),
    **dict.fromkeys(("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING")),
    **dict.fromkeys(("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8")),
    **{"NONE": None, "NEWTRUE": True, "NEWFALSE": False},
}
IGNORED = frozenset({"PROTO", "FRAME", "READONLY_BUFFER"})
EFFECTS: Mapping[str, Callable[[_Machine, Any], object]] = {
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_DICT": lambda m, _: m.push(Node(DICT)),
    "EMPTY_SET": lambda m, _: m.push(Node(SET)),
    "MARK": lambda m, _: m.push(MARK),
    "POP": lambda m, _: m.pop(),
    "POP_MARK": _pop_mark,
    "DUP": lambda m, _: m.push(m.top),
    "LIST": lambda m, _: m.push(m.marked()),
    "TUPLE": lambda m, _: m.push(tuple(m.marked())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "DICT": lambda m, _: m.push(Node(DICT, items=_pairs(m.marked()))),
    "FROZENSET": _frozenset,
    "APPEND": _append_one,
    "APPENDS": _append_many,
    "ADDITEMS": _append_many,
    "SETITEM": _set_item,
    "SETITEMS": _set_many,
    "GET": lambda m, arg: m.get(arg),
    "BINGET": lambda m, arg: m.get(arg),
    "LONG_BINGET": lambda m, arg: m.get(arg),
    "PUT": lambda m, arg: m.put(arg),
    "BINPUT": lambda m, arg: m.put(arg),
    "LONG_BINPUT": lambda m, arg: m.put(arg),
    "MEMOIZE": lambda m, _: m.put(None),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "EXT1": _extension,
    "EXT2": _extension,
    "EXT4": _extension,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _newobj_ex,
    "INST": _inst,
    "OBJ": _obj,
    "BUILD": _build,
    "PERSID": lambda m, arg: m.refer(arg),
    "BINPERSID": lambda m, _: m.refer(m.pop()),
    "NEXT_BUFFER": lambda m, _: m.refer("buffer"),
}
