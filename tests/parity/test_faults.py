"""Where the reference tool is wrong, it is shown to be, and what we say instead."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from auditor.audit import measure
from auditor.records import Settings, Skip
from auditor.spectral.matrices import cut
from tests.parity import agreement
from tests.parity.agreement import BARE, FAULTS, differing, disagreements, faults, layers
from tests.parity.models import trained
from tests.reference.client import ToolError

pytestmark = pytest.mark.wide

OURS = Settings(bootstrap=0, mp_fit=False, randomize=False)
SHAPES = {
    agreement.SV_MIN: (20, 16, 3, 3),
    agreement.DEPTHWISE: (24, 1, 3, 3),
    agreement.CONV1D: (24, 20, 9),
}


def float32(rng, *shape):
    return trained(rng, *shape).astype(np.float32)


def only(reference, weights, **options):
    """Row and layer of a model of one tensor."""
    tensors = {"layer.weight": weights}
    [row] = reference.analyze(tensors, **options)
    return row, layers(tensors)["layer"]


@pytest.mark.parametrize("fault", SHAPES)
def test_is_wrong_about_some_columns(fault, reference, rng):
    row, layer = only(reference, float32(rng, *SHAPES[fault]))
    assert fault in faults(layer, row)
    found = differing(row, layer).keys()
    assert found
    assert found <= FAULTS[fault] | FAULTS[agreement.SV_MIN]


@pytest.mark.parametrize("shape", [(12, 20, 2, 2), (3, 4, 5, 5)])
def test_a_convolution_has_its_longer_side_as_n(shape, reference, rng):
    row, layer = only(reference, float32(rng, *shape))
    found = measure(layer, BARE).measurement
    assert row["Q"] < 1
    assert (row["N"], row["M"]) == (found.m, found.n)
    assert differing(row, layer).keys() <= {"N", "M", "sv_min"}


def test_sv_min_is_the_smallest_of_all_slices(reference, rng):
    row, layer = only(reference, float32(rng, 20, 16, 3, 3))
    lowest = [np.linalg.svd(matrix, compute_uv=False)[-1] for matrix in layer.slices]
    found = measure(layer, BARE).measurement.metrics["sv_min"]
    assert found == pytest.approx(min(lowest) * math.sqrt(0.5), rel=1e-5)
    assert row["sv_min"] == pytest.approx(max(lowest) * math.sqrt(0.5), rel=1e-5)


def test_a_sample_of_seven_has_the_sigma_of_its_alpha(reference, rng):
    row, layer = only(reference, float32(rng, 9, 8) * np.float32(0.004))
    found = measure(layer, BARE).measurement.metrics
    assert row["sigma"] < 0
    assert found["alpha"] == pytest.approx(row["alpha"])
    assert found["sigma"] == pytest.approx((found["alpha"] - 1) / math.sqrt(row["num_pl_spikes"]))


def test_where_only_all_eigenvalues_have_a_product_below_one_the_last_is_the_smallest(
    reference, rng
):
    sizes = np.append(np.linspace(1.0, 1.01, 19), 0.7)
    left, right = (np.linalg.qr(rng.normal(size=(20, 20)))[0] for _ in "ab")
    row, layer = only(reference, ((left * sizes) @ right).astype(np.float32), detX=True)
    found = measure(layer, replace(BARE, detX=True)).measurement.metrics
    assert found["detX_num"] == row["detX_num"] == 20
    assert found["detX_val"] == pytest.approx(0.49, rel=1e-5)
    assert row["detX_val"] == pytest.approx(1.0, rel=1e-5)


def test_a_small_layer_has_fingers_like_any_other(reference, rng):
    weights = rng.normal(size=(200, 9)).astype(np.float32)
    row, layer = only(reference, weights, fix_fingers="clip_xmax")
    assert agreement.CLIPPED in faults(layer, row)
    assert (row["status"], row["alpha"]) == ("failed", -1)
    found = measure(layer, replace(BARE, fix_fingers="clip_xmax")).measurement.metrics
    assert found["raw_alpha"] > 1
    assert found["alpha"] > 1


def test_float64_is_read_as_such(reference, rng):
    weights = trained(rng, 50, 12) @ trained(rng, 12, 40)
    row, layer = only(reference, weights)
    assert (row["matrix_rank"], row["weak_rank_loss"]) == (40, 28)
    assert measure(layer, BARE).measurement.metrics["matrix_rank"] == 12
    rounded = {"layer.weight": weights.astype(np.float32)}
    assert not disagreements([row], rounded)


def test_a_layer_of_zeros_is_not_over_trained_and_has_no_infinite_norm(reference, rng):
    tensors = {"zero.weight": np.zeros((20, 20), np.float32), "fine.weight": float32(rng, 20, 20)}
    rows = reference.analyze(tensors)
    assert (rows[0]["alpha"], rows[0]["warning"]) == (-1, "over-trained")
    assert rows[0]["log_norm"] == -math.inf
    found = measure(layers(tensors)["zero"], OURS).measurement
    assert found.status == "zero"
    assert math.isnan(found.metrics["alpha"])
    assert math.isnan(found.metrics["log_norm"])


def test_a_layer_with_a_nan_does_not_spoil_the_others(reference, rng):
    tensors = {"bad.weight": float32(rng, 20, 20), "fine.weight": float32(rng, 20, 20)}
    tensors["bad.weight"][3, 4] = math.nan
    with pytest.raises(ToolError, match="must not contain infs or NaNs"):
        reference.analyze(tensors)
    assert isinstance(cut("bad.weight", tensors["bad.weight"], "float32"), Skip)
    assert not disagreements(reference.analyze({"fine.weight": tensors["fine.weight"]}), tensors)


def test_a_tall_vocabulary_is_analysed(reference, rng):
    tensors = {"embed.weight": rng.normal(size=(50_001, 8)).astype(np.float32)}
    assert reference.analyze(tensors) == []
    found = measure(layers(tensors)["embed"], OURS).measurement
    assert (found.status, found.n) == ("success", 50_001)


def test_weights_a_thousand_times_smaller_have_the_same_alpha(reference, rng):
    weights = float32(rng, 60, 40)
    alphas, theirs = {}, {}
    for scale in (1.0, 1e-3):
        row, layer = only(reference, weights * np.float32(scale))
        alphas[scale] = measure(layer, OURS).measurement.metrics["alpha"]
        theirs[scale] = row["alpha"]
    assert alphas[1e-3] == pytest.approx(alphas[1.0], rel=1e-6)
    assert abs(theirs[1e-3] - theirs[1.0]) > 0.1


def test_what_is_drawn_depends_on_our_seed_alone(reference, rng):
    tensors = {"layer.weight": float32(rng, 40, 30)}
    drawn = {reference.analyze(tensors, seed=n, randomize=True)[0]["rand_distance"] for n in (0, 1)}
    assert len(drawn) == 2
    layer = layers(tensors)["layer"]
    given = Settings(bootstrap=0)
    np.random.seed(1)  # noqa: NPY002 - the generator that is not to matter
    first = measure(layer, given)
    np.random.seed(2)  # noqa: NPY002
    assert repr(measure(layer, given)) == repr(first)


def test_measuring_leaves_the_root_logger_alone_and_warnings_heard():
    code = """
import logging, warnings
import numpy as np
from auditor.audit import measure
from auditor.records import Settings
from auditor.spectral.matrices import cut
measure(cut("w", np.random.default_rng(0).normal(size=(40, 30)), "float64"), Settings())
print(logging.root.level == logging.WARNING, logging.root.handlers)
warnings.warn("heard")
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True []\n"
    assert "UserWarning: heard" in done.stderr
