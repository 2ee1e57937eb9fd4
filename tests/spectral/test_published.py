"""Data sets and numbers as Clauset, Shalizi & Newman (2009) print them."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from auditor.records import FloatArray, Settings
from auditor.spectral.alternatives import likelihood_ratios
from auditor.spectral.powerlaw import TailFit, fit_tail, tail_of
from auditor.spectral.uncertainty import goodness_of_fit, interval

TABLE_6_1 = {  # alpha, xmin, values in the tail; units as in the files
    "blackouts": (2.3, 230_000, 59),
    "cities": (2.37, 52_457, 580),
    "fires": (2.2, 6324, 521),
    "flares": (1.79, 323, 1711),
}
TABLE_6_3 = {  # ratio to a lognormal and its p, p of a cut-off
    "blackouts": (-0.412, 0.68, 0.38),
    "cities": (-0.090, 0.93, 0.62),
    "flares": (-0.803, 0.42, 0.00),
}


def values_of(name: str) -> FloatArray:
    """The data set, as the package `powerlaw` brings it along."""
    spec = find_spec("powerlaw")
    assert spec is not None
    assert spec.origin is not None
    return np.sort(np.loadtxt(Path(spec.origin).parent / "reference_data" / f"{name}.txt"))


def fitted(x: FloatArray) -> TailFit:
    fit = fit_tail(x, n=1, settings=Settings())
    assert fit is not None
    return fit


@pytest.mark.parametrize("name", TABLE_6_1)
def test_finds_the_published_tail(name):
    alpha, xmin, size = TABLE_6_1[name]
    digits = len(str(alpha)) - 2
    fit = fitted(values_of(name))
    assert (round(fit.alpha, digits), fit.xmin, fit.size) == (alpha, xmin, size)


@pytest.mark.parametrize("name", TABLE_6_3)
def test_finds_the_published_likelihood_ratios(name):
    ratio, p, p_of_truncation = TABLE_6_3[name]
    x = values_of(name)
    found = likelihood_ratios(tail_of(x, fitted(x)))
    assert found.lognormal.value == pytest.approx(ratio, abs=0.005)
    assert found.lognormal.p == pytest.approx(p, abs=0.005)
    assert found.truncated.p == pytest.approx(p_of_truncation, abs=0.005)


def test_finds_the_published_error_and_plausibility():
    """Table 6.1, blackouts: alpha 2.3 with an error of 0.3, p 0.62 of 2500 samples."""
    x = values_of("blackouts")
    fit, settings = fitted(x), Settings(bootstrap=400)
    assert interval(x, fit, n=1, settings=settings).sd == pytest.approx(0.3, abs=0.05)
    assert goodness_of_fit(x, fit, n=1, settings=settings) == pytest.approx(0.62, abs=0.1)
