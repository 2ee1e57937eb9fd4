"""Statistics of singular vectors against the reference tool's.

The tool finds xmin among squared singular values and splits the vectors by eigenvalues of
another routine: rounding decides on which side the vector of xmin itself falls. Either side
is accepted here; ours is the tail, which so has `num_pl_spikes` vectors.
"""

from dataclasses import replace

import numpy as np
import pytest

from auditor.audit import measure
from auditor.spectral.vectors import STATISTICS, vector_statistics
from tests.parity.agreement import BARE, LOOSE, layers
from tests.parity.golden import weights
from tests.parity.models import small_model

VECTORS = {
    f"{part}_{moment}_{name}"
    for part in ("bulk", "tail")
    for moment in ("mean", "var")
    for name in ("vec_entropy", "loc_ratio", "part_ratio")
}
SETTINGS = replace(BARE, vectors=True)


def split_below(layer, found):
    """The columns, were the vector of xmin one of the bulk."""
    statistics = vector_statistics(layer.slices, found.eigenvalues)
    is_tail = statistics.eigenvalues > found.measurement.metrics["xmin"]
    parts = {"tail": statistics.right[is_tail], "bulk": statistics.right[~is_tail]}
    return {
        f"{part}_{moment}_{name}": compute(rows[:, place])
        for part, rows in parts.items()
        for moment, compute in (("mean", np.mean), ("var", np.var))
        for place, name in enumerate(STATISTICS)
    }


def assert_alike(row, layer):
    found = measure(layer, SETTINGS)
    ours = [{name: found.measurement.metrics[name] for name in VECTORS}, split_below(layer, found)]
    theirs = pytest.approx({name: row[name] for name in VECTORS}, rel=LOOSE, nan_ok=True)
    assert any(columns == theirs for columns in ours), row["longname"]


@pytest.mark.parametrize("seed", range(3))
def test_agrees_on_every_kind_of_layer(seed, reference):
    model = small_model(seed)
    del model["low_rank.weight"]  # the reference counts any basis of its null space
    for row in reference.analyze(model, vectors=True):
        assert_alike(row, layers(model)[row["longname"]])


@pytest.mark.wide
@pytest.mark.data
@pytest.mark.parametrize("model", ["resnet_cifar10/resnet20", "stories260k/stories260K"])
def test_agrees_on_real_weights(model, reference, data):
    tensors = weights(data, model)
    kept = {name: tensors[f"{name}.weight"] for name in layers(tensors)}
    for row in reference.analyze(kept, vectors=True):
        assert_alike(row, layers(tensors)[row["longname"]])
