"""The least that a spectral analysis has to do.

The Gram matrix of the smaller side in float64 and its eigenvalues, of the same matrices and
nothing else, with a thread per core and one BLAS thread each, or with one thread and all BLAS
threads, whichever is faster.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from auditor.executors.machine import cores
from benchmarks.speed.weights import Array


def with_a_thread_per_core(parts: Sequence[Array]) -> None:
    """One BLAS thread each."""
    _solve(parts, workers=cores(), blas=1)


def with_one_thread(parts: Sequence[Array]) -> None:
    """All cores are BLAS's."""
    _solve(parts, workers=1, blas=cores())


def _solve(parts: Sequence[Array], *, workers: int, blas: int) -> None:
    """The largest first."""
    ordered = sorted(parts, key=lambda part: part.size, reverse=True)
    with threadpool_limits(blas, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(_of_one, ordered):
            pass


def _of_one(tall: Array) -> None:
    wide = tall.astype(np.float64)
    np.linalg.eigvalsh(wide.T @ wide)
