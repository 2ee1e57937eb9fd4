"""``.gguf``: what llama.cpp runs; quantised weights are read as the values they stand for.

Values are laid out by ggml with the fastest axis named first, so that its sides read backwards
are PyTorch's: a linear layer is (out, in), an embedding (vocabulary, dim), the experts of a
block one stack (experts, out, in).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.gguf_blocks import BLOCK_TYPES, can_dequantise, dequantised
from auditor.weights.gguf_header import MAGIC, Entry, Header, parse
from auditor.weights.gguf_names import turns
from auditor.weights.tensors import Bytes, Tensor, size_of

BEFORE_GGUF = (b"lmgg", b"fmgg", b"tjgg", b"algg")  # ggml, ggmf, ggjt, ggla: until August 2023
FLOAT32 = BLOCK_TYPES[0]
IMATRIX = "imatrix"  # ``general.type`` of a file of activations, made to quantise a model by


def read(file: Blob) -> Contents:
    """The tensors of one file, in the order of their bytes.

    Raises
    ------
    WeightsError
        If the header is not one, or does not agree with the file.
    """
    if file.head().startswith(BEFORE_GGUF):
        raise WeightsError(
            "is a ggml file from before GGUF, which is not read here; "
            "convert the model again with today's llama.cpp"
        )
    header = parse(file)
    if header.purpose == IMATRIX:
        reason = "statistics to quantise a model by, no weights"
        return Contents(skipped=(Skip(file.name, (), reason, read=False),))
    entries = sorted(header.entries, key=lambda entry: (entry.offset, _stored(entry)))
    _must_lie_apart(entries, header, file.size)
    scales = {entry.name: entry for entry in entries if entry.name.endswith(".scale")}
    tensors, skipped = [], []
    for entry in entries:
        if reason := _unreadable(entry):
            skipped.append(Skip(entry.name, entry.shape, reason, _label(entry), read=False))
        else:
            tensor = _tensor(file, entry, header.start, scales)
            heads = header.heads.get(turns(entry.name), 0)
            tensors.append(replace(tensor, heads=heads))
    return Contents(tuple(tensors), tuple(skipped))


def _must_lie_apart(entries: Sequence[Entry], header: Header, size: int) -> None:
    """Refuse values that overlap, lie outside the file, or start anywhere but aligned."""
    end = header.start
    for entry in entries:
        begin = header.start + entry.offset
        label = f"tensor {entry.name[:200]!r}"
        if entry.offset % header.alignment or begin < end:
            raise WeightsError(
                f"{label} starts at byte {begin}, where another one ends at {end} and all start "
                f"at multiples of {header.alignment}; it is damaged, fetch it again"
            )
        end = begin + _stored(entry)
        if end > size:
            raise WeightsError(
                f"{label} reaches to byte {end} of {size}; it is cut off, fetch it again"
            )


def _stored(entry: Entry) -> int:
    """Bytes a tensor takes; at least none where its type is unknown."""
    kind = BLOCK_TYPES.get(entry.code)
    if kind is None:
        return 0
    row = entry.shape[-1] if entry.shape else 1
    if row % kind.values:
        raise WeightsError(
            f"tensor {entry.name[:200]!r} has rows of {row} values, "
            f"which are no whole blocks of {kind.values} as {kind.label} has them"
        )
    size_of("int8", entry.shape)  # refuses sides no array can have
    return math.prod(entry.shape) // kind.values * kind.size


def _unreadable(entry: Entry) -> str:
    """Why the values cannot be told from the bytes; empty where they can."""
    kind = BLOCK_TYPES.get(entry.code)
    if kind and (kind.is_plain or can_dequantise(entry.code)):
        return ""
    return f"unreadable: no reader for element type {_label(entry)}"


def _label(entry: Entry) -> str:
    kind = BLOCK_TYPES.get(entry.code)
    return kind.label if kind else f"ggml type {entry.code}"


def _tensor(file: Blob, entry: Entry, values: int, scales: Mapping[str, Entry]) -> Tensor:
    """The tensor of an entry; `values` is where they start in the file."""
    kind, start = BLOCK_TYPES[entry.code], values + entry.offset
    if kind.is_plain:
        read = partial(file.read, start, size_of(kind.label, entry.shape))
        return Tensor(entry.name, entry.shape, kind.label, file.name, read)
    blocks = math.prod(entry.shape) // kind.values
    scale = _scale(entry, scales)

    def bytes_of() -> Bytes:
        found = dequantised(file, start, blocks, entry.code)
        if scale and found.size:
            data = file.read(values + scale.offset, _stored(scale))
            _multiply(found, np.frombuffer(data, "<f4"))
        return found.data.cast("B") if found.size else b""

    return Tensor(
        name=entry.name,
        shape=entry.shape,
        dtype=kind.label,
        file=file.name,
        read=bytes_of,
        read_as="float32",
        stored=blocks * kind.size,
    )


def _scale(entry: Entry, scales: Mapping[str, Entry]) -> Entry | None:
    """What the values are multiplied by: one number, or one for each matrix of a stack."""
    scale = scales.get(entry.name.removesuffix(".weight") + ".scale")
    fitting = ((), (1,), entry.shape[:1] if len(entry.shape) == 3 else ())
    if scale is None or BLOCK_TYPES.get(scale.code) != FLOAT32 or scale.shape not in fitting:
        return None
    return scale


def _multiply(values: NDArray[np.float32], factors: NDArray[np.float32]) -> None:
    """Scale equal stretches of the values, in place."""
    stretches = values.reshape(factors.size, -1)
    with np.errstate(all="ignore"):  # what becomes infinite is found as non-finite later
        stretches *= factors[:, np.newaxis]


def _matches(_file: Blob, head: bytes) -> bool:
    return head.startswith((MAGIC, *BEFORE_GGUF))


GGUF = Format("GGUF", _matches, read)
