"""What measuring a tensor takes, known from its shape before a byte of it is read."""

import math

from auditor.records import Settings
from auditor.weights.tensors import Tensor

BLOCK_BYTES = 64 * 1024**2  # rows taken to float64, or small slices with their Gram matrices
SQUARES = 5  # of the smaller side in float64: Gram matrix, a sum, a block, LAPACK's copies
VECTORS = 4  # further ones, and blocks, for singular vectors
AS_READ = frozenset({"float64", "float32", "float16"})  # others are widened to float32


def peak_bytes(tensor: Tensor, settings: Settings, *, pair: bool) -> int:
    """Peak bytes of one tensor, or with `pair` of it and the baseline's of the same shape.

    The tensors as stored and widened, and for what is done to one of them at a time a block,
    5 M² float64 (9 M² and five blocks with `settings.vectors`), and with `settings.randomize`
    its entries sorted, in random order, and the order. `settings.more_distances` takes the
    vectors of a pair, and its difference in float64.
    """
    count = math.prod(tensor.shape)
    wide = 0 if tensor.element in AS_READ else 4 * count
    entries = 2 * (wide or tensor.nbytes) + 4 * count
    small = _sides(tensor)[0]
    more = pair and settings.more_distances
    difference = 8 * count if more else 0
    vectors = VECTORS if settings.vectors or more else 0
    return (
        (2 if pair else 1) * (tensor.nbytes + wide)
        + (1 + vectors) * BLOCK_BYTES
        + (SQUARES + vectors) * 8 * small * small
        + max(entries if settings.randomize else 0, difference)
    )


def effort(tensor: Tensor) -> float:
    """About how many multiplications its eigenvalues take: long jobs are told from short ones.

    n·m² for the Gram matrix and 4/3·m³ for its eigenvalues, half of them at the speed of
    memory, which counts as 4 m³.
    """
    small, large = _sides(tensor)
    slices = math.prod(tensor.shape) / max(small * large, 1)
    return slices * small * small * (large + 4.0 * small)


def _sides(tensor: Tensor) -> tuple[int, int]:
    """Smaller and larger side of its matrices, which are its two largest dimensions."""
    *_, small, large = (0, 0, *sorted(tensor.shape))
    return (small, large) if len(tensor.shape) >= 2 else (0, large)
