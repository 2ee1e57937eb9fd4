"""One ResNet20 and what became of it: a collapse of scale that nobody had to plant.

Each version is set against the dense one. The log spectral norm of six of its layers fell
under regularisation of the channels, and came back with fine-tuning.
"""

import pytest

from auditor.given import inventory_of
from benchmarks.calibration.auditing import examine

FAMILY = "weights/distiller_resnet20"
COLLAPSED = {
    *(f"layer1.{block}.conv2.weight" for block in (0, 1, 2)),
    *("layer2.1.conv2.weight", "layer3.0.conv2.weight", "layer3.1.conv2.weight"),
}
ZERO = {
    *(f"layer1.{block}.conv{number}.weight" for block in (0, 1) for number in (1, 2)),
    "layer2.2.conv2.weight",
}


@pytest.fixture(scope="module")
def named(data):
    """Layers that a check names in a version, set against the dense one."""
    found = {}

    def layers(version, check):
        if version not in found:
            paths = [data / FAMILY / f"{name}.safetensors" for name in (version, "dense")]
            with inventory_of(paths[0]) as after, inventory_of(paths[1]) as before:
                found[version] = examine(after, before).findings
        return {one.layer for one in found[version] if one.check == check}

    return layers


@pytest.mark.data
def test_the_six_layers_that_regularisation_shrank_are_named(named):
    assert named("ch_regularized_dense", "scale_collapse") == COLLAPSED


@pytest.mark.data
def test_shrunk_layers_stand_out_also_where_pruning_changed_their_shapes(named):
    """A layer of another shape has no counterpart; it still is far below its like."""
    found = named("channel_regularized_resnet20", "scale_collapse")
    assert len(found) >= 4
    assert found < COLLAPSED


@pytest.mark.data
def test_fine_tuning_brings_them_back(named):
    version = "channel_regularized_resnet20_finetuned"
    assert not named(version, "scale_collapse")
    assert not named(version, "scale_explosion")


@pytest.mark.data
@pytest.mark.parametrize("tuned", ["", "_finetuned"])
def test_the_five_layers_of_zeros_are_named(named, tuned):
    assert named(f"4D_regularized_5Lremoved{tuned}", "all_zero") == ZERO
