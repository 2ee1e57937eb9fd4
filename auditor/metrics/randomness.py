"""What independent entries explain: the Marchenko-Pastur bulk and the random twin.

Every column is ``nan`` where the bulk (one row or column, a zero matrix) or the twin (not
asked for) it is about does not exist.
"""

import math

import numpy as np

from auditor.metrics.base import Metric
from auditor.spectral.distances import density_distance, js_distance
from auditor.spectral.spectrum import Spectrum

# --- the Marchenko-Pastur bulk ------------------------------------------------------------


def num_spikes(s: Spectrum) -> float:
    """Eigenvalues beyond the Marchenko-Pastur bulk, at the 5 % level of the layer.

    Counted per slice against its own bulk and summed; unchanged by scaling or transposing.
    """
    return float(s.bulk.num_spikes) if s.bulk else math.nan


def sigma_mp(s: Spectrum) -> float:
    """Standard deviation of the entries that the bulk stands for; median over slices.

    In units of weight. The mean square of the entries counts the spikes too; this does not.
    """
    return float(np.nanmedian(s.bulk.sigma)) if s.bulk else math.nan


def mp_softrank(s: Spectrum) -> float:
    """Upper end of the bulk over the largest eigenvalue: 1 for noise, small for strong signal.

    References
    ----------
    Martin & Mahoney, "Implicit self-regularization in deep neural networks", JMLR 22, 2021.
    """
    return bulk_max(s) / s.largest if s.bulk else math.nan


def bulk_min(s: Spectrum) -> float:
    """Lower end of the Marchenko-Pastur bulk, of the slice where it is lowest."""
    return float(np.nanmin(s.bulk.lower)) if s.bulk else math.nan


def bulk_max(s: Spectrum) -> float:
    """Upper end of the Marchenko-Pastur bulk, of the slice where it is highest."""
    return float(np.nanmax(s.bulk.upper)) if s.bulk else math.nan


# --- the random twin ----------------------------------------------------------------------


def max_rand_eval(s: Spectrum) -> float:
    """Largest eigenvalue of the random twin, over all slices."""
    return s.twin.largest if s.twin else math.nan


def rand_distance(s: Spectrum) -> float:
    """Jensen-Shannon distance between the sorted eigenvalues of layer and twin.

    Each vector over its sum, position by position; 0 for equal spectra, at most √(ln 2).
    Undefined for a layer or twin of zeros.
    """
    if s.twin is None:
        return math.nan
    return js_distance(s.eigenvalues, s.twin.pooled)


def rand_distance_density(s: Spectrum) -> float:
    """Jensen-Shannon distance between the spectral densities of layer and twin.

    Histograms of log10(eigenvalue), 100 bins over the joint range. Undefined for a layer or
    twin of zeros.
    """
    if s.twin is None:
        return math.nan
    return density_distance(s.eigenvalues, s.twin.pooled, s.n)


def ww_softrank(s: Spectrum) -> float:
    """Largest eigenvalue of the twin over the layer's; undefined for a layer of zeros."""
    if s.twin is None or s.largest == 0.0:
        return math.nan
    return s.twin.largest / s.largest


def ww_maxdist(s: Spectrum) -> float:
    """Largest eigenvalue of the layer less the twin's, in units of weight squared."""
    return s.largest - s.twin.largest if s.twin else math.nan


def mean_shift(s: Spectrum) -> float:
    r"""Strength of the mean entry: above 1 it alone is an eigenvalue outside the bulk.

    .. math:: |\bar w| / s \cdot (n m)^{1/4}

    with s the standard deviation of the entries; the largest over slices. Undefined where
    all entries are equal.
    """
    return s.twin.mean_shift if s.twin else math.nan


def num_traps(s: Spectrum) -> float:
    """Correlation traps: eigenvalues of the random twin beyond its edge, at 0.1 % of the layer.

    A few huge entries make them: entries in random order have no other structure.
    """
    return float(len(s.twin.traps)) if s.twin else math.nan


def trap_strength(s: Spectrum) -> float:
    """Largest eigenvalue of the twin over its edge, over all slices: above 1 it is a trap.

    Entries that are merely heavy-tailed reach 1.85 in good models.
    """
    return s.twin.strength if s.twin else math.nan


def random_like(s: Spectrum) -> float:
    """1 where entries in random order explain the spectrum, 0 where they do not.

    Such a layer is untrained, whatever its power law says. Undefined below 50 eigenvalues.
    """
    if s.twin is None or s.twin.random_like is None:
        return math.nan
    return float(s.twin.random_like)


BULK_METRICS = (
    Metric(num_spikes, "Spikes", "eigenvalues"),
    Metric(sigma_mp, "Bulk σ", "weight"),
    Metric(mp_softrank, "MP soft rank"),
    Metric(bulk_min, "Bulk minimum", "weight²"),
    Metric(bulk_max, "Bulk maximum", "weight²"),
)
TWIN_METRICS = (
    Metric(max_rand_eval, "Largest eigenvalue of the twin", "weight²"),
    Metric(rand_distance, "Distance from the twin"),
    Metric(rand_distance_density, "Distance of density from the twin"),
    Metric(ww_softrank, "Twin soft rank"),
    Metric(ww_maxdist, "Lead over the twin", "weight²"),
    Metric(mean_shift, "Mean shift"),
    Metric(num_traps, "Correlation traps", "eigenvalues"),
    Metric(trap_strength, "Trap strength"),
    Metric(random_like, "Random-like"),
)
METRICS = (*BULK_METRICS, *TWIN_METRICS)
