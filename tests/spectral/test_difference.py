"""What was added between two versions: planted updates are found again, in any precision."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from auditor.spectral.difference import difference
from auditor.spectral.spectrum import roundoff

KINDS = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def stored(weight, kind):
    """A weight as a file keeps it, widened again as it is read."""
    made = torch.from_numpy(np.ascontiguousarray(weight)).to(KINDS[kind])
    return made.to(torch.float64 if kind == "float64" else torch.float32).numpy()


def low_rank(rng, shape, rank, size=0.2):
    update = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    return size * update / np.sqrt(rank)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [1, 4, 16])
def test_a_merged_adapter_has_its_rank_in_every_precision(rng, kind, rank):
    before = stored(rng.normal(size=(200, 160)), kind)
    after = stored(before + low_rank(rng, before.shape, rank), kind)
    found = difference([before], [after], roundoff(kind))
    assert found["delta_directions"] == rank
    assert found["delta_rank"] >= 0.5 * rank


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_trained_without_a_limit_needs_nearly_all_directions(rng, kind):
    before = stored(rng.normal(size=(120, 100)), kind)
    after = stored(before + 0.1 * rng.normal(size=before.shape), kind)
    assert difference([before], [after], roundoff(kind))["delta_directions"] > 90


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_rounding_alone_needs_no_direction(rng, kind):
    before = rng.normal(size=(120, 100)).astype(np.float32)
    found = difference([before], [stored(before, kind)], roundoff(kind))
    assert found["delta_directions"] == 0.0
    assert found["delta_entries"] > 0.9


def test_pruned_entries_are_told_from_changed_ones(rng):
    before = rng.normal(size=(40, 30))
    after = np.where(np.abs(before) < 0.5, 0.0, before)
    share = float((after == 0.0).mean())
    found = difference([before], [after], 0.0)
    assert found["delta_zeroed"] == found["delta_entries"] == share
    after[0] += 1.0
    found = difference([before], [after], 0.0)
    assert found["delta_zeroed"] < found["delta_entries"]


def test_entries_that_were_zero_did_not_become_it():
    before = np.zeros((9, 8))
    assert difference([before], [before], 0.0)["delta_zeroed"] == 0.0


def test_the_slice_that_needs_most_directions_counts(rng):
    before = [rng.normal(size=(20, 20)) for _ in range(3)]
    after = [before[0], before[1] + low_rank(rng, (20, 20), 3), before[2]]
    assert difference(before, after, 0.0)["delta_directions"] == 3.0


def test_nothing_added_is_nothing(rng):
    before = rng.normal(size=(20, 12))
    found = difference([before], [before.copy()], 0.0)
    assert math.isnan(found.pop("delta_alpha"))
    assert math.isnan(found.pop("delta_alpha_error"))
    assert set(found.values()) == {0.0}


@given(seed=st.integers(0, 50), power=st.integers(-20, 20))
def test_a_scale_of_both_changes_nothing(seed, power):
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(20, 12))
    after = before + low_rank(rng, before.shape, 2)
    scale = 2.0**power
    plain = difference([before], [after], 2.0**-7)
    assert difference([scale * before], [scale * after], 2.0**-7) == pytest.approx(
        plain, nan_ok=True
    )


@given(seed=st.integers(0, 50))
def test_there_and_back_are_the_same_directions(seed):
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(20, 12))
    after = before + low_rank(rng, before.shape, 2)
    there, back = difference([before], [after], 0.0), difference([after], [before], 0.0)
    assert there["delta_directions"] == back["delta_directions"] == 2.0
    assert there["delta_rank"] == pytest.approx(back["delta_rank"])
