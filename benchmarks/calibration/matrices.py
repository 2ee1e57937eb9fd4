"""Seeded matrices of known kinds, and tensors put together from them."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import truncnorm

from benchmarks.calibration.shapes import Dims

Array = NDArray[np.floating]
Rng = np.random.Generator
Make = Callable[[Rng, int, int], NDArray[np.float64]]  # rows and columns -> a matrix

TAIL = 0.3  # share of a heavy-tailed spectrum above 1, where its power law begins
BODY = 0.7  # below 1 it is U**0.7, U uniform
SHIFT = 2.0  # mean of entries, in units of what makes an eigenvalue of its own
SPIKES = 3
HUGE = 3  # entries of a planted trap
CUT = 2.0  # of the truncated normal distribution, in standard deviations


def tensor(rng: Rng, dims: Dims, make: Make) -> Array:
    """A float32 tensor whose slices are made one after another."""
    slices = [make(rng, *dims[:2]) for _ in range(math.prod(dims[2:]))]
    return np.stack(slices, axis=-1).reshape(dims).astype(np.float32)


def threshold(rows: int, cols: int) -> float:
    """Size of a single direction or entry that starts to stand out of entries of variance 1."""
    return math.sqrt(math.sqrt(rows * cols))


# --- entries that are independent ---------------------------------------------------------


def gaussian(rng: Rng, rows: int, cols: int) -> NDArray[np.float64]:
    """Normal entries, as PyTorch and others initialise."""
    return rng.normal(size=(rows, cols)) / math.sqrt(cols)


def uniform(rng: Rng, rows: int, cols: int) -> NDArray[np.float64]:
    """Uniform entries, PyTorch's default for linear layers and convolutions."""
    return rng.uniform(-1.0, 1.0, size=(rows, cols)) / math.sqrt(cols)


def truncated(rng: Rng, rows: int, cols: int) -> NDArray[np.float64]:
    """Normal entries without those beyond two standard deviations, as in vision transformers."""
    found = truncnorm.rvs(-CUT, CUT, size=(rows, cols), random_state=rng)
    return np.asarray(found / math.sqrt(cols))


def shifted(rng: Rng, rows: int, cols: int) -> NDArray[np.float64]:
    """Normal entries whose mean is an eigenvalue of its own."""
    return (rng.normal(size=(rows, cols)) + SHIFT / threshold(rows, cols)) / math.sqrt(cols)


def student(rng: Rng, rows: int, cols: int) -> NDArray[np.float64]:
    """Entries of Student's t with five degrees of freedom: independent, and some are huge."""
    return rng.standard_t(5.0, size=(rows, cols)) / math.sqrt(cols)


def orthogonal(rng: Rng, rows: int, cols: int) -> NDArray[np.float64]:
    """Orthonormal rows or columns, as recurrent layers are initialised."""
    return _frame(rng, rows, cols) if rows >= cols else _frame(rng, cols, rows).T


# --- entries that something was learned into ------------------------------------------------


def spiked(rng: Rng, rows: int, cols: int, *, strength: float) -> NDArray[np.float64]:
    """Noise and three directions, `strength` times as large as it takes to stand out."""
    count = min(SPIKES, rows, cols)
    left, right = _frame(rng, rows, count), _frame(rng, cols, count)
    size = strength * threshold(rows, cols)
    return (rng.normal(size=(rows, cols)) + size * left @ right.T) / math.sqrt(cols)


def heavy(
    rng: Rng, rows: int, cols: int, *, alpha: float, rank_share: float = 1.0
) -> NDArray[np.float64]:
    """A matrix whose eigenvalues have a tail ``x**-alpha`` above 1, with random vectors.

    Of its directions the share `rank_share` is kept, the largest ones, at least one.
    """
    m, n = sorted((rows, cols))
    above = rng.random(m) < TAIL
    pareto = (1.0 - rng.random(m)) ** (-1.0 / (alpha - 1.0))
    values = np.sort(np.where(above, pareto, rng.random(m) ** BODY))[::-1]
    rank = kept(m, rank_share)
    sizes = np.sqrt(values[:rank] / n)
    matrix = (_frame(rng, n, m)[:, :rank] * sizes) @ _frame(rng, m, m)[:, :rank].T
    return matrix if rows >= cols else matrix.T


def power_law(alpha: float, *, rank_share: float = 1.0) -> Make:
    """`heavy` with its exponent."""
    return partial(heavy, alpha=alpha, rank_share=rank_share)


def kept(directions: int, rank_share: float) -> int:
    """Rank of a matrix that keeps a share of its directions."""
    return max(1, round(rank_share * directions))


def _frame(rng: Rng, rows: int, cols: int) -> NDArray[np.float64]:
    """Random orthonormal columns, uniform over all there are."""
    q, r = np.linalg.qr(rng.normal(size=(rows, cols)))
    return q * np.sign(np.diag(r))


# --- what is done to a tensor ---------------------------------------------------------------


def with_huge_entries(
    rng: Rng, array: Array, *, strength: float
) -> tuple[Array, frozenset[tuple[int, int]]]:
    """A copy with three huge entries in one slice, each in a row and column of its own.

    Each is `strength` times what it takes one entry to stand out of the slice.

    Returns
    -------
    tuple
        The copy, and (row, column) of the entries.
    """
    found = array.copy()
    slices = found.reshape(*found.shape[:2], -1)
    rows, cols = slices.shape[:2]
    places = rng.permutation(rows)[:HUGE], rng.permutation(cols)[:HUGE]
    which = rng.integers(slices.shape[2])
    size = strength * float(slices[..., which].std()) * threshold(rows, cols)
    slices[(*places, which)] = size * rng.choice((-1.0, 1.0), size=len(places[0]))
    return found, frozenset(zip(*(place.tolist() for place in places), strict=True))


def fine_tuned(rng: Rng, array: Array, *, relative: float) -> Array:
    """A copy with noise of `relative` times its norm added."""
    noise = rng.normal(size=array.shape)
    noise *= relative * float(np.linalg.norm(array)) / float(np.linalg.norm(noise))
    return (array + noise).astype(array.dtype)
