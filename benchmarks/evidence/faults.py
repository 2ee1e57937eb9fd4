"""What is done to finished networks: made smaller, put together, damaged. Arrays in, arrays out."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.evidence.training import Weights

Damage = Callable[[np.random.Generator, np.ndarray], np.ndarray]
DEAD = 0.2  # of the rows
SHRUNK, SHRUNK_TO = 0.8, 1e-3  # of the channels; what is left of them
RANK = 0.05
TRAP = 4.0  # times what it takes an entry to stand out of the bulk
TRAPS = 3


def pruned(weights: Weights, share: float) -> Weights:
    """The smallest entries of every matrix are zero."""
    return {
        name: _without_smallest(one, share) if one.ndim > 1 else one
        for name, one in weights.items()
    }


def rounded(weights: Weights, bits: int) -> Weights:
    """Every matrix on a grid of its own, symmetric around zero."""
    most = 2 ** (bits - 1) - 1
    found = {}
    for name, one in weights.items():
        step = np.abs(one).max() / most if one.ndim > 1 else np.float32(0.0)
        found[name] = (np.rint(one / step) * step).astype(one.dtype) if step > 0 else one
    return found


def merged(one: Weights, other: Weights) -> Weights:
    """The mean of two networks."""
    return {name: (one[name] + other[name]) / 2 for name in one}


def halved(weights: Weights) -> Weights:
    """Stored in half precision."""
    return {name: one.astype(np.float16) for name, one in weights.items()}


def without(weights: Weights, names: str) -> Weights:
    """Some tensors are left out: those whose name begins so."""
    return {name: one for name, one in weights.items() if not name.startswith(names)}


def zero(_: np.random.Generator, one: np.ndarray) -> np.ndarray:
    """Nothing is left."""
    return np.zeros_like(one)


def constant(_: np.random.Generator, one: np.ndarray) -> np.ndarray:
    """Every entry is the same."""
    return np.full_like(one, one.std())


def initial(rng: np.random.Generator, one: np.ndarray) -> np.ndarray:
    """As it was before training: uniform, by the number of inputs."""
    bound = 1.0 / math.sqrt(one[0].size)
    return rng.uniform(-bound, bound, one.shape).astype(one.dtype)


def not_a_number(_: np.random.Generator, one: np.ndarray) -> np.ndarray:
    """One entry is NaN."""
    found = one.copy()
    found.flat[0] = np.nan
    return found


def dead_rows(rng: np.random.Generator, one: np.ndarray) -> np.ndarray:
    """Some outputs get nothing."""
    found = one.copy()
    found[rng.permutation(len(one))[: round(DEAD * len(one))]] = 0.0
    return found


def shrunk_channels(rng: np.random.Generator, one: np.ndarray) -> np.ndarray:
    """Most outputs are nearly nothing, as a regulariser of channels leaves them."""
    found = one.copy()
    found[rng.permutation(len(one))[: round(SHRUNK * len(one))]] *= SHRUNK_TO
    return found


def of_low_rank(_: np.random.Generator, one: np.ndarray) -> np.ndarray:
    """The best approximation of low rank, of every kernel position by itself."""
    slices = np.moveaxis(one.reshape(*one.shape[:2], -1), 2, 0)
    left, sizes, right = np.linalg.svd(slices, full_matrices=False)
    sizes[:, max(1, round(RANK * sizes.shape[1])) :] = 0.0
    found = (left * sizes[:, None, :]) @ right
    return np.moveaxis(found, 0, 2).reshape(one.shape).astype(one.dtype)


def huge_entries(rng: np.random.Generator, one: np.ndarray) -> np.ndarray:
    """A few entries, of one kernel position, are far larger than all others."""
    found = one.copy()
    rows, columns = one.shape[:2]
    size = TRAP * one.std() * (rows * columns) ** 0.25
    first = found.reshape(rows, columns, -1)[:, :, 0]
    places = zip(rng.permutation(rows), rng.permutation(columns), strict=False)
    for row, column in [*places][:TRAPS]:
        first[row, column] = size
    return found


def scaled(factor: float) -> Damage:
    """Another scale, as a faulty export gives a layer."""
    return lambda _, one: (one * factor).astype(one.dtype)


def damaged(weights: Weights, name: str, damage: Damage, seed: int) -> Weights:
    """One tensor is damaged."""
    return {**weights, name: damage(np.random.default_rng(seed), weights[name])}


def copied(weights: Mapping[str, np.ndarray], name: str, source: str) -> Weights:
    """One tensor is a copy of another; the very same array would be a tied one."""
    return {**weights, name: weights[source].copy()}


def _without_smallest(one: np.ndarray, share: float) -> np.ndarray:
    limit = np.quantile(np.abs(one), share)
    return np.where(np.abs(one) > limit, one, 0.0).astype(one.dtype)
