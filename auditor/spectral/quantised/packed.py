"""Whole numbers packed into 32-bit words, with a scale and a zero point for groups of inputs.

GPTQ, AWQ and compressed-tensors differ in what lies beside what in a word, and agree in what
it means: ``W[o, i] = (q[i, o] - zero[g(i), o]) * scale[g(i), o]`` for output ``o`` and the
group ``g(i)`` of input ``i``.

References
----------
Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers", 2022, arXiv:2210.17323; Lin et al., "AWQ: Activation-aware Weight Quantization",
2023, arXiv:2306.00978. The layouts are those of AutoGPTQ, AutoAWQ and compressed-tensors.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.errors import WeightsError

WORD = 32  # bits
BLOCK = 96  # rows of words taken apart at a time: whole codes of any number of bits
BITS = (2, 3, 4, 8)  # of a code
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # which of eight columns the nibbles of a word belong to


def unpacked(words: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """The codes in the words of every column, lowest bits first.

    Parameters
    ----------
    words : (rows, cols) of 32 bits
    bits
        Of a code, one of `BITS`. Those of 3 bits go across the ends of words.

    Returns
    -------
    (rows * 32 / bits, cols) uint8

    Examples
    --------
    >>> unpacked(np.array([[0x76543210]], np.int32), 4)[:, 0].tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    rows, cols = words.shape
    plain = np.ascontiguousarray(words).view(np.uint32)
    if WORD % bits:
        octets = np.ascontiguousarray(plain.T).astype("<u4").view(np.uint8)
        stream = np.unpackbits(octets, axis=1, bitorder="little").reshape(cols, -1, bits)
        return np.ascontiguousarray(np.packbits(stream, axis=2, bitorder="little")[:, :, 0].T)
    shifts = np.arange(0, WORD, bits, dtype=np.uint32)[:, None]
    codes = (plain[:, None, :] >> shifts) & np.uint32(2**bits - 1)
    return codes.astype(np.uint8).reshape(rows * (WORD // bits), cols)


def gptq(
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    groups: NDArray[Any],
    *,
    bits: int,
    offset: int,
) -> NDArray[np.float32]:
    """The weight (out, in) of a GPTQ layer.

    Parameters
    ----------
    arrays
        Codes (in · bits / 32, out), zero points (groups, out · bits / 32), both packed into
        words, and scales (groups, out).
    groups : (in,)
        The group of every input.
    bits
        Of a code.
    offset
        What was taken off a zero point when it was stored: 1, or 0 in version 2 of the format.

    Raises
    ------
    WeightsError
        If `groups` names a group that is not there.
    """
    codes, packed, scales = arrays
    zeros = (unpacked(packed.T, bits).T + np.uint8(offset)) & np.uint8(2**bits - 1)
    return _grouped(_down(codes, bits), zeros, scales, groups)


def awq(codes: NDArray[Any], zeros: NDArray[Any], scales: NDArray[Any]) -> NDArray[np.float32]:
    """The weight (out, in) of an AWQ layer in its layout ``gemm``, of 4 bits.

    Parameters
    ----------
    codes : (in, out / 8)
        Words of eight columns, in the order `AWQ_ORDER`.
    zeros : (groups, out / 8)
        The same of the zero points.
    scales : (groups, out)
        As many inputs share a row as the sides say.
    """
    groups = np.arange(len(codes)) // (len(codes) // len(scales))
    blocks = (
        (start, _awq_columns(codes[start : start + BLOCK])) for start in range(0, len(codes), BLOCK)
    )
    return _grouped(blocks, _awq_columns(zeros), scales, groups)


def packed_rows(
    words: NDArray[Any],
    scales: NDArray[Any],
    zeros: NDArray[Any] | None,
    groups: NDArray[Any],
    *,
    bits: int,
) -> NDArray[np.float32]:
    """The weight (out, in) of a layer as compressed-tensors packs it, of 4 or 8 bits.

    Parameters
    ----------
    words : (out, ceil(in · bits / 32))
        The codes of every row, lowest bits first; a code of half the range is 0.
    scales : (out, groups)
    zeros : (ceil(out · bits / 32), groups) or None
        Packed down the columns; None: half the range everywhere.
    groups : (in,)
        The group of every input.
    bits
        Of a code, 4 or 8.

    Raises
    ------
    WeightsError
        If `groups` names a group that is not there.
    """
    outputs = len(words)
    half = np.full((scales.shape[1], outputs), 2 ** (bits - 1), np.uint8)
    offsets = half if zeros is None else unpacked(zeros, bits)[:outputs].T
    return _grouped(_down(words.T, bits), offsets, scales.T, groups)


def _down(words: NDArray[Any], bits: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Blocks of codes (inputs, out), each after the number of its first input."""
    for start in range(0, len(words), BLOCK):
        yield start * WORD // bits, unpacked(words[start : start + BLOCK], bits)


def _awq_columns(words: NDArray[Any]) -> NDArray[np.uint8]:
    nibbles = unpacked(words.reshape(1, -1), 4).reshape(8, *words.shape)
    columns = np.empty((*words.shape, 8), np.uint8)
    for nibble, column in zip(nibbles, AWQ_ORDER, strict=True):
        columns[:, :, column] = nibble
    return columns.reshape(len(words), -1)


@np.errstate(over="ignore", invalid="ignore")
def _grouped(
    blocks: Iterator[tuple[int, NDArray[np.uint8]]],
    zeros: NDArray[np.uint8],
    scales: NDArray[Any],
    groups: NDArray[Any],
) -> NDArray[np.float32]:
    """``(code - zero) * scale`` for blocks of inputs; zeros and scales are (groups, out)."""
    if groups.size and not 0 <= int(groups.min()) <= int(groups.max()) < len(scales):
        raise WeightsError(
            f"its inputs are in groups {int(groups.min())} to {int(groups.max())}, "
            f"but there are {len(scales)} of them"
        )
    result = np.empty((scales.shape[1], len(groups)), np.float32)
    for start, codes in blocks:
        which = groups[start : start + len(codes)]
        values = codes[: len(which)].astype(np.float32)
        values -= zeros[which]
        values *= scales[which].astype(np.float32)
        result[:, start : start + len(which)] = values.T
    return result
