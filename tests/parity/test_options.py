"""Options of the reference tool on models made here."""

from dataclasses import replace

import pytest

from tests.parity.agreement import BARE, DEFAULT, DETX, disagreements, layers, values
from tests.parity.models import small_model

OPTIONS = {
    "detX": ({"detX": True}, replace(BARE, detX=True), DEFAULT | DETX),
    "pool": ({"pool": False}, replace(BARE, pool=False), DEFAULT),
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_option(option, seed, reference):
    asked, settings, columns = OPTIONS[option]
    model = small_model(seed)
    rows = reference.analyze(model, **asked)
    assert len(rows) >= len(model)
    assert not disagreements(rows, model, settings, columns)


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
