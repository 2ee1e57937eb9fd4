"""What chance does to layers of iid entries: their distance from a twin, and their spikes.

Spectra of Gaussian matrices are drawn by their tridiagonal form [1], over their sum, which
entries in random order keep. A row a shape: the 99.5 % quantile of the distance of two of
them beside what `likeness.explained` says, in what share of the layers the distance is above
that, and in what share a layer has a spike at the 5 % and the 1 % level.

[1] Dumitriu & Edelman, "Matrix models for beta ensembles", J. Math. Phys. 43, 2002.
"""

import argparse

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal

from auditor.records import FloatArray
from auditor.spectral.likeness import counting_distance, explained
from auditor.spectral.marchenko_pastur import fit_bulk

SEED = 20260105
WORK = 30_000  # eigenvalues of a shape, a draw of --draws
SHAPES = [  # larger side, smaller side, slices
    *((8, 8, 9), (16, 3, 49), (12, 10, 9), (16, 8, 9), (16, 16, 9), (16, 16, 25)),
    *((32, 16, 9), (64, 8, 9), (64, 64, 1), (64, 64, 9), (128, 64, 1), (512, 64, 1)),
    *((6400, 64, 1), (256, 256, 1), (1024, 256, 1), (768, 768, 1), (3072, 768, 1)),
    (2048, 2048, 1),
]


def spectrum(rng: np.random.Generator, n: int, m: int) -> FloatArray:
    """Eigenvalues of ``X.T @ X``, X an (n, m) Gaussian matrix, for entries of mean square 1."""
    lower = np.sqrt(rng.chisquare(np.arange(m - 1, 0, -1)))
    diagonal = np.sqrt(rng.chisquare(n - np.arange(m)))
    squares = np.square(diagonal)
    squares[1:] += np.square(lower)
    values = np.maximum(eigvalsh_tridiagonal(squares, diagonal[:-1] * lower), 0.0)
    found: FloatArray = values * (n * m / values.sum())
    return found


def row(rng: np.random.Generator, shape: tuple[int, int, int], draws: int) -> str:
    """The line of a shape."""
    n, m, slices = shape
    count = max(100, draws * WORK // (m * slices))
    distances, spikes = np.empty(count), np.zeros((count, 2), dtype=bool)
    for i in range(count):
        own, twin = ([spectrum(rng, n, m) for _ in range(slices)] for _ in range(2))
        distances[i] = counting_distance(own, [twin])
        for k, level in enumerate((0.05, 0.01)):
            bulk = fit_bulk(own, n, m, level=level)
            spikes[i, k] = bulk is not None and bulk.num_spikes > 0
    limit = explained(m)
    quantile, beyond = np.quantile(distances, 0.995), np.mean(distances > limit)
    five, one = spikes.mean(axis=0)
    return (
        f"{n:>5} x {m:<5} {slices:>4} {count:>8} {quantile:>8.2f} {limit:>8.2f} {beyond:>8.2%}"
        f" {five:>8.2%} {one:>8.2%}"
    )


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1, help="times as many layers; default: 1")
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    asked, rng = arguments(), np.random.default_rng(SEED)
    print(
        f"{'shape':<13} {'slices':>4} {'layers':>6} {'99.5 %':>8} {'limit':>8} {'beyond':>8}"
        f" {'5 %':>8} {'1 %':>8}"
    )
    for shape in SHAPES:
        print(row(rng, shape, asked.draws), flush=True)


if __name__ == "__main__":
    main()
