import math
from dataclasses import replace
from datetime import date

import pytest

from auditor.checks.base import Case
from auditor.checks.scale import RankCollapse, ScaleCollapse, ScaleExplosion, robust_z
from auditor.policy import Before, judge, preset
from auditor.records import Origin
from tests.render.factory import compared, layer, version


def against(now, before):
    """`now` compared with one earlier layer of the same name."""
    return Case((now,), comparison=compared([now], {now.name: before}, version(number="1")))


@pytest.mark.parametrize(("rank", "found"), [(25, True), (26, False), (256, False)])
def test_rank_below_a_tenth_is_a_collapse_without_any_baseline(rank, found):
    assert bool(list(RankCollapse()(Case((layer("fc", m=256, matrix_rank=rank),))))) == found


@pytest.mark.parametrize(("rank", "found"), [(204, True), (206, False)])
def test_a_fall_of_more_than_a_fifth_of_m_is_a_collapse(rank, found):
    case = against(layer("fc", matrix_rank=rank), layer("fc", matrix_rank=256))
    assert bool(list(RankCollapse()(case))) == found


@pytest.mark.parametrize(
    ("moved", "collapsed", "exploded"),
    [(-1.0, True, False), (-0.99, False, False), (0.99, False, False), (1.0, False, True)],
)
def test_scale_is_judged_by_the_change_of_the_log_spectral_norm(moved, collapsed, exploded):
    case = against(layer("fc", log_spectral_norm=2.0 + moved), layer("fc", log_spectral_norm=2.0))
    assert bool(list(ScaleCollapse()(case))) == collapsed
    assert bool(list(ScaleExplosion()(case))) == exploded


def test_the_message_says_how_many_times_smaller():
    case = against(layer("fc", log_spectral_norm=-2.0), layer("fc", log_spectral_norm=2.0))
    (finding,) = ScaleCollapse()(case)
    assert "100 times smaller" in finding.message  # of singular values; eigenvalues: 10 000


def outlier(size, value):
    norms = [1.0 + 0.1 * (i % 5) for i in range(size - 1)]
    layers = [layer(f"h.{i}", i, log_spectral_norm=norm) for i, norm in enumerate(norms)]
    return (*layers, layer("h.99", size, log_spectral_norm=value))


def test_without_a_baseline_a_layer_is_judged_among_its_kind():
    (finding,) = ScaleCollapse()(Case(outlier(12, -1.0)))
    assert finding.layer == "h.99"
    assert not list(ScaleExplosion()(Case(outlier(12, -1.0))))
    assert [f.layer for f in ScaleExplosion()(Case(outlier(12, 4.0)))] == ["h.99"]


def test_layers_of_other_modules_are_no_measure():
    """Twelve wide layers say nothing about a narrow one of another name."""
    *wide, narrow = outlier(13, -1.0)
    (renamed,) = (layer("attn.proj", log_spectral_norm=narrow.metrics["log_spectral_norm"]),)
    assert not list(ScaleCollapse()(Case((*wide, renamed))))


def test_kernels_of_another_size_are_no_measure():
    """Keras numbers all convolutions alike: those of 3 by 3, and the one of 1 by 1 beside."""
    *blocks, shortcut = outlier(13, -1.0)
    convolutions = [replace(block, shape=(*block.shape, 3, 3)) for block in blocks]
    assert list(ScaleCollapse()(Case((*blocks, shortcut))))
    alike = Case((*convolutions, replace(shortcut, shape=(*shortcut.shape, 1, 1))))
    assert not list(ScaleCollapse()(alike))


def test_blocks_that_hardly_differ_do_not_make_a_small_difference_large():
    norms = [1.0 + 0.001 * (i % 3) for i in range(12)]
    layers = [layer(f"h.{i}", i, log_spectral_norm=norm) for i, norm in enumerate(norms)]
    assert not list(ScaleCollapse()(Case((*layers, layer("h.99", log_spectral_norm=0.6)))))
    assert list(ScaleCollapse()(Case((*layers, layer("h.99", log_spectral_norm=0.4)))))


def test_fewer_than_eight_layers_of_a_kind_say_nothing():
    assert not list(ScaleCollapse()(Case(outlier(7, -9.0))))


def test_the_score_is_blind_to_the_scale_of_the_whole_model():
    shifted = [
        layer(x.name, log_spectral_norm=x.metrics["log_spectral_norm"] - 12.0)
        for x in outlier(12, 0.0)
    ]
    here, there = robust_z(Case(outlier(12, 0.0))), robust_z(Case(shifted))
    assert here.keys() == there.keys()
    assert all(math.isclose(here[name], there[name], abs_tol=1e-9) for name in here)


def back_from(exploded: float, moved: float, origin: Origin = Origin.NEW):
    """A layer that moved since a baseline which itself had exploded by so much."""
    case = against(layer("fc", log_spectral_norm=2.0 + moved), layer("fc", log_spectral_norm=2.0))
    (stood,) = ScaleExplosion()(
        against(layer("fc", log_spectral_norm=exploded), layer("fc", log_spectral_norm=0.0))
    )
    stood = replace(stood, check="scale_explosion", origin=origin)
    judgement = judge(
        case, preset("recommended"), Before(findings=[stood]), model="m", as_of=date(2026, 1, 1)
    )
    return [found.check for found in judgement.findings if found.origin != Origin.FIXED]


def test_coming_back_from_an_explosion_nobody_accepted_is_no_collapse():
    assert back_from(exploded=1.5, moved=-1.5) == []
    assert back_from(exploded=1.5, moved=-1.5, origin=Origin.ACCEPTED) == ["scale_collapse"]


def test_falling_further_than_the_explosion_is_a_collapse():
    assert back_from(exploded=1.5, moved=-2.4) == []
    assert back_from(exploded=1.5, moved=-2.5) == ["scale_collapse"]
