"""What independent entries explain: the Marchenko-Pastur bulk and the random twin.

Every column is ``nan`` where the bulk (one row or column, a zero matrix) or the twin (not
asked for) it is about does not exist. In the convention ``weightwatcher`` bulk and twin are
the reference's, and the ``rand_*`` columns of the bulk are those of the twin.
"""

import math

import numpy as np

from auditor.metrics.base import Metric
from auditor.records import FloatArray
from auditor.spectral.distances import density_distance, js_distance
from auditor.spectral.marchenko_pastur import Bulk
from auditor.spectral.spectrum import Spectrum

# --- the Marchenko-Pastur bulk ------------------------------------------------------------


def num_spikes(s: Spectrum) -> float:
    """Eigenvalues beyond the Marchenko-Pastur bulk, at the 5 % level of the layer.

    Counted per slice against its own bulk and summed; unchanged by scaling or transposing.
    """
    return _spikes(s.bulk)


def sigma_mp(s: Spectrum) -> float:
    """Standard deviation of the entries that the bulk stands for; median over slices.

    In units of weight. The mean square of the entries counts the spikes too; this does not.
    In the convention ``weightwatcher`` that of entries which give a mean eigenvalue of 1.
    """
    return _sigma(s.bulk)


def mp_softrank(s: Spectrum) -> float:
    """Upper end of the bulk over the largest eigenvalue: 1 for noise, small for strong signal.

    References
    ----------
    Martin & Mahoney, "Implicit self-regularization in deep neural networks", JMLR 22, 2021.
    """
    return bulk_max(s) / s.largest if s.bulk else math.nan


def bulk_min(s: Spectrum) -> float:
    """Lower end of the Marchenko-Pastur bulk, of the slice where it is lowest."""
    return _lower(s.bulk)


def bulk_max(s: Spectrum) -> float:
    """Upper end of the Marchenko-Pastur bulk, of the slice where it is highest."""
    return _upper(s.bulk)


def W_scale(s: Spectrum) -> float:
    r"""What to multiply the weights by for a mean eigenvalue of 1; undefined for zeros.

    .. math:: \sqrt{k / \textstyle\sum \lambda}

    over all k eigenvalues, in 1/weight.
    """
    return _scale(s.eigenvalues)


def _spikes(bulk: Bulk | None) -> float:
    return float(bulk.num_spikes) if bulk else math.nan


def _sigma(bulk: Bulk | None) -> float:
    return float(np.nanmedian(bulk.sigma)) if bulk else math.nan


def _lower(bulk: Bulk | None) -> float:
    return float(np.nanmin(bulk.lower)) if bulk else math.nan


def _upper(bulk: Bulk | None) -> float:
    return float(np.nanmax(bulk.upper)) if bulk else math.nan


def _scale(eigenvalues: FloatArray) -> float:
    total = float(eigenvalues.sum())
    return math.sqrt(eigenvalues.size / total) if total > 0.0 else math.nan


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
    return js_distance(s.eigenvalues, s.twin.compared)


def rand_distance_density(s: Spectrum) -> float:
    """Jensen-Shannon distance between the spectral densities of layer and twin.

    Histograms of log10(eigenvalue), 100 bins over the joint range. Undefined for a layer or
    twin of zeros.
    """
    if s.twin is None:
        return math.nan
    return density_distance(s.eigenvalues, s.twin.compared, s.n)


def ww_softrank(s: Spectrum) -> float:
    """Largest eigenvalue of the twin over the layer's; undefined for a layer of zeros."""
    if s.twin is None or s.largest == 0.0:
        return math.nan
    return float(s.twin.compared[-1]) / s.largest


def ww_maxdist(s: Spectrum) -> float:
    """Largest eigenvalue of the layer less the twin's, in units of weight squared."""
    return s.largest - float(s.twin.compared[-1]) if s.twin else math.nan


def mean_shift(s: Spectrum) -> float:
    r"""Strength of the mean entry: above 1 it alone is an eigenvalue outside the bulk.

    .. math:: |\bar w| / s \cdot (n m)^{1/4}

    with s the standard deviation of the entries; the largest over slices. Undefined where
    all entries are equal.
    """
    return s.twin.mean_shift if s.twin else math.nan


def num_traps(s: Spectrum) -> float:
    """Correlation traps: eigenvalues of the random twin beyond its edge, at 0.1 % of the layer.

    A few huge entries make them: entries in random order have no other structure. In the
    convention ``weightwatcher`` the spikes of the twin.
    """
    if s.twin is None:
        return math.nan
    return rand_num_spikes(s) if s.is_reference else float(len(s.twin.traps))


