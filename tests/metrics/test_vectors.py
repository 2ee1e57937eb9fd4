import math

import numpy as np
import pytest

from auditor.audit import measure
from auditor.metrics import vectors
from auditor.records import Layer, Settings
from auditor.spectral.matrices import cut
from tests.metrics.spectra import of

WANTED = Settings(bootstrap=0, mp_fit=False, randomize=False, vectors=True)


def measured(w: np.ndarray) -> dict[str, float]:
    layer = cut("fc.weight", w, "float64")
    assert isinstance(layer, Layer)
    return dict(measure(layer, WANTED).measurement.metrics)


@pytest.fixture
def trained(rng):
    """Noise and a tail of directions, each of one input only."""
    strengths = 400.0 / np.arange(1, 16)
    w = rng.normal(size=(120, 60))
    w[:, :15] += np.linalg.qr(rng.normal(size=(120, 15)))[0] * strengths
    return w


def test_there_are_a_mean_and_a_variance_for_every_side_part_and_statistic():
    names = [metric.name for metric in vectors.METRICS]
    assert len(set(names)) == 24
    assert {"bulk_mean_vec_entropy", "tail_var_loc_ratio", "left_tail_mean_part_ratio"} <= set(
        names
    )
    assert len({metric.label for metric in vectors.METRICS}) == 24


def test_a_tail_of_localised_directions_is_seen_on_their_side_only(trained):
    found = measured(trained)
    assert found["tail_mean_part_ratio"] < 0.8 * found["bulk_mean_part_ratio"]
    assert found["tail_mean_loc_ratio"] < 0.8 * found["bulk_mean_loc_ratio"]
    assert found["tail_mean_vec_entropy"] < found["bulk_mean_vec_entropy"]
    assert found["left_tail_mean_part_ratio"] > 0.9 * found["left_bulk_mean_part_ratio"]


def test_the_split_is_at_the_beginning_of_the_tail(trained):
    found = measured(trained)
    right = np.linalg.svd(trained)[2]
    fourth = 1.0 / np.sum(right**4, axis=1) ** 0.25
    tail = int(found["num_pl_spikes"])
    assert found["tail_mean_part_ratio"] == pytest.approx(fourth[:tail].mean())
    assert found["bulk_var_part_ratio"] == pytest.approx(fourth[tail:].var(), rel=1e-6)


def test_orientation_and_scale_change_nothing(trained):
    first, other = measured(trained), measured(-1e-6 * trained.T)
    for metric in vectors.METRICS:
        assert other[metric.name] == pytest.approx(first[metric.name], rel=1e-6), metric.name


def test_undefined_without_a_tail_and_without_the_weights(rng):
    few = measured(rng.normal(size=(5, 4)))
    assert all(math.isnan(few[metric.name]) for metric in vectors.METRICS)
    without = of(rng.pareto(2.0, 100) + 1.0)
    assert all(math.isnan(metric.compute(without)) for metric in vectors.METRICS)
