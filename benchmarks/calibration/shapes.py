"""Thirty shapes of tensors, and the classes of size in which rates are pooled."""

import math

Dims = tuple[int, ...]

SHAPES: tuple[Dims, ...] = (
    *((16, 16), (128, 16), (32, 32), (64, 32), (512, 32), (32, 3, 3, 3), (24, 12, 3)),
    *((64, 64), (172, 64), (512, 64), (2048, 64), (96, 96), (96, 384)),
    *((16, 8, 3, 3), (64, 40, 3)),
    *((128, 128), (128, 512), (2048, 128), (256, 192), (256, 256), (1024, 256)),
    *((16, 16, 3, 3), (32, 32, 3, 3)),
    *((384, 384), (1536, 384), (512, 512), (512, 1024), (768, 768), (2048, 768)),
    (64, 64, 3, 3),
)
QUICK: tuple[Dims, ...] = ((16, 16), (64, 64), (16, 8, 3, 3))
CLASSES = {  # name -> fewest eigenvalues, largest first
    "384 and more": 384,
    "128 to 383": 128,
    "50 to 127": 50,
    "below 50": 0,
}


def num_evals(dims: Dims) -> int:
    """Eigenvalues of a tensor: the smaller side of a slice, times the slices.

    >>> num_evals((16, 8, 3, 3))
    72
    """
    return min(dims[:2]) * math.prod(dims[2:])


def size_class(evals: int) -> str:
    """Class of a layer with so many eigenvalues."""
    return next(name for name, least in CLASSES.items() if evals >= least)


def title(dims: Dims) -> str:
    """As people write it: 64x64x3x3."""
    return "x".join(map(str, dims))


def dims_of(text: str) -> Dims:
    """The dimensions that `title` wrote.

    >>> dims_of("64x64x3x3")
    (64, 64, 3, 3)
    """
    return tuple(map(int, text.split("x")))
