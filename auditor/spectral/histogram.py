"""A spectrum small enough to keep and to draw."""

import numpy as np

from auditor.records import FloatArray, Histogram

DIGITS = 5  # significant digits kept of a density: a drawing shows three


def histogram(
    eigenvalues: FloatArray, twin: FloatArray | None, *, bins: int = 64
) -> Histogram | None:
    """Fractions of eigenvalues on equal bins of log10(eigenvalue).

    Parameters
    ----------
    eigenvalues
        All slices pooled, >= 0, in any order. Zeros count among all eigenvalues and are in
        no bin, so the densities of a rank-deficient layer sum to less than 1.
    twin
        The random twin's, drawn on the same bins; the bins span both.
    bins
        How many bins.

    Returns
    -------
    Histogram or None
        None where no eigenvalue is positive. Where all are equal the bins span a factor of
        ten around them.
    """
    if not bool(np.any(eigenvalues > 0.0)):
        return None
    logs = _logs(eigenvalues)
    twins = _logs(twin) if twin is not None else np.empty(0)
    both = np.concatenate([logs, twins])
    lo, hi = float(both.min()), float(both.max())
    if hi - lo < 1e-9:  # bins narrower than rounding
        lo, hi = lo - 0.5, hi + 0.5
    return Histogram(
        lo=float(10.0**lo),
        hi=float(10.0**hi),
        density=_density(logs, eigenvalues.size, np.linspace(lo, hi, bins + 1)),
        twin=() if twin is None else _density(twins, twin.size, np.linspace(lo, hi, bins + 1)),
    )


def _logs(values: FloatArray) -> FloatArray:
    return np.log10(values[values > 0.0])


def _density(logs: FloatArray, total: int, grid: FloatArray) -> tuple[float, ...]:
    counts = np.histogram(logs, bins=grid)[0]
    return tuple(float(f"{count / total:.{DIGITS}g}") for count in counts.tolist())