def trap_strength(s: Spectrum) -> float:
    """Largest eigenvalue of the twin over its edge, over all slices: above 1 it is a trap.

    Entries that are merely heavy-tailed reach 1.85 in good models.
    """
    return s.twin.strength if s.twin else math.nan


def rand_deviation(s: Spectrum) -> float:
    """Distance of the counting functions of layer and twin, over what chance explains.

    Above 1 the order of the entries matters. Undefined below 50 eigenvalues.
    """
    return s.twin.likeness.deviation if s.twin and s.twin.likeness else math.nan


def random_like(s: Spectrum) -> float:
    """1 where entries in random order explain the spectrum, 0 where they do not.

    Its power law then says nothing, whatever its exponent. Undefined below 50 eigenvalues.
    """
    if s.twin is None or s.twin.random_like is None:
        return math.nan
    return float(s.twin.random_like)


def kurtosis(s: Spectrum) -> float:
    """Kurtosis of the entries of a random-like layer: 3 normal, 1.8 uniform; ``nan`` elsewhere.

    Initialisations draw entries of 1.8, 2.37 (normal ones cut off at two deviations) or 3.
    Training moves it away from there, also where it leaves no trace in the spectrum.
    """
    return s.twin.kurtosis if s.twin else math.nan


# --- the bulk of the reference's twin -----------------------------------------------------


def rand_num_spikes(s: Spectrum) -> float:
    """Eigenvalues of the random twin beyond its bulk."""
    return _spikes(s.twin_bulk)


def rand_sigma_mp(s: Spectrum) -> float:
    """Standard deviation of the entries that the bulk of the random twin stands for."""
    return _sigma(s.twin_bulk)


def rand_mp_softrank(s: Spectrum) -> float:
    """Upper end of the random twin's bulk over the twin's largest eigenvalue."""
    return rand_bulk_max(s) / s.twin.largest if s.twin and s.twin_bulk else math.nan


def rand_bulk_min(s: Spectrum) -> float:
    """Lower end of the random twin's bulk."""
    return _lower(s.twin_bulk)


def rand_bulk_max(s: Spectrum) -> float:
    """Upper end of the random twin's bulk."""
    return _upper(s.twin_bulk)


def rand_W_scale(s: Spectrum) -> float:
    """What to multiply the entries by for a mean eigenvalue of 1 of the random twin."""
    return _scale(np.concatenate(s.twin.eigenvalues)) if s.twin else math.nan


BULK_METRICS = (
    Metric(num_spikes, "Spikes", "eigenvalues"),
    Metric(sigma_mp, "Bulk σ", "weight"),
    Metric(mp_softrank, "MP soft rank"),
    Metric(bulk_min, "Bulk minimum", "weight²"),
    Metric(bulk_max, "Bulk maximum", "weight²"),
    Metric(W_scale, "Scale to unit eigenvalues", "1/weight"),
)
TWIN_METRICS = (
    Metric(max_rand_eval, "Largest eigenvalue of the twin", "weight²"),
    Metric(rand_distance, "Distance from the twin"),
    Metric(ww_softrank, "Twin soft rank"),
    Metric(ww_maxdist, "Lead over the twin", "weight²"),
    Metric(num_traps, "Correlation traps", "eigenvalues"),
)
OWN_TWIN_METRICS = (
    Metric(rand_distance_density, "Distance of density from the twin"),
    Metric(mean_shift, "Mean shift"),
    Metric(trap_strength, "Trap strength"),
    Metric(rand_deviation, "Deviation from the twin"),
    Metric(random_like, "Random-like"),
    Metric(kurtosis, "Kurtosis of the entries"),
)
REFERENCE_TWIN_METRICS = (
    Metric(rand_num_spikes, "Spikes of the twin", "eigenvalues"),
    Metric(rand_sigma_mp, "Bulk σ of the twin"),
    Metric(rand_mp_softrank, "MP soft rank of the twin"),
    Metric(rand_bulk_min, "Bulk minimum of the twin", "weight²"),
    Metric(rand_bulk_max, "Bulk maximum of the twin", "weight²"),
    Metric(rand_W_scale, "Scale of the twin to unit eigenvalues", "1/weight"),
)
METRICS = (*BULK_METRICS, *TWIN_METRICS, *OWN_TWIN_METRICS, *REFERENCE_TWIN_METRICS)
