"""What HDF5 stores a chunk through, undone here: no filter of the library ever runs.

The library would let a deflated chunk grow without end, and would look on disk for shared
libraries that undo what it does not know.

References
----------
HDF5 File Format Specification 3.0, IV.A.2.l; Marc Lehmann's LZF; Fletcher, "An Arithmetic
Checksum for Serial Transmissions", IEEE Trans. Commun. 30(1), 1982.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.errors import WeightsError

DEFLATE, SHUFFLE, FLETCHER32, LZF = 1, 2, 3, 32000  # numbers of the HDF Group's registry
CHECKSUM = 4  # bytes that fletcher32 adds
SUMMED = 1 << 15  # words at a time: their products, added, stay below 2**63
MODULUS = 65535
LITERAL = 32  # LZF's codes below it copy so many bytes and one


@dataclass(frozen=True, slots=True)
class Filter:
    """One step of a dataset's pipeline."""

    code: int
    options: tuple[int, ...]


def is_known(step: Filter) -> bool:
    """Whether `restored` can undo the step."""
    return step.code in UNDO


def restored(data: bytes, steps: Sequence[Filter], mask: int, size: int) -> bytes:
    """The bytes of a chunk before the steps were taken.

    Parameters
    ----------
    data
        As stored.
    steps
        In the order in which they were taken; each is known.
    mask
        Has bit i set where step i was left out for this chunk.
    size
        Bytes the chunk has without steps; nothing longer is ever made.

    Raises
    ------
    WeightsError
        If the result has another size, or a step's own format or checksum is violated.
    """
    most = size + CHECKSUM * len(steps)
    for position in reversed(range(len(steps))):
        if not mask >> position & 1:
            step = steps[position]
            data = UNDO[step.code](data, step, most)
    if len(data) != size:
        raise WeightsError(f"a chunk holds {len(data)} bytes, expected {size}; it is damaged")
    return data


def _inflated(data: bytes, _step: Filter, most: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, most)
    except zlib.error as error:
        raise WeightsError(f"a chunk cannot be inflated: {error}") from error
    if not stream.eof:
        raise WeightsError(f"a chunk is cut off, or inflates to more than the {most} bytes it has")
    return found


def _unshuffled(data: bytes, step: Filter, _most: int) -> bytes:
    """First the first bytes of all values were stored, then the second ones, and so on."""
    size = step.options[0] if step.options else 1
    count = len(data) // size if size else 0
    if count < 2 or size < 2:
        return data
    planes = np.frombuffer(data, np.uint8, count * size).reshape(size, count)
    return planes.T.tobytes() + data[count * size :]


def _checked(data: bytes, _step: Filter, _most: int) -> bytes:
    body, stated = data[:-CHECKSUM], data[-CHECKSUM:]
    halves = (int.from_bytes(stated[2:], "little"), int.from_bytes(stated[:2], "little"))
    if tuple(half % MODULUS for half in halves) != _fletcher32(body):
        raise WeightsError("a chunk has not the checksum stored with it; it is damaged")
    return body


def _fletcher32(data: bytes) -> tuple[int, int]:
    """Sum of sums and sum of big-endian words, modulo 65535."""
    words = np.frombuffer(data + bytes(len(data) % 2), ">u2").astype(np.int64)
    total = weighted = 0
    for start in range(0, len(words), SUMMED):
        part = words[start : start + SUMMED]
        later = np.arange(len(part), 0, -1)  # how often each word is added again
        weighted = (weighted + len(part) * total + int(part @ later)) % MODULUS
        total = (total + int(part.sum())) % MODULUS
    return weighted, total


def _unpacked(data: bytes, _step: Filter, most: int) -> bytes:
    """What LZF stored: runs of bytes, and references to bytes already there."""
    found, at = bytearray(), 0
    try:
        while at < len(data) and len(found) <= most:
            code = data[at]
            at += 1
            if code < LITERAL:
                found += data[at : at + code + 1]
                at += code + 1
            else:
                at = _repeat(found, data, code, at)
    except IndexError as error:
        raise WeightsError("a chunk packed by LZF is cut off") from error
    return bytes(found)


def _repeat(found: bytearray, data: bytes, code: int, at: int) -> int:
    """Copy what is there already; the place behind the reference."""
    length = code >> 5
    if length == 7:
        length += data[at]
        at += 1
    back = ((code & 0x1F) << 8) + data[at] + 1
    if back > len(found):
        raise WeightsError("a chunk packed by LZF refers to bytes before its start")
    seen = bytes(found[-back:])[: length + 2]
    found += (seen * ((length + 2) // len(seen) + 1))[: length + 2]  # it may overlap its copy
    return at + 1


UNDO: dict[int, Callable[[bytes, Filter, int], bytes]] = {
    DEFLATE: _inflated,
    SHUFFLE: _unshuffled,
    FLETCHER32: _checked,
    LZF: _unpacked,
}
