"""What measuring a tensor takes, known from its shape before a byte of it is read."""

import math

from auditor.records import Settings
from auditor.weights.tensors import Tensor

BLOCK_BYTES = 64 * 1024**2  # a row block of the Gram matrix with its copies


def peak_bytes(tensor: Tensor, settings: Settings, *, pair: bool) -> int:
    """Peak bytes of one tensor, or with `pair` of it and the baseline's of the same shape.

    As stored and decoded, a block of rows, 5 M² float64, and with `settings.randomize` the
    random twin and a float32 copy.
    """
    count = math.prod(tensor.shape)
    small = _sides(tensor)[0]
    stored = (2 if pair else 1) * (tensor.nbytes + 4 * count)
    twin = 8 * count if settings.randomize else 0
    return stored + BLOCK_BYTES + 5 * small * small * 8 + twin


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
