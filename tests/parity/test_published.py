"""Numbers printed in a publication, on the very weights that they were printed for.

Version 0.2 of the reference tool made them: slice by slice of at least 50 eigenvalues, a tail
of any size that ends at the largest eigenvalue, no factor on convolutions, which is how the
convention ``auditor`` has them, and the norm not squared.
"""

import csv
from statistics import fmean

import pytest

from auditor.audit import measure
from auditor.records import Settings
from tests.parity.agreement import layers
from tests.parity.golden import DISTILLER, weights

pytestmark = pytest.mark.data

OLD = Settings(
    pool=False,
    min_evals=50,
    min_tail=2,
    xmax="force",
    bootstrap=0,
    mp_fit=False,
    randomize=False,
)


def test_means_of_six_pruned_and_regularised_resnets(data):
    with (data / "tables" / "distiller_resnet20_reference.csv").open(encoding="utf-8") as lines:
        published = {row["model"]: row for row in csv.DictReader(lines)}
    assert published.keys() == {model.partition("/")[2] for model in DISTILLER}
    for model, row in published.items():
        tensors = weights(data, f"distiller_resnet20/{model}")
        parts = [layer for layer in layers(tensors, OLD).values() if layer.kind == "conv2d"]
        slices = [measure(part, OLD).measurement for part in parts]
        fitted = [found.metrics for found in slices if found.num_evals >= OLD.min_evals]
        assert len(fitted) == int(row["slices"])
        for column, scale in (("alpha", 1.0), ("alpha_weighted", 1.0), ("log_norm", 0.5)):
            mean = scale * fmean(metrics[column] for metrics in fitted)
            assert mean == pytest.approx(float(row[f"{column}_published"]), abs=1e-5), model
            assert mean == pytest.approx(float(row[f"{column}_now"]), abs=1e-9), model
