"""``.safetensors``: 8 bytes of length, a JSON header, then the values.

Read without the safetensors package, which wants a path, so that one tensor can be read out
of any seekable handle. As strict as its reference implementation: values lie in the file
without gap or overlap, and every size agrees with shape and element type.

References
----------
https://huggingface.co/docs/safetensors/index#format
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.tensors import Tensor, is_decodable, size_of, whole_numbers

OTHERS = (b"\x80", b"PK\x03\x04")  # what torch.save writes, and loads under any name
HEADER_LIMIT = 25_000_000  # bytes; the reference allows 100 MB, a shard of a large model needs one
VALUES_LIMIT = 1_000_000  # in one JSON text, some 100,000 tensors; each takes up to 300 bytes
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F6_E2M3": "float6_e2m3fn",
    "F6_E3M2": "float6_e3m2fn",
    "F4": "float4_e2m1fn",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of the header, checked."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int  # counted from the end of the header
    end: int


def read(file: Blob) -> Contents:
    """The tensors of one file, in the order of their bytes.

    Raises
    ------
    WeightsError
        If the header is not one, or does not agree with the file.
    """
    header, start = _header(file)
    entries = sorted(
        (_entry(name, fields) for name, fields in header.items() if name != "__metadata__"),
        key=lambda entry: (entry.begin, entry.end),
    )
    _must_cover(entries, file.size - start)
    return Contents(
        tensors=tuple(_tensor(file, e, start) for e in entries if is_decodable(e.dtype)),
        skipped=tuple(_skip(e) for e in entries if not is_decodable(e.dtype)),
    )


def _header(file: Blob) -> tuple[dict[str, Any], int]:
    """The JSON header and where the values start."""
    length = int.from_bytes(file.read(0, 8), "little") if file.size >= 8 else 0
    if not 2 <= length <= file.size - 8:
        raise WeightsError(
            f"states a header of {length} bytes in a file of {file.size}; "
            "it is cut off or no safetensors file"
        )
    if length > HEADER_LIMIT:
        raise WeightsError(
            f"has a header of {length:,} bytes, expected at most {HEADER_LIMIT:,}; "
            "save the model in several files"
        )
    header = parse_json(file.read(8, length), "header")
    if not isinstance(header, dict):
        raise WeightsError("its header is not a JSON object; it is no safetensors file")
    return header, 8 + length


def parse_json(text: bytes, what: str) -> object:
    """Parse JSON strictly: UTF-8, no name twice, no NaN, not more values than a model needs.

    Raises
    ------
    WeightsError
        If `text` is anything else; `what` names it in the message.
    """
    if sum(map(text.count, (b"{", b"[", b","))) > VALUES_LIMIT:
        raise WeightsError(
            f"its {what} has more than {VALUES_LIMIT:,} values, more than any model needs; "
            "save it in several files"
        )
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"its {what} is not valid JSON: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:200]!r} is there twice")
        found[name] = value
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _entry(name: str, fields: object) -> Entry:
    label = f"tensor {name[:200]!r}"
    if not isinstance(fields, dict) or not {"dtype", "shape", "data_offsets"} <= fields.keys():
        raise WeightsError(f"{label} has no dtype, shape and data_offsets")
    code = fields["dtype"] if isinstance(fields["dtype"], str) else "that is no text"
    dtype = DTYPES.get(code)
    if dtype is None:
        raise WeightsError(f"{label} has an unknown dtype {code[:50]!r}")
    shape = whole_numbers(fields["shape"], f"the shape of {label}")
    offsets = whole_numbers(fields["data_offsets"], f"the data_offsets of {label}")
    if len(offsets) != 2 or offsets[1] - offsets[0] != size_of(dtype, shape):
        raise WeightsError(
            f"{label} states the bytes {list(offsets)}, "
            f"but {dtype} of shape {list(shape)} takes {size_of(dtype, shape)} bytes"
        )
    return Entry(name, dtype, shape, *offsets)


def _must_cover(entries: Sequence[Entry], size: int) -> None:
    """Refuse gaps, overlaps and bytes that belong to no tensor."""
    expected = 0
    for entry in entries:
        if entry.begin != expected:
            raise WeightsError(
                f"tensor {entry.name[:200]!r} starts at byte {entry.begin} of the values, "
                f"expected {expected}: no gap or overlap is allowed"
            )
        expected = entry.end
    if expected != size:
        raise WeightsError(
            f"holds {size} bytes of values, but its header describes {expected}; "
            "it is cut off or something was appended"
        )


def _tensor(file: Blob, entry: Entry, start: int) -> Tensor:
    def bytes_of() -> bytes:
        return file.read(start + entry.begin, entry.end - entry.begin)

    return Tensor(entry.name, entry.shape, entry.dtype, file.name, bytes_of)


def _skip(entry: Entry) -> Skip:
    reason = f"unreadable: no reader for element type {entry.dtype}"
    return Skip(entry.name, entry.shape, reason, entry.dtype, read=False)


def _matches(file: Blob, head: bytes) -> bool:
    """By its header; by its name too, unless what it holds is a pickle or a zip archive."""
    if head[8:9] == b"{":
        return head[9:10] == b'"' or file.name.lower().endswith(".safetensors")
    return file.name.lower().endswith(".safetensors") and not head.startswith(OTHERS)


SAFETENSORS = Format("safetensors", _matches, read)
