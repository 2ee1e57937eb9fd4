"""How a metric goes with reported quality over a table of models: arithmetic, no claim.

Such tables are short, and what makes models of a series better (depth, width, training) moves
every metric as well: an order within them says nothing about a model outside of them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from auditor.records import FloatArray

FEWEST = 3  # models that a line and an order are fitted to


@dataclass(frozen=True, slots=True)
class Fit:
    """One metric against quality over some models; ``nan`` where undefined."""

    models: int  # that have both
    slope: float  # quality = intercept + slope · metric, least squares
    intercept: float
    slope_p: float  # two-sided p-value of slope 0, Student's t
    r2: float  # share of the variance of quality that the line explains
    rmse: float  # root of the mean squared residual over the models, in units of quality
    tau: float  # Kendall's τ-b, -1..1
    tau_p: float  # two-sided p-value of no association; exact for few models without ties


@dataclass(frozen=True, slots=True)
class Relation:
    """One metric against quality, over all models and within each group."""

    metric: str
    overall: Fit
    groups: Mapping[str, Fit]

    @property
    def is_reversed(self) -> bool:
        """Simpson's paradox: τ has the opposite sign in most groups that have a sign."""
        signs = [np.sign(fit.tau) for fit in self.groups.values() if abs(fit.tau) > 0.0]
        opposite = sum(sign == -np.sign(self.overall.tau) for sign in signs)
        return bool(2 * opposite > len(signs))


def relate(
    quality: FloatArray, metrics: Mapping[str, FloatArray], groups: Sequence[str] = ()
) -> tuple[Relation, ...]:
    """Fit every metric to quality, over all models and within each group.

    Parameters
    ----------
    quality : (n,)
        As reported, any unit; ``nan`` leaves a model out.
    metrics : each (n,)
        By name; ``nan`` leaves a model out of that metric's fits.
    groups : (n,)
        What each model belongs to; empty: no groups.

    Returns
    -------
    tuple of Relation
        In the order of `metrics`; groups in order of appearance.
    """
    inside = {name: np.array([group == name for group in groups]) for name in dict.fromkeys(groups)}
    return tuple(
        Relation(
            metric=name,
            overall=fit(values, quality),
            groups={own: fit(values[part], quality[part]) for own, part in inside.items()},
        )
        for name, values in metrics.items()
    )


def fit(metric: FloatArray, quality: FloatArray) -> Fit:
    r"""Least squares line, its :math:`R^2` and error, and Kendall's rank correlation.

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2}, \qquad
              \mathrm{RMSE} = \sqrt{\frac1n \sum_i (y_i - \hat y_i)^2}

    Parameters
    ----------
    metric, quality : (n,)
        x and y; models of which one is not finite are left out.

    Returns
    -------
    Fit
        All numbers ``nan`` for fewer than three models, or where all of them have one metric
        or one quality.

    References
    ----------
    Kendall, "The treatment of ties in ranking problems", Biometrika 33(3), 1945.
    """
    both = np.isfinite(metric) & np.isfinite(quality)
    x, y = metric[both], quality[both]
    if x.size < FEWEST or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return Fit(x.size, *[math.nan] * 7)
    line, order = stats.linregress(x, y), stats.kendalltau(x, y)
    residuals = y - (line.intercept + line.slope * x)
    return Fit(
        models=x.size,
        slope=float(line.slope),
        intercept=float(line.intercept),
        slope_p=float(line.pvalue),
        r2=float(line.rvalue) ** 2,
        rmse=math.sqrt(float(np.mean(residuals**2))),
        tau=float(order.statistic),
        tau_p=float(order.pvalue),
    )
