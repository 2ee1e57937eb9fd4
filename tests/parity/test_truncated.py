"""The truncated power law: at the reference's own tail ours is at least as likely."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from auditor.audit import measure
from auditor.spectral.alternatives import fit_truncated
from tests.parity.agreement import BARE, layers
from tests.parity.golden import table, weights
from tests.parity.models import small_model

pytestmark = pytest.mark.wide  # the default suite holds the columns of every layer to the tool

MODELS = [
    "kws_mcu/DNN_S",
    "kws_mcu/GRU_S",
    "resnet_cifar10/resnet20",
    "stories260k/stories260K",
]
NAMES = ["heavy.weight", "blocks.1.few.weight", "conv.point.weight"]


def log_likelihood(tail, alpha, rate):
    """Of ``p(x) ~ x**-alpha * exp(-rate * x)`` above the first value, by integration."""
    scale = rate * tail[0]
    norm = 1.0 / (alpha - 1.0) if scale == 0.0 else _integral(alpha, scale)
    exponents = alpha * np.log(tail / tail[0]) + rate * (tail - tail[0])
    return -float(exponents.sum()) - tail.size * np.log(norm * tail[0])


def _integral(alpha, scale):
    """Of ``x**-alpha * exp(-scale * (x - 1))`` from 1 to where nothing is left, over ln x."""

    def density(y):
        return np.exp((1.0 - alpha) * y - scale * np.expm1(y))

    return quad(density, 0.0, np.log1p(700.0 / scale), limit=200, epsabs=0.0, epsrel=1e-11)[0]


def leads(rows, tensors):
    """By how much the log-likelihood of ours exceeds that of every row, at the row's tail."""
    found = layers(tensors)
    for row in rows:
        values = np.sort(np.concatenate(measure(found[row["longname"]], BARE).eigenvalues))
        tail = values[values >= row["xmin"] * (1.0 - 1e-12)]
        ours = fit_truncated(tail)
        yield (
            log_likelihood(tail, ours.alpha, ours.Lambda)
            - log_likelihood(tail, row["alpha"], row["Lambda"])
        )


@pytest.mark.data
@pytest.mark.parametrize("option", ["TPL", pytest.param("E_TPL", marks=pytest.mark.wide)])
@pytest.mark.parametrize("model", MODELS)
def test_is_as_likely_as_in_the_table(model, option, data):
    rows = [row for row in table(data, f"{model}__{option}") if row["status"] == "success"]
    assert rows
    assert min(leads(rows, weights(data, model))) > -1e-9


@pytest.mark.wide
@pytest.mark.parametrize("seed", range(3))
def test_is_as_likely_as_the_tools(seed, reference):
    model = {name: array for name, array in small_model(seed).items() if name in NAMES}
    rows = reference.analyze(model, fit="TPL", pl_package="powerlaw")
    assert len(rows) == len(model)
    assert min(leads(rows, model)) > -1e-9


def test_what_is_reported_is_as_likely_as_the_power_law():
    settings = replace(BARE, fit="TPL")
    for layer in layers(small_model()).values():
        found = measure(layer, settings)
        metrics = found.measurement.metrics
        values = np.sort(np.concatenate(found.eigenvalues))
        tail = values[values >= metrics["xmin"]]
        slope = 1.0 / np.log(tail / tail[0]).mean()
        truncated = log_likelihood(tail, metrics["alpha"], metrics["Lambda"])
        assert truncated >= log_likelihood(tail, 1.0 + slope, 0.0) - 1e-9, layer.name
