"""What measuring a tensor takes, known from its shape before a byte of it is read."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from threadpoolctl import ThreadpoolController

from auditor.records import Settings
from auditor.spectral.eigenvalues import Eigensolver, eigenvalues, lapack
from auditor.spectral.shuffle import MAX_KEPT, TOGETHER
from auditor.weights.tensors import WHOLE, Tensor

BLOCK_BYTES = 64 * 1024**2  # rows taken to float64, or small slices with their Gram matrices
SQUARES = 5  # of the smaller side in float64: Gram matrix, a sum, a block, LAPACK's copies
VECTORS = 4  # further ones, and blocks, for singular vectors
AS_READ = frozenset({"float64", "float32", "float16"})  # others are widened to float32

TRIAL = (1024, 768)  # whose eigenvalues tell how fast this machine is: about 60 ms on one core
TRIALS = 3  # of them, the fastest counts
HASHED = 16 * 1024**2  # bytes of the trial of hashing: 10 ms
SECONDS = 0.01  # of a layer besides, and of its twin: fits, records, many small steps
OF_ENTRY = 8e-8  # seconds a twin takes for an entry: put in order, mixed, centred
OF_FIT = 5e-7  # seconds of one refit for an eigenvalue
OF_PAIR = 1e-8  # seconds of the distances for an entry


@dataclass(frozen=True, slots=True)
class Speed:
    """Of this machine, on one core."""

    multiplications: float  # a second, as `effort` counts them
    hashing: float  # bytes a second


def peak_bytes(tensor: Tensor, settings: Settings, *, pair: bool) -> int:
    """Peak bytes of one tensor, or with `pair` of it and the baseline's of the same shape.

    The tensors as stored, those that are small widened, and for what is done to one of them
    at a time a block, 5 M² float64 (9 M² and five blocks with `settings.vectors`), and with
    `settings.randomize` the entries of a slice once more, or of small ones sorted, in random
    order, and the order. `settings.more_distances` takes the vectors of a pair, and its
    difference in float64.
    """
    count = math.prod(tensor.shape)
    wide = 0 if tensor.element in AS_READ or 4 * count > WHOLE else 4 * count
    small, large = _sides(tensor)
    more = pair and settings.more_distances
    difference = 8 * count if more else 0
    vectors = VECTORS if settings.vectors or more else 0
    itemsize = 4 if wide else tensor.nbytes / max(count, 1)
    entries = min(count, max(small * large, TOGETHER)) if settings.randomize else 0
    return (
        (2 if pair else 1) * (tensor.nbytes + wide)
        + (1 + vectors) * BLOCK_BYTES
        + (SQUARES + vectors) * 8 * small * small
        + max(_mixed(entries, itemsize), difference)
    )


def _mixed(entries: int, itemsize: float) -> int:
    """Bytes of a twin's entries: many are mixed where they lie."""
    if entries > MAX_KEPT:
        return int(entries * itemsize)
    return int(entries * (2 * itemsize + 4))


def effort(tensor: Tensor) -> float:
    """About how many multiplications its eigenvalues take: long jobs are told from short ones.

    n·m² for the Gram matrix and 4/3·m³ for its eigenvalues, half of them at the speed of
    memory, which counts as 4 m³.
    """
    small, large = _sides(tensor)
    slices = math.prod(tensor.shape) / max(small * large, 1)
    return slices * small * small * (large + 4.0 * small)


def speed(solve: Eigensolver = lapack) -> Speed:
    """Try it: the eigenvalues of a small matrix, a few times, on one core; about 0.25 s."""
    matrix = np.random.default_rng(0).standard_normal(TRIAL)
    eigenvalues(matrix[:64, :64], solve)  # the first call also starts threads, or a GPU
    like = Tensor("", TRIAL, "float64", "", lambda: b"")
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        solved = min(_timed(lambda: eigenvalues(matrix, solve)) for _ in range(TRIALS))
    hashed = _timed(lambda: sha256(bytes(HASHED)).digest())
    return Speed(effort(like) / solved, HASHED / hashed)


def _timed(work: Callable[[], object]) -> float:
    """Seconds that it takes, more than 0."""
    start = time.perf_counter()
    work()
    return max(time.perf_counter() - start, 1e-9)


def seconds(tensor: Tensor, settings: Settings, speed: Speed, *, pair: bool) -> float:
    """About how long a tensor takes on one core, or with `pair` it and the baseline's.

    Its digest, its spectrum, the twin's, and the refits of its power law. What is remembered
    from another version takes less.
    """
    count = math.prod(tensor.shape)
    hashed = tensor.nbytes / speed.hashing
    if len(tensor.shape) < 2 or not count:
        return (2 if pair else 1) * hashed
    solved = effort(tensor) / speed.multiplications
    fits = SECONDS + OF_FIT * settings.bootstrap * count / _sides(tensor)[1]
    twin = SECONDS + solved + OF_ENTRY * count if settings.randomize else 0.0
    once = hashed + solved + twin + fits
    return 2.0 * once + OF_PAIR * count if pair else once


def _sides(tensor: Tensor) -> tuple[int, int]:
    """Smaller and larger side of its matrices, which are its two largest dimensions."""
    *_, small, large = (0, 0, *sorted(tensor.shape))
    return (small, large) if len(tensor.shape) >= 2 else (0, large)
