"""Seeded models of every kind of layer that the reference reads, like trained ones.

In float32, for the reference reads float64 weights as such.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def trained(rng: np.random.Generator, *shape: int, decay: float = 0.7) -> Array:
    """Noise and, on top of it, directions whose strengths fall as a power of their rank."""
    out, rest = shape[0], int(np.prod(shape[1:]))
    strengths = np.arange(1, min(out, rest) + 1) ** -decay
    left = rng.normal(size=(out, strengths.size))
    right = rng.normal(size=(strengths.size, rest))
    weights = rng.normal(size=(out, rest)) + (left * strengths) @ right
    scaled: Array = weights * (0.5 / np.sqrt(rest))
    return scaled.reshape(shape)


def small_model(seed: int = 0) -> dict[str, Array]:
    """Dense, embedding and convolution; square, wide and tall, few and many eigenvalues."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embed.weight": (300, 24),
        "blocks.0.wide.weight": (32, 80),
        "blocks.0.tall.weight": (80, 32),
        "blocks.0.square.weight": (48, 48),
        "blocks.1.few.weight": (12, 40),
        "blocks.1.fewest.weight": (8, 9),
        "conv.point.weight": (40, 24, 1, 1),
        "conv.three.weight": (24, 16, 3, 3),
        "conv.narrowing.weight": (10, 20, 3, 3),
        "conv.even.weight": (20, 12, 2, 2),
        "conv.long.weight": (16, 12, 1, 7),
        "conv.five.weight": (12, 3, 5, 5),
    }
    model = {name: trained(rng, *shape) for name, shape in shapes.items()}
    model["heavy.weight"] = np.sign(rng.normal(size=(60, 40))) * rng.pareto(2.5, size=(60, 40))
    model["low_rank.weight"] = trained(rng, 50, 12) @ trained(rng, 12, 40)
    return {name: array.astype(np.float32) for name, array in model.items()}
