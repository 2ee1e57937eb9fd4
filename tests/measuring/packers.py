"""Quantised layers as the tools that make them pack them, in plain loops; and what they mean."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
State = dict[str, Array]


def _packed_down(codes: Array, bits: int) -> Array:
    """Codes (n, cols) in words (n * bits / 32, cols), as AutoGPTQ writes them."""
    words = np.zeros((len(codes) * bits // 32, codes.shape[1]), np.uint64)
    for place in range(len(codes)):
        word, bit = divmod(place * bits, 32)
        words[word] |= codes[place].astype(np.uint64) << np.uint64(bit)
        if bit + bits > 32:  # the rest of a code of 3 bits is in the next word
            words[word + 1] |= codes[place].astype(np.uint64) >> np.uint64(32 - bit)
    return (words & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.int32)


def _grouped(rng: np.random.Generator, sides: tuple[int, int, int], bits: int) -> tuple[Array, ...]:
    """Codes (out, in), zero points and scales (out, groups)."""
    outputs, inputs, groups = sides
    codes = rng.integers(0, 2**bits, (outputs, inputs))
    zeros = rng.integers(0, 2**bits, (outputs, groups))
    scales = rng.uniform(0.01, 0.02, (outputs, groups)).astype(np.float16)
    return codes, zeros, scales


def _meant(codes: Array, zeros: Array, scales: Array, groups: Array) -> Array:
    """The weight (out, in), a value at a time."""
    weight = np.zeros(codes.shape)
    for o in range(codes.shape[0]):
        for i in range(codes.shape[1]):
            group = groups[i]
            weight[o, i] = (int(codes[o, i]) - int(zeros[o, group])) * float(scales[o, group])
    return weight


def gptq(
    rng: np.random.Generator, bits: int, *, offset: int = 1, ordered: bool = True
) -> tuple[State, Array]:
    """Three groups of 32 inputs; with `ordered` false they take turns."""
    codes, zeros, scales = _grouped(rng, (64, 96, 3), bits)
    groups = np.arange(96) // 32 if ordered else np.arange(96) % 3
    stored = (zeros - offset) % 2**bits
    state = {
        "fc1.qweight": _packed_down(codes.T, bits),
        "fc1.qzeros": np.ascontiguousarray(_packed_down(stored, bits).T),
        "fc1.scales": np.ascontiguousarray(scales.T),
        "fc1.g_idx": groups.astype(np.int32),
    }
    return state, _meant(codes, zeros, scales, groups)


def awq(rng: np.random.Generator) -> tuple[State, Array]:
    """Eight outputs a word, in the order of AutoAWQ's packing loop."""
    codes, zeros, scales = _grouped(rng, (32, 256, 2), 4)

    def packed(values: Array) -> Array:
        words = np.zeros((len(values), values.shape[1] // 8), np.uint64)
        for column in range(words.shape[1]):
            for nibble, place in enumerate((0, 2, 4, 6, 1, 3, 5, 7)):
                words[:, column] |= values[:, 8 * column + place].astype(np.uint64) << np.uint64(
                    4 * nibble
                )
        return words.astype(np.uint32).view(np.int32)

    state = {
        "fc1.qweight": packed(codes.T),
        "fc1.qzeros": packed(zeros.T),
        "fc1.scales": np.ascontiguousarray(scales.T),
    }
    return state, _meant(codes, zeros, scales, np.arange(256) // 128)


def compressed(
    rng: np.random.Generator, bits: int, *, zeros: bool, inputs: int = 96
) -> tuple[State, Array]:
    """Rows padded to whole words; zero points, if any, down the columns."""
    codes, points, scales = _grouped(rng, (48, inputs, 3), bits)
    per_word = 32 // bits
    padded = np.pad(codes, ((0, 0), (0, -inputs % per_word)))
    state = {
        "fc1.weight_packed": np.ascontiguousarray(_packed_down(padded.T, bits).T),
        "fc1.weight_scale": scales,
        "fc1.weight_shape": np.array([48, inputs], np.int64),
    }
    if zeros:
        state["fc1.weight_zero_point"] = _packed_down(points, bits)
    else:
        points = np.full_like(points, 2 ** (bits - 1))
    groups = np.arange(inputs) // (inputs // 3)
    return state, _meant(codes, points, scales, groups)


def bitsandbytes(
    rng: np.random.Generator, *, nested: bool, kind: str = "nf4"
) -> tuple[State, Array]:
    """Codes of a table of 16 values, 64 of them a scale; scales are codes of 256 values too."""
    shape, block = (24, 40), 64
    table = np.sort(rng.uniform(-1, 1, 16)).astype(np.float32)
    codes = rng.integers(0, 16, 24 * 40)
    scales = rng.uniform(0.1, 0.2, 15).astype(np.float32)
    stated: dict[str, object] = {
        "quant_type": kind,
        "blocksize": block,
        "dtype": "bfloat16",
        "shape": list(shape),
    }
    state: State = {
        "fc1.weight": (codes[::2] << 4 | codes[1::2]).astype(np.uint8)[:, None],
        "fc1.weight.quant_map": table,
        "fc1.weight.absmax": scales,
    }
    if nested:
        inner = np.linspace(-1, 1, 256).astype(np.float32)
        found, factors = rng.integers(0, 256, 15), rng.uniform(0.01, 0.02, 2).astype(np.float32)
        stated |= {"nested_blocksize": 8, "nested_offset": 0.15, "nested_dtype": "float32"}
        state |= {
            "fc1.weight.absmax": found.astype(np.uint8),
            "fc1.weight.nested_absmax": factors,
            "fc1.weight.nested_quant_map": inner,
        }
        scales = np.array([inner[c] * factors[i // 8] + 0.15 for i, c in enumerate(found)])
    text = json.dumps(stated).encode()
    state[f"fc1.weight.quant_state.bitsandbytes__{kind}"] = np.frombuffer(text, np.uint8)
    values = [table[code] * scales[i // block] for i, code in enumerate(codes)]
    return state, np.array(values).reshape(shape)


E2M1 = {0: 0.0, 1: 0.5, 2: 1.0, 3: 1.5, 4: 2.0, 5: 3.0, 6: 4.0, 7: 6.0}


def e2m1(code: int) -> float:
    """Sign, two bits of exponent, one of mantissa."""
    return -E2M1[code - 8] if code >= 8 else E2M1[code]


def microscaled(codes: Array, scales: Array, block: int) -> Array:
    """What codes (rows, cols) with a scale for every `block` of a row stand for."""
    return np.array(
        [
            [e2m1(int(code)) * float(scales[r, i // block]) for i, code in enumerate(row)]
            for r, row in enumerate(codes)
        ]
    )


def low_first(codes: Array) -> Array:
    """Two codes a byte, the first in its lower half."""
    return np.asarray(codes[..., ::2] | codes[..., 1::2] << 4, np.uint8)
