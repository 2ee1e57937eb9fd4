"""The header of a NumPy array: element type, order and shape, as ``numpy.save`` writes them.

References
----------
https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import re
from dataclasses import dataclass

from auditor.errors import WeightsError
from auditor.weights.tensors import NATIVE, whole_numbers

MAGIC = b"\x93NUMPY"
LENGTHS = {1: 2, 2: 4, 3: 4}  # version -> bytes that state how long the header is
TEXT_LIMIT = 10_000  # characters, NumPy's own limit
HEAD_LIMIT = len(MAGIC) + 2 + 4 + TEXT_LIMIT  # bytes before the values
DTYPES = {code[1:]: name for name, code in NATIVE.items()}
CODE = re.compile(r"([<>|=]?)([A-Za-z])([0-9]*)")
OBJECTS = re.compile(r"'[<>|=]?O[0-9]*'")  # in the text of a structured type
OBJECT = "an object array is a pickle, which is never loaded; save plain arrays of numbers"
UNREADABLE = {  # kind of element -> why it is not read
    "O": OBJECT,
    "S": "it holds text",
    "U": "it holds text",
    "V": "it holds bytes of no stated type, as NumPy writes bfloat16; save it as float32",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the values of an array."""

    dtype: str  # as tensors name it, or NumPy's code where it has no such name
    shape: tuple[int, ...]
    length: int  # bytes before the values
    fortran: bool = False  # the first axis is the fastest
    swapped: bool = False  # big-endian
    reason: str = ""  # why its values are not read; empty where they are
    pickled: bool = False  # its values are a pickle


def parse(head: bytes) -> Header:
    """The header of an array.

    Parameters
    ----------
    head
        The first bytes of its file: `HEAD_LIMIT` of them, or all where there are fewer.

    Raises
    ------
    WeightsError
        If it is cut off, too long, of an unknown version, or does not say what it must.
    """
    version = head[6] if head.startswith(MAGIC) and len(head) > 12 else 0
    if version not in LENGTHS:
        raise WeightsError(
            f"begins with {head[:8]!r}; expected a NumPy array of version 1 to 3, save it again"
        )
    begin = 8 + LENGTHS[version]
    length = int.from_bytes(head[8:begin], "little")
    if length > TEXT_LIMIT or begin + length > len(head):
        raise WeightsError(
            f"states a header of {length} bytes; expected at most {TEXT_LIMIT}, all in the file"
        )
    fields = _fields(head[begin : begin + length], "utf-8" if version > 2 else "latin-1")
    shape = whole_numbers(fields["shape"], "the shape of a NumPy array")
    fortran = fields["fortran_order"]
    if not isinstance(fortran, bool):
        raise WeightsError("its NumPy header has a fortran_order that is no truth value")
    return _described(fields["descr"], shape, begin + length, fortran=fortran)


def _fields(text: bytes, encoding: str) -> dict[str, object]:
    """What the header says: a dict in the words of Python, of which no code is run."""
    doing = f"its NumPy header is damaged: {text[:60]!r}; expected descr, fortran_order and shape"
    try:
        plain = re.sub(r"(\d)L\b", r"\1", text.decode(encoding))  # numbers as Python 2 wrote them
        fields = ast.literal_eval(plain.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise WeightsError(doing) from error
    if not isinstance(fields, dict) or set(fields) != {"descr", "fortran_order", "shape"}:
        raise WeightsError(doing)
    return fields


def _described(descr: object, shape: tuple[int, ...], length: int, *, fortran: bool) -> Header:
    """The header for an element type, which is never handed to NumPy to be understood."""
    found = CODE.fullmatch(descr) if isinstance(descr, str) else None
    if found is None:
        pickled = bool(OBJECTS.search(repr(descr)))
        reason = OBJECT if pickled else "it is a structured array, no plain numbers"
        return Header("structured", shape, length, reason=reason, pickled=pickled)
    order, kind, size = found.groups()
    dtype = DTYPES.get(kind + size)
    if dtype is None:
        code = f"{kind}{size}"[:50]
        reason = UNREADABLE.get(kind, f"no reader for element type NumPy {code}")
        return Header(code, shape, length, reason=reason, pickled=kind == "O")
    return Header(dtype, shape, length, fortran, swapped=order == ">")
