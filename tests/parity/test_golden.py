"""The reference tool's own tables of real weights."""

import math
from dataclasses import replace

import numpy as np
import pytest

from auditor.audit import measure
from auditor.spectral.powerlaw import REFERENCE_CUT, REFERENCE_SMALL
from tests.parity.agreement import BARE, BULK, DEFAULT, DETX, FINGERS, disagreements, layers
from tests.parity.golden import (
    CONVOLUTIONAL,
    DISTILLER,
    MODELS,
    RANDOMISED,
    RESNETS,
    table,
    weights,
)

# wide: the default suite holds the columns of every layer to the tool itself
pytestmark = [pytest.mark.data, pytest.mark.wide]

SLICES = replace(BARE, pool=False)
OLD = [*DISTILLER, *RESNETS]
OPTIONS = {  # as the tables are named: models, settings, columns
    "default": (MODELS, BARE, DEFAULT),
    "detX": (MODELS, replace(BARE, detX=True), DEFAULT | DETX),
    "nopool": (CONVOLUTIONAL, SLICES, DEFAULT),
    "ww2x": (OLD, SLICES, DEFAULT),
    "ww2x_min50": (OLD, replace(SLICES, min_evals=50), DEFAULT),
    "clip_xmax": (MODELS, replace(BARE, fix_fingers="clip_xmax"), DEFAULT | FINGERS),
    "xmin_peak": (MODELS, replace(BARE, fix_fingers="xmin_peak"), DEFAULT - {"xmax"}),
    "rand_mp": (RANDOMISED, replace(BARE, mp_fit=True), DEFAULT | BULK),
    "plpkg_force": (RESNETS, replace(BARE, xmax="force"), DEFAULT),
}
TABLES = [
    pytest.param(option, model, marks=() if option == "default" else pytest.mark.wide)
    for option, (models, *_) in OPTIONS.items()
    for model in models
]


@pytest.mark.parametrize(("option", "model"), TABLES)
def test_agrees_with_the_table(option, model, data):
    _, settings, columns = OPTIONS[option]
    rows = table(data, f"{model}__{option}")
    assert rows
    assert not disagreements(rows, weights(data, model), settings, columns)


@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_the_package_powerlaw_from_twenty_eigenvalues_on(model, data):
    tensors = weights(data, model)
    rows = table(data, f"{model}__plpkg")
    fitted = {
        name: np.count_nonzero(np.concatenate(measure(layer, BARE).eigenvalues) > REFERENCE_CUT)
        for name, layer in layers(tensors).items()
    }
    enough = [row for row in rows if fitted[row["longname"]] >= REFERENCE_SMALL]
    assert not disagreements(enough, tensors, BARE, DEFAULT - {"xmax"})


def test_a_layer_of_zeros_is_no_over_trained_layer(data):
    model = "distiller_resnet20/4D_regularized_5Lremoved"
    found = layers(weights(data, model))
    failed = [row for row in table(data, f"{model}__default") if row["status"] == "failed"]
    assert len(failed) == 5
    for row in failed:
        measurement = measure(found[row["longname"]], BARE).measurement
        assert (row["alpha"], row["warning"]) == (-1.0, "over-trained")
        assert measurement.status == "zero"
        assert measurement.metrics["norm"] == 0.0
        assert math.isnan(measurement.metrics["alpha"])
        assert math.isnan(measurement.metrics["log_spectral_norm"])
