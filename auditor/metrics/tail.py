"""How heavy the upper tail of a layer's spectrum is."""

import math

import numpy as np

from auditor.metrics.base import Metric
from auditor.spectral.powerlaw import above_cut
from auditor.spectral.spectrum import Spectrum


def alpha(s: Spectrum) -> float:
    """Exponent of the power law fitted to the tail; ``nan`` where no tail was found."""
    return s.tail.alpha if s.tail else math.nan


def alpha_lo(s: Spectrum) -> float:
    """Lower end of the 95 % interval of alpha; ``nan`` without a tail."""
    return s.interval.lo if s.interval else math.nan


def alpha_hi(s: Spectrum) -> float:
    """Upper end of the 95 % interval of alpha; ``nan`` without a tail."""
    return s.interval.hi if s.interval else math.nan


def alpha_sd(s: Spectrum) -> float:
    """Standard deviation of alpha over bootstrap refits; ``nan`` without a tail."""
    return s.interval.sd if s.interval else math.nan


def pl_pvalue(s: Spectrum) -> float:
    """Plausibility of the power law: how often data drawn from it fit it as badly.

    Small means implausible. Computed where the interval of alpha lies wholly below 2 or wholly
    above 6, where a rule is about to judge, and everywhere with ``goodness_of_fit``; ``nan``
    elsewhere.

    References
    ----------
    Clauset, Shalizi & Newman, "Power-law distributions in empirical data", SIAM Review 51(4),
    2009, section 4.1.
    """
    return math.nan if s.plausibility is None else s.plausibility


def D(s: Spectrum) -> float:
    """Distance of the tail from its power law, one-sided, 0 is perfect; ``nan`` without a tail.

    Compares with j/n only, so that it means what it means elsewhere in this field.
    """
    return s.tail.D if s.tail else math.nan


def D_two_sided(s: Spectrum) -> float:
    """Kolmogorov-Smirnov distance of the tail from its power law; ``nan`` without a tail."""
    return s.tail.D_two_sided if s.tail else math.nan


def xmin(s: Spectrum) -> float:
    """Eigenvalue where the tail begins; ``nan`` without a tail."""
    return s.tail.xmin if s.tail else math.nan


def xmax(s: Spectrum) -> float:
    """Eigenvalue where the tail ends, the largest; ``nan`` without a tail."""
    return s.tail.xmax if s.tail else math.nan


def sigma(s: Spectrum) -> float:
    """Standard error of alpha for a given beginning of the tail; ``nan`` without a tail."""
    return s.tail.sigma if s.tail else math.nan


def num_pl_spikes(s: Spectrum) -> float:
    """Number of eigenvalues in the tail; ``nan`` without a tail."""
    return float(np.count_nonzero(s.eigenvalues >= s.tail.xmin)) if s.tail else math.nan


def alpha_weighted(s: Spectrum) -> float:
    r"""Alpha weighted by the scale of the layer; ``nan`` without a tail.

    .. math:: \alpha \log_{10} \lambda_{\max}
    """
    return s.tail.alpha * math.log10(s.largest) if s.tail else math.nan


def log_alpha_norm(s: Spectrum) -> float:
    r"""Decimal logarithm of the alpha-norm; ``nan`` without a tail.

    .. math:: \log_{10} \sum_i \lambda_i^{\alpha}

    over all eigenvalues, summed as logarithms so that nothing overflows.
    """
    from scipy.special import logsumexp  # noqa: PLC0415 - slow to import

    if s.tail is None:
        return math.nan
    positive = s.eigenvalues[s.eigenvalues > 0.0]
    return float(logsumexp(s.tail.alpha * np.log(positive))) / math.log(10.0)


def Lambda(s: Spectrum) -> float:
    r"""Rate at which a truncated power law is cut off; ``nan`` without a tail.

    .. math:: p(\lambda) \sim \lambda^{-\alpha} e^{-\Lambda \lambda}

    0 where the power law itself is as likely. In units of 1 / weight².
    """
    return s.tail.Lambda if s.tail else math.nan


def num_fingers(s: Spectrum) -> float:
    """Number of largest eigenvalues left out of the fit as fingers; ``nan`` without a tail.

    The reference reports one less than it leaves out, and so does its convention.
    """
    if s.tail is None:
        return math.nan
    return float(max(s.tail.clipped - 1, 0) if s.is_reference else s.tail.clipped)


def raw_alpha(s: Spectrum) -> float:
    """Exponent of the fit to all eigenvalues, fingers included; ``nan`` without a tail."""
    return s.tail.raw_alpha if s.tail else math.nan


