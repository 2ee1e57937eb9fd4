"""What quantised blocks of ggml stand for, one value at a time, as its C code goes through them.

Slow and plain, for comparing with. Each function takes the bytes of one block and gives its
values. Written from the layouts and loops of ``ggml-common.h`` and ``ggml-quants.c``.
"""

import struct
from collections.abc import Callable, Sequence

FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of OCP's e2m1
IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


def half(block: bytes, at: int) -> float:
    return float(struct.unpack_from("<e", block, at)[0])


def nibbles(data: Sequence[int]) -> list[int]:
    """The lower halves of some bytes, then their upper halves."""
    return [byte & 15 for byte in data] + [byte >> 4 for byte in data]


def bit(data: Sequence[int], index: int) -> int:
    return data[index // 8] >> (index % 8) & 1


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def fp4(code: int) -> float:
    return -FP4[code - 8] if code > 7 else FP4[code]


def q4_0(b: bytes) -> list[float]:
    return [half(b, 0) * (q - 8) for q in nibbles(b[2:])]


def q4_1(b: bytes) -> list[float]:
    return [half(b, 0) * q + half(b, 2) for q in nibbles(b[4:])]


def q5_0(b: bytes) -> list[float]:
    return [half(b, 0) * (q + 16 * bit(b[2:6], i) - 16) for i, q in enumerate(nibbles(b[6:]))]


def q5_1(b: bytes) -> list[float]:
    five = [q + 16 * bit(b[4:8], i) for i, q in enumerate(nibbles(b[8:]))]
    return [half(b, 0) * q + half(b, 2) for q in five]


def q8_0(b: bytes) -> list[float]:
    return [half(b, 0) * signed(byte) for byte in b[2:]]


def two_bits(data: Sequence[int]) -> list[int]:
    """Of each 32 bytes first all lowest pairs of bits, and so on."""
    return [
        byte >> shift & 3
        for at in range(0, len(data), 32)
        for shift in (0, 2, 4, 6)
        for byte in data[at : at + 32]
    ]


def q2_k(b: bytes) -> list[float]:
    scales, d, low = b[:16], half(b, 80), half(b, 82)
    return [
        d * (scales[i // 16] & 15) * q - low * (scales[i // 16] >> 4)
        for i, q in enumerate(two_bits(b[16:80]))
    ]


def q3_k(b: bytes) -> list[float]:
    mask, packed, d = b[:32], b[96:108], half(b, 108)
    low = nibbles(packed[:8])
    high = [packed[8 + i % 4] >> 2 * (i // 4) & 3 for i in range(16)]
    scales = [h * 16 + lower - 32 for lower, h in zip(low, high, strict=True)]
    return [
        d * scales[i // 16] * (q - (0 if mask[i % 32] >> (i // 32) & 1 else 4))
        for i, q in enumerate(two_bits(b[32:96]))
    ]


def scale_and_min(packed: bytes, i: int) -> tuple[int, int]:
    """Six bits each, the upper two of the last four kept in the first eight bytes."""
    if i < 4:
        return packed[i] & 63, packed[i + 4] & 63
    scale = packed[i + 4] & 15 | packed[i - 4] >> 6 << 4
    return scale, packed[i + 4] >> 4 | packed[i] >> 6 << 4


def k_rows(b: bytes, quants: Sequence[Sequence[int]]) -> list[float]:
    """Eight rows of 32, each with its scale and minimum."""
    d, low = half(b, 0), half(b, 2)
    pairs = [scale_and_min(b[4:16], i) for i in range(8)]
    return [d * s * q - low * m for row, (s, m) in zip(quants, pairs, strict=True) for q in row]


def four_bit_rows(data: bytes) -> list[list[int]]:
    halves = [nibbles(data[at : at + 32]) for at in range(0, 128, 32)]
    return [row for both in halves for row in (both[:32], both[32:])]


def q4_k(b: bytes) -> list[float]:
    return k_rows(b, four_bit_rows(b[16:]))


def q5_k(b: bytes) -> list[float]:
    fifth = b[16:48]
    rows = enumerate(four_bit_rows(b[48:]))
    return k_rows(b, [[q + 16 * (fifth[j] >> i & 1) for j, q in enumerate(r)] for i, r in rows])


def q6_k(b: bytes) -> list[float]:
    values = [0.0] * 256
    for part in range(2):
        low, high = b[64 * part :][:64], b[128 + 32 * part :][:32]
        scales, d = b[192 + 8 * part :][:8], half(b, 208)
        for i in range(32):
            four = (low[i] & 15, low[i + 32] & 15, low[i] >> 4, low[i + 32] >> 4)
            for j, q in enumerate(four):
                six = q + 16 * (high[i] >> 2 * j & 3) - 32
                scale = signed(scales[i // 16 + 2 * j])
                values[128 * part + 32 * j + i] = d * scale * six
    return values


def iq4_nl(b: bytes) -> list[float]:
    return [half(b, 0) * IQ4[q] for q in nibbles(b[2:])]


def iq4_xs(b: bytes) -> list[float]:
    high, low = int.from_bytes(b[2:4], "little"), b[4:8]
    values = []
    for i in range(8):
        scale = low[i // 2] >> 4 * (i % 2) & 15 | (high >> 2 * i & 3) << 4
        quants = nibbles(b[8 + 16 * i : 24 + 16 * i])
        values += [half(b, 0) * (scale - 32) * IQ4[q] for q in quants]
    return values


def trit(byte: int, power: int) -> int:
    """A digit of a number in base three that was stretched over a byte."""
    return (byte * (1, 3, 9, 27, 81)[power] % 256) * 3 >> 8


def tq1_0(b: bytes) -> list[float]:
    parts = ((b[:32], 5), (b[32:48], 5), (b[48:52], 4))
    digits = [trit(byte, power) for data, n in parts for power in range(n) for byte in data]
    return [half(b, 52) * (digit - 1) for digit in digits]


def tq2_0(b: bytes) -> list[float]:
    return [half(b, 64) * (q - 1) for q in two_bits(b[:64])]


def mxfp4(b: bytes) -> list[float]:
    return [2.0 ** (b[0] - 127) * fp4(q) for q in nibbles(b[1:])]


def e4m3(code: int) -> float:
    """Without a sign; its only nan counts as nothing."""
    if code == 0x7F:
        return 0.0
    exponent, mantissa = code >> 3, code & 7
    return mantissa * 2.0**-9 if not exponent else (1 + mantissa / 8) * 2.0 ** (exponent - 7)


def nvfp4(b: bytes) -> list[float]:
    return [e4m3(b[i]) * fp4(q) for i in range(4) for q in nibbles(b[4 + 8 * i : 12 + 8 * i])]


ORACLES: dict[str, Callable[[bytes], list[float]]] = {
    "q4_0": q4_0,
    "q4_1": q4_1,
    "q5_0": q5_0,
    "q5_1": q5_1,
    "q8_0": q8_0,
    "q2_k": q2_k,
    "q3_k": q3_k,
    "q4_k": q4_k,
    "q5_k": q5_k,
    "q6_k": q6_k,
    "iq4_nl": iq4_nl,
    "iq4_xs": iq4_xs,
    "tq1_0": tq1_0,
    "tq2_0": tq2_0,
    "mxfp4": mxfp4,
    "nvfp4": nvfp4,
}
