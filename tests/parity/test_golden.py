"""The reference tool's own tables of real weights."""

import math

import pytest

from auditor.audit import measure
from tests.parity.agreement import BARE, disagreements, layers
from tests.parity.golden import MODELS, table, weights

pytestmark = pytest.mark.data


@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_the_default_columns_of(model, data):
    assert not disagreements(table(data, f"{model}__default"), weights(data, model))


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
