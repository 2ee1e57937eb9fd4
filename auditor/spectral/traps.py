"""Which entries make a correlation trap."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.records import Matrix
from auditor.spectral.blockwise import rows_of
from auditor.spectral.shuffle import Entries

MOST_ENTRIES = 5  # named a trap
MOST_TRAPS = 32  # whose entries are named, a slice
BLOCK = 1 << 20  # entries compared at a time

Entry = tuple[int, int, float]


def name_entries(
    original: Matrix, twin: Matrix, entries: Entries, *, count: int
) -> list[tuple[Entry, ...]]:
    r"""The entries that make each of the `count` largest eigenvalues of a centred twin.

    A singular value of the twin T is the sum of :math:`u_i (t_{ij} - \bar t) v_j` over all
    its entries. Those that contribute at least a quarter of what the strongest contributes
    are named, at most five.

    Parameters
    ----------
    original : (rows, cols)
        Where the entries are looked up.
    twin : (n, m), n >= m
        The same values in random order.
    entries
        Theirs, of this matrix only.
    count
        How many eigenvalues are traps.

    Returns
    -------
    list
        A tuple of (row, column, value) a trap, strongest trap first; empty after the 32nd.
    """
    from scipy.linalg import eigh  # noqa: PLC0415 - slow to import

    named = min(count, MOST_TRAPS)
    gram = entries.gram(twin[np.newaxis], centred=True)[0]
    vectors = eigh(gram, subset_by_index=(entries.m - named, entries.m - 1))[1]
    found: list[tuple[Entry, ...]] = [()] * count
    rows, cols = _extremes(twin, entries.ends[0])
    size = twin[rows, cols] * entries.factors - entries.mean
    right = vectors[:, ::-1]
    left = (twin[rows] * entries.factors - entries.mean) @ right
    shares = size[:, None] * left * right[cols]
    for k in range(named):
        share = shares[:, k]
        best = np.argsort(share)[::-1][:MOST_ENTRIES]
        best = best[share[best] >= share[best[0]] / 4.0]
        found[k] = tuple(_locate(original, twin[rows, cols], int(i)) for i in best)
    return found


def _extremes(twin: Matrix, ends: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the smallest and largest entries, which are `ends`."""
    few = ends.size // 2
    low, high = ends[few - 1], ends[few]
    limits = ((np.less, low), (np.equal, low)), ((np.greater, high), (np.equal, high))
    # of equal entries at the limit there may be any number: they only fill up what is left
    places = [
        np.concatenate([_where(twin, compare, limit, few) for compare, limit in end])[:few]
        for end in limits
    ]
    both = np.unique(np.concatenate(places), axis=0)
    return both[:, 0], both[:, 1]


def _where(matrix: Matrix, compare: np.ufunc, limit: float, most: int) -> NDArray[np.intp]:
    """(k, 2): rows and columns of the first entries that compare so with the limit."""
    found = np.empty((0, 2), np.intp)
    for start, rows in rows_of(matrix, max(1, BLOCK // matrix.shape[1])):
        here = np.argwhere(compare(rows, limit))
        here[:, 0] += start
        found = np.concatenate([found, here])
        if len(found) >= most:
            break
    return found[:most]


def _locate(original: Matrix, values: NDArray[Any], i: int) -> Entry:
    """Where the i-th value is in the original: equal values in the order of its rows."""
    earlier = int(np.count_nonzero(values[:i] == values[i]))
    row, col = _where(original, np.equal, values[i], earlier + 1)[earlier].tolist()
    return row, col, float(original[row, col])
