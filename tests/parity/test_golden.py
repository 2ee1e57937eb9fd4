"""The reference tool's own tables of real weights."""

import math
from dataclasses import replace

import pytest

from auditor.audit import measure
from tests.parity.agreement import BARE, DEFAULT, DETX, disagreements, layers
from tests.parity.golden import MODELS, table, weights

pytestmark = pytest.mark.data


OPTIONS = {
    "default": (BARE, DEFAULT),
    "detX": (replace(BARE, detX=True), DEFAULT | DETX),
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_the_table_of(model, option, data):
    settings, columns = OPTIONS[option]
    rows = table(data, f"{model}__{option}")
    assert not disagreements(rows, weights(data, model), settings, columns)


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
