"""Columns that rest on drawn numbers: the same distribution over seeds as the reference's."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from auditor.audit import measure
from tests.parity.agreement import BARE, CONV1D, DEPTHWISE, faults, layers
from tests.parity.golden import table, weights
from tests.parity.models import small_model

pytestmark = pytest.mark.wide

DRAWN = {
    "max_rand_eval",
    "rand_distance",
    "ww_softrank",
    "ww_maxdist",
    "num_traps",
    "rand_num_spikes",
    "rand_sigma_mp",
    "rand_mp_softrank",
    "rand_W_scale",
    "rand_bulk_min",
    "rand_bulk_max",
}
NAMES = ["blocks.0.square.weight", "conv.three.weight", "heavy.weight"]
MODELS = [
    "distiller_resnet20/dense",
    "kws_mcu/DNN_S",
    "mlperf_tiny/ic_resnet8",
    "stories260k/stories260K",
    "ulfd_trajectory/RFB_epoch499",
]
SEEDS = 20  # of the reference's, a second a layer; ours are a thousand times as fast
RARE = 1e-4  # for 33 comparisons


def drawn(layer, seeds):
    """Ours: column -> a value for every seed."""
    settings = replace(BARE, randomize=True)
    rows = [measure(layer, replace(settings, seed=n)).measurement.metrics for n in range(seeds)]
    return {column: np.array([row[column] for row in rows]) for column in DRAWN}


def test_are_distributed_alike(reference):
    model = {name: array for name, array in small_model().items() if name in NAMES}
    tables = [reference.analyze(model, randomize=True, seed=n) for n in range(SEEDS)]
    found = layers(model)
    for rows in zip(*tables, strict=True):
        name = rows[0]["longname"]
        ours = drawn(found[name], 10 * SEEDS)
        for column in sorted(DRAWN):
            samples = [np.array([row[column] for row in rows]), ours[column]]
            alike = ks_2samp(*(np.round(sample, 9) for sample in samples))
            assert alike.pvalue > RARE, f"{name}: {column}"


@pytest.mark.data
@pytest.mark.parametrize("model", MODELS)
def test_a_draw_of_the_reference_could_be_one_of_ours(model, data):
    found = layers(weights(data, model))
    for row in table(data, f"{model}__rand_mp"):
        layer = found[row["longname"]]
        if faults(layer, row) & {DEPTHWISE, CONV1D} or row["norm"] == 0.0:
            continue
        ours = drawn(layer, SEEDS)
        for column in sorted(DRAWN):
            mean, spread = ours[column].mean(), ours[column].std()
            near = 10.0 * spread + 1e-6 * abs(mean)  # a few huge entries may meet in a row
            assert abs(row[column] - mean) <= near, f"{layer.name}: {column}"
