"""Distances between two versions of a model against the reference tool's."""

import numpy as np
import pytest

from auditor.audit import measure
from auditor.changes import Sides, change, match
from auditor.records import LayerRecord
from tests.parity.agreement import BARE, layers
from tests.parity.models import small_model, trained

pytestmark = pytest.mark.wide  # the default suite holds the columns of every layer to the tool

FLOAT32 = 1e-6  # the reference subtracts and multiplies in float32
COLUMNS = {"raw": "delta_W", "cka": "ww_cka"}


def further(model, rng):
    """The model after some more training."""
    return {
        name: array + 0.2 * trained(rng, *array.shape).astype(np.float32)
        for name, array in model.items()
    }


def record(layer, digest):
    measured = measure(layer, BARE).measurement
    return LayerRecord(layer.name, 0, 0, layer.kind, layer.dtype, layer.shape, digest, measured)


def distances(before, after):
    """Every distance between layers of two different digests."""
    sides = Sides(weights=lambda: (before.slices, after.slices), spectra=None)
    return change(record(before, "1"), record(after, "2"), sides, more=True).distances


@pytest.mark.parametrize("method", COLUMNS)
def test_agrees_on_every_kind_of_layer(method, reference, rng):
    before = small_model()
    after = further(before, rng)
    first, second = layers(before), layers(after)
    rows = reference.distances(before, after, method=method)
    assert len(rows) == len(before)
    for row in rows:
        name = row["longname"]
        found = distances(first[name], second[name])
        assert found[COLUMNS[method]] == pytest.approx(row["delta_W"], rel=FLOAT32), name


def test_layers_are_matched_by_name_not_by_order(reference, rng):
    old = {name: trained(rng, 20, 20).astype(np.float32) for name in ("a.weight", "b.weight")}
    new = {"inserted.weight": trained(rng, 20, 20).astype(np.float32), **old}
    rows = reference.distances(old, new, method="raw")
    assert [row["longname"] for row in rows] == ["a", "b"]
    assert all(row["delta_W"] > 1.0 for row in rows)
    shapes = [{name: array.shape for name, array in model.items()} for model in (new, old)]
    assert match(*shapes).both == ("a.weight", "b.weight")
    assert match(*shapes).added == ("inserted.weight",)
    first, second = layers(old), layers(new)
    assert all(distances(first[name], second[name])["delta_W"] == 0.0 for name in first)