def lr_tpl(s: Spectrum) -> float:
    """Log-likelihood ratio to a truncated power law; above 0 favours the power law.

    Over its standard deviation, as are the other ratios, on the fitted tail. 0 where no
    truncation makes the tail likelier. ``nan`` without a tail.

    References
    ----------
    Clauset, Shalizi & Newman, "Power-law distributions in empirical data", SIAM Review 51(4),
    2009, section 5 and appendix C.
    """
    return s.ratios.truncated.value if s.ratios else math.nan


def lr_tpl_p(s: Spectrum) -> float:
    """Probability of so large a ratio to a truncated power law by chance; ``nan`` without a tail.

    By a chi-squared test, for the truncated law contains the power law.
    """
    return s.ratios.truncated.p if s.ratios else math.nan


def lr_lognormal(s: Spectrum) -> float:
    """Log-likelihood ratio to a lognormal; above 0 favours the power law.

    ``nan`` without a tail.
    """
    return s.ratios.lognormal.value if s.ratios else math.nan


def lr_lognormal_p(s: Spectrum) -> float:
    """Probability of so large a ratio to a lognormal by chance; ``nan`` without a tail.

    By Vuong's test, as that of the exponential.
    """
    return s.ratios.lognormal.p if s.ratios else math.nan


def lr_exponential(s: Spectrum) -> float:
    """Log-likelihood ratio to an exponential; above 0 favours the power law.

    ``nan`` without a tail.
    """
    return s.ratios.exponential.value if s.ratios else math.nan


def lr_exponential_p(s: Spectrum) -> float:
    """Probability of so large a ratio to an exponential by chance; ``nan`` without a tail."""
    return s.ratios.exponential.p if s.ratios else math.nan


def alpha_hill(s: Spectrum) -> float:
    r"""Hill's estimate of alpha from the upper half of the spectrum, without a search.

    .. math:: 1 + k \Big/ \sum_{i \le k} \ln (\lambda_{(i)} / \lambda_{(k+1)}),
              \quad k = \lfloor n / 2 \rfloor

    largest first, over the n eigenvalues that can be told from zero. Unchanged by scaling.
    ``nan`` where a layer has too few eigenvalues for a fit, or its upper half is all equal.

    References
    ----------
    Hill, "A simple general approach to inference about the tail of a distribution",
    Ann. Statist. 3(5), 1975.
    """
    values = above_cut(s.eigenvalues, n=s.n, settings=s.settings)
    k = values.size // 2
    if s.eigenvalues.size < s.settings.min_evals or k == 0:
        return math.nan
    width = float(np.log(values[-k:] / values[-k - 1]).sum())
    return 1.0 + k / width if width > 0.0 else math.nan


FIT_METRICS = (
    Metric(alpha, "Alpha"),
    Metric(D, "Fit distance"),
    Metric(D_two_sided, "Fit distance, two-sided"),
    Metric(xmin, "Tail begins", "weight²"),
    Metric(xmax, "Tail ends", "weight²"),
    Metric(sigma, "Standard error of alpha"),
    Metric(num_pl_spikes, "Tail size", "eigenvalues"),
    Metric(alpha_weighted, "Weighted alpha"),
    Metric(log_alpha_norm, "Log alpha-norm"),
    Metric(alpha_hill, "Hill's alpha"),
)
INTERVAL_METRICS = (
    Metric(alpha_lo, "Alpha, lower end"),
    Metric(alpha_hi, "Alpha, upper end"),
    Metric(alpha_sd, "Bootstrap deviation of alpha"),
    Metric(pl_pvalue, "Plausibility of the power law"),
)
TRUNCATION_METRICS = (Metric(Lambda, "Cut-off rate", "1/weight²"),)
FINGER_METRICS = (
    Metric(num_fingers, "Fingers left out", "eigenvalues"),
    Metric(raw_alpha, "Alpha with fingers"),
)
RATIO_METRICS = (
    Metric(lr_tpl, "Power law : truncated power law"),
    Metric(lr_tpl_p, "Power law : truncated power law, p"),
    Metric(lr_lognormal, "Power law : lognormal"),
    Metric(lr_lognormal_p, "Power law : lognormal, p"),
    Metric(lr_exponential, "Power law : exponential"),
    Metric(lr_exponential_p, "Power law : exponential, p"),
)
METRICS = (
    *FIT_METRICS,
    *INTERVAL_METRICS,
    *TRUNCATION_METRICS,
    *FINGER_METRICS,
    *RATIO_METRICS,
)
