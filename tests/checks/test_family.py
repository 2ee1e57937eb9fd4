"""Layers held against the profile of their family."""

import math
from dataclasses import replace
from typing import Any

import pytest

from auditor.checks.base import Case
from auditor.checks.family import OutsideProfile, headlines
from auditor.records import Band, Profile
from tests.render.factory import layer

BAND = Band(n=40, p5=3.0, median=3.5, p95=4.0)


def profile(band: Band = BAND, metric: str = "alpha", audits: int = 10) -> Profile:
    return Profile("digits", "d" * 64, audits, {"dense": {metric: band}})


def measured(alpha: float):
    """A dense layer with that α and nothing else to say."""
    made = layer("fc.weight")
    return replace(made, kind="dense", measured=replace(made.measured, metrics={"alpha": alpha}))


def found(alpha: float, told: Profile | None, **thresholds: Any):
    return list(OutsideProfile(**thresholds)(Case([measured(alpha)], profile=told)))


@pytest.mark.parametrize(
    ("alpha", "out"),
    [(3.5, False), (2.01, False), (4.99, False), (1.9, True), (5.1, True), (math.nan, False)],
)
def test_a_layer_is_outside_beyond_the_band_widened_by_its_width(alpha, out):
    assert bool(found(alpha, profile())) is out


def test_it_says_where_layers_of_its_kind_usually_lie():
    (one,) = found(6.0, profile())
    assert one.layer == "fc.weight"
    assert one.message == "fc.weight: α 6, usual are 3 to 4 in dense layers of profile digits"
    assert (one.limit, one.value) == (5.0, 6.0)
    (low,) = found(1.0, profile())
    assert low.limit == 2.0


def test_a_band_of_chance_is_not_believed():
    """Few audits of copies would give a band without any width."""
    narrow = replace(BAND, p5=3.5, p95=3.5)
    assert not found(3.9, profile(narrow))
    assert found(4.6, profile(narrow))


def test_too_few_layers_or_audits_say_nothing():
    assert not found(9.0, profile(replace(BAND, n=19)))
    assert not found(9.0, profile(audits=4))
    assert found(9.0, profile(audits=4), min_audits=4)
    assert not found(9.0, None)


def test_kinds_and_metrics_the_profile_has_not_say_nothing():
    other = Profile("digits", "d", 10, {"conv2d": {"alpha": BAND}})
    assert not found(9.0, other)
    assert not found(9.0, profile(metric="log_spectral_norm"))


def test_only_the_metric_that_is_farthest_out_is_told():
    made = layer("fc.weight")
    metrics = {"alpha": 5.5, "log_spectral_norm": 9.0, "stable_rank": 1.0}
    both = {"dense": {"alpha": BAND, "log_spectral_norm": replace(BAND, p5=0.0, p95=1.0)}}
    one = replace(made, kind="dense", measured=replace(made.measured, metrics=metrics))
    (told,) = OutsideProfile()(Case([one], profile=Profile("p", "d", 10, both)))
    assert told.evidence["metric"] == "log_spectral_norm"


def test_stable_rank_is_a_share_so_that_widths_do_not_matter():
    assert headlines({"stable_rank": 8.0}, 32) == headlines({"stable_rank": 16.0}, 64)
