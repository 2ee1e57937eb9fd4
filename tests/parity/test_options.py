"""Options of the reference tool on models made here."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from auditor.records import Settings
from tests.parity.agreement import BARE, BULK, DEFAULT, DETX, FINGERS, disagreements, layers, values
from tests.parity.models import small_model, trained

pytestmark = pytest.mark.wide  # the default suite holds the columns of every layer to the tool

OPTIONS: dict[str, tuple[dict[str, Any], Settings, set[str]]] = {
    "default": ({}, BARE, DEFAULT),
    "detX": ({"detX": True}, replace(BARE, detX=True), DEFAULT | DETX),
    "pool": ({"pool": False}, replace(BARE, pool=False), DEFAULT),
    "mp_fit": ({"mp_fit": True}, replace(BARE, mp_fit=True), DEFAULT | BULK),
    "clip_xmax": (
        {"fix_fingers": "clip_xmax"},
        replace(BARE, fix_fingers="clip_xmax"),
        DEFAULT | FINGERS,
    ),
    "xmin_peak": (
        {"fix_fingers": "xmin_peak", "pl_package": "powerlaw"},
        replace(BARE, fix_fingers="xmin_peak"),
        DEFAULT - {"xmax"},  # the package powerlaw tells none
    ),
    "xmax": (
        {"xmax": "force", "pl_package": "powerlaw"},
        replace(BARE, xmax="force"),
        DEFAULT,
    ),
}


MORE = [pytest.param(seed, marks=pytest.mark.wide) for seed in range(1, 15)]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("seed", [0, *MORE])
def test_agrees_on_every_kind_of_layer(option, seed, reference):
    asked, settings, columns = OPTIONS[option]
    model = small_model(seed)
    rows = reference.analyze(model, **asked)
    assert len(rows) >= len(model)
    assert not disagreements(rows, model, settings, columns)


@pytest.mark.wide
@pytest.mark.parametrize("shape", [(768, 768), (2304, 768), (600, 3000), (256, 128, 3, 3)])
def test_agrees_on_large_layers(shape, reference, rng):
    model = {"layer.weight": trained(rng, *shape).astype(np.float32)}
    rows = reference.analyze(model, detX=True)
    assert not disagreements(rows, model, replace(BARE, detX=True), DEFAULT | DETX)


def test_layers_of_fewer_eigenvalues_than_asked_for_are_not_fitted(reference):
    model = small_model()
    rows = reference.analyze(model, min_evals=40)
    settings = replace(BARE, min_evals=40)
    assert not disagreements(rows, model, settings)
    names = {row["longname"] for row in rows}
    for name, layer in layers(model).items():
        found = values(layer, settings)
        assert (found["num_evals"] >= 40) == (name in names)
        assert (found["alpha"] > 0) == (name in names)
