"""Pairs of units: parts with parts, adapters with adapters, and what only has another name."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from auditor.given import inventory_of
from auditor.measuring import Baseline, Bench, Measured, measure_version
from auditor.memory import Passing
from auditor.records import ModelVersion, Settings, VersionId

VERSION = ModelVersion(VersionId("", "net", "1"), datetime(2026, 1, 1, tzinfo=UTC), "net", "")
PLAIN = Settings(bootstrap=0, mp_fit=False, randomize=False)


def measured(state, settings, memory, baseline=None) -> Measured:
    with inventory_of(state) as inventory:
        return measure_version(inventory, baseline, Bench(memory, settings, 2**32))


def against(before, after, *, stored=False, **options) -> Measured:
    """`after` with `before` as its baseline: its tensors, or only what was kept of it."""
    settings, memory = replace(PLAIN, **options), Passing()
    layers = {layer.name: layer for layer in measured(before, settings, memory).layers}
    with inventory_of(before) as inventory:
        tensors = {} if stored else {tensor.name: tensor for tensor in inventory.tensors}
        return measured(after, settings, memory, Baseline(VERSION, tensors, layers))


def convolution(rng, *, scale):
    """Two slices, of which the second is scaled."""
    w = rng.normal(size=(12, 10, 1, 2)).astype(np.float32)
    after = w.copy()
    after[..., 1] *= scale
    return {"conv.weight": w, "fc1.weight": w[..., 0, 0]}, {"conv.weight": after}


@pytest.mark.parametrize("stored", [False, True])
def test_a_part_is_compared_with_the_same_part(rng, stored):
    before, after = convolution(rng, scale=2)
    comparison = against(before, after, stored=stored, pool=False).comparison
    assert comparison is not None
    changes = {change.name: change.distances for change in comparison.layers}
    assert list(changes) == ["conv.weight[0]", "conv.weight[1]"]
    assert changes["conv.weight[1]"]["d_log_norm"] == pytest.approx(np.log10(4), rel=1e-6)
    assert changes["conv.weight[0]"]["d_log_norm"] == 0.0
    expected = [np.nan, np.nan] if stored else [0.0, 1.0]
    relative = [change["relative"] for change in changes.values()]
    np.testing.assert_allclose(relative, expected, rtol=1e-6)
    assert (comparison.added, comparison.removed) == ((), ("fc1.weight",))


def test_equal_weights_are_at_distance_zero_part_by_part(rng):
    before, _ = convolution(rng, scale=1)
    comparison = against(before, before, pool=False).comparison
    assert comparison is not None
    assert [change.distances["delta_W"] for change in comparison.layers] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("stored", [False, True])
def test_the_parts_of_a_renamed_tensor_are_renamed(rng, stored):
    before, _ = convolution(rng, scale=1)
    after = {name.replace("conv", "stem"): value for name, value in before.items()}
    comparison = against(before, after, stored=stored, pool=False).comparison
    assert comparison is not None
    wanted = tuple((f"conv.weight[{i}]", f"stem.weight[{i}]") for i in range(2))
    assert comparison.renamed == wanted
    assert (comparison.added, comparison.removed) == ((), ())
    assert {change.name for change in comparison.layers} == {*dict(wanted).values(), "fc1.weight"}


def test_query_key_and_value_are_compared_apart(rng):
    before = {"h.0.attn.c_attn.weight": rng.normal(size=(10, 30))}
    after = {name: value.copy() for name, value in before.items()}
    after["h.0.attn.c_attn.weight"][:, 10:20] *= 3
    comparison = against(before, after, split_qkv=True).comparison
    assert comparison is not None
    found = [change.distances["relative"] for change in comparison.layers]
    np.testing.assert_allclose(found, [0.0, 2.0, 0.0], atol=1e-12)


def test_what_an_option_does_not_change_is_not_measured_again(rng):
    """Neither the choice of layers nor of distances touches the numbers of a layer."""
    state, memory = {"a.weight": rng.normal(size=(9, 9)), "b.weight": np.eye(9)}, Passing()
    chosen, further = replace(PLAIN, layers=("a.*",)), replace(PLAIN, more_distances=True)
    for settings in (PLAIN, chosen, further):
        measured(state, settings, memory)
        assert len(memory.found) == 2
    measured(state, replace(PLAIN, seed=1), memory)
    assert len(memory.found) == 4


def test_further_distances_are_made_on_request(rng):
    before, after = ({"fc1.weight": rng.normal(size=(12, 10))} for _ in range(2))
    for more in (False, True):
        comparison = against(before, after, more_distances=more).comparison
        assert comparison is not None
        assert ("cka_distance" in comparison.layers[0].distances) is more
