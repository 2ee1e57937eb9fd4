"""Options of the power-law fit against the reference tool's own tables of real weights."""

import csv
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from auditor.audit import measure
from auditor.records import FloatArray, Layer
from auditor.spectral.alternatives import fit_truncated
from tests.parity.agreement import (
    BARE,
    FITTED,
    Row,
    differing,
    disagreements,
    layers,
    name_of,
    values,
)
from tests.parity.golden import DISTILLER, MODELS, table, weights

pytestmark = pytest.mark.data

CLIPPED = replace(BARE, fix_fingers="clip_xmax")
PEAK = replace(BARE, fix_fingers="xmin_peak")
FORCED = replace(BARE, xmax="force")
FAR = replace(BARE, xmax=1e300)  # the other package's fit: no rule for small samples
UNLIMITED = FITTED - {"xmax"}
FORCED_MODELS = [
    "resnet_cifar10/resnet20",
    pytest.param("resnet_cifar10/resnet56", marks=pytest.mark.wide),
]
FEW = {
    "distiller_resnet20/4D_regularized_5Lremoved",
    "kws_mcu/CNN_S",
    "kws_mcu/DNN_S",
    "kws_mcu/DS_CNN_S",
    "mlperf_tiny/ad_autoencoder",
    "silero_vad/v5_half_fp16",
    "ulfd_trajectory/RFB_epoch040",
}
EVERY = [pytest.param(m, marks=() if m in FEW else pytest.mark.wide) for m in MODELS]
MOST = 13  # eigenvalues that the reference may clip; with fewer its fit fails


def is_depthwise(layer: Layer) -> bool:
    """Whether the reference cuts the layer into vectors."""
    return layer.kind == "depthwise"


@pytest.mark.parametrize("model", EVERY)
def test_xmin_around_the_peak_agrees(model, data):
    rows = table(data, f"{model}__xmin_peak")
    assert rows
    assert not disagreements(rows, weights(data, model), PEAK, UNLIMITED)


@pytest.mark.parametrize("model", EVERY)
def test_the_other_package_agrees(model, data):
    rows = table(data, f"{model}__plpkg")
    assert rows
    assert not disagreements(rows, weights(data, model), FAR, UNLIMITED)


@pytest.mark.parametrize("model", FORCED_MODELS)
def test_a_forced_end_agrees(model, data):
    rows = table(data, f"{model}__plpkg_force")
    assert rows
    assert not disagreements(rows, weights(data, model), FORCED, FITTED)


@pytest.mark.parametrize("model", EVERY)
def test_clipped_fingers_agree(model, data):
    """But where a failed fit is -1: the reference clips more eigenvalues than there are."""
    found = layers(weights(data, model))
    columns = FITTED | {"num_fingers", "raw_alpha"}
    for row in table(data, f"{model}__clip_xmax"):
        layer = found[name_of(row)]
        if row["status"] == "failed":
            assert row["num_evals"] < MOST or math.isnan(values(layer, CLIPPED)["alpha"])
        elif not is_depthwise(layer):
            assert not differing(row, layer, CLIPPED, columns), layer.name


# --- truncated power laws -----------------------------------------------------------------


def likelihood(tail: FloatArray, alpha: float, rate: float) -> float:
    """Logarithm of the likelihood of a truncated power law, normalised by quadrature."""
    t, scaled = tail / tail[0], rate * tail[0]
    whole = quad(lambda u: math.exp((1.0 - alpha) * u - scaled * math.expm1(u)), 0.0, 40.0)[0]
    return float((-alpha * np.log(t) - scaled * (t - 1.0)).sum() - t.size * math.log(whole))


def truncated(rows: list[Row], found: dict[str, Layer]) -> Iterator[tuple[Row, FloatArray]]:
    """Rows whose fit succeeded, each with the tail that the reference chose."""
    for row in rows:
        if row["status"] == "success":
            eigenvalues = np.sort(np.concatenate(measure(found[name_of(row)], BARE).eigenvalues))
            yield row, eigenvalues[-int(row["num_pl_spikes"]) :]


@pytest.mark.parametrize(
    "model",
    [
        "kws_mcu/DNN_S",
        pytest.param("kws_mcu/GRU_S", marks=pytest.mark.wide),
        pytest.param("resnet_cifar10/resnet20", marks=pytest.mark.wide),
        pytest.param("stories260k/stories260K", marks=pytest.mark.wide),
    ],
)
def test_a_truncated_law_is_at_least_as_likely_as_the_references(model, data):
    found = layers(weights(data, model))
    pairs = list(truncated(table(data, f"{model}__TPL"), found))
    assert pairs
    for row, tail in pairs:
        fit = fit_truncated(tail)
        ours = likelihood(tail, fit.alpha, fit.Lambda)
        assert ours >= likelihood(tail, row["alpha"], row["Lambda"]) - 1e-9, row["longname"]


# --- published numbers --------------------------------------------------------------------


def published(data: Path) -> dict[str, dict[str, float]]:
    """Means over the slices of ResNet20 that were published with version 0.2 of the reference."""
    path = data / "tables" / "distiller_resnet20_reference.csv"
    with path.open(encoding="utf-8") as lines:
        return {
            row["model"]: {
                name.removesuffix("_published"): float(text)
                for name, text in row.items()
                if name.endswith("_published")
            }
            for row in csv.DictReader(lines)
        }


@pytest.mark.parametrize("model", DISTILLER)
def test_published_numbers_are_found_again(model, data):
    """Eigenvalues as they are, those of a slice at least 50, the norm's logarithm halved."""
    settings = replace(FORCED, pool=False, min_evals=50)
    found = layers(weights(data, model), settings)
    whole = [replace(part, kind="linear") for part in found.values()]  # so nothing is halved
    rows = [values(part, settings) for part in whole if min(part.slices[0].shape) >= 50]
    means = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
    means["log_norm"] /= 2.0
    wanted = published(data)[model.split("/")[1]]
    assert set(wanted) == {"alpha", "log_norm", "alpha_weighted"}
    for name, value in wanted.items():
        assert means[name] == pytest.approx(value, abs=1e-5), name
