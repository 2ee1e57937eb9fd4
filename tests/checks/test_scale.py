import math
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import analyze
from auditor.checks.base import Case
from auditor.checks.peers import scores
from auditor.checks.scale import RankCollapse, ScaleCollapse, ScaleExplosion
from auditor.policy import Before, judge, preset
from auditor.records import Band, Profile, Severity, Waiver
from tests.render.factory import compared, layer, version

FIRST = date(2026, 1, 1)


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


def test_fewer_than_six_layers_of_a_kind_say_nothing():
    assert not list(ScaleCollapse()(Case(outlier(5, -9.0))))


def test_the_score_is_blind_to_the_scale_of_the_whole_model():
    shifted = [
        layer(x.name, log_spectral_norm=x.metrics["log_spectral_norm"] - 12.0)
        for x in outlier(12, 0.0)
    ]
    here, there = scores(Case(outlier(12, 0.0))), scores(Case(shifted))
    assert here.keys() == there.keys()
    for name in here:
        pairs = zip(here[name], there[name], strict=True)
        assert all(math.isclose(a.z, b.z, abs_tol=1e-9) for a, b in pairs)


# --- neighbours in depth ------------------------------------------------------------------


ANY = layer("any")


def row(norms):
    """One layer a block, of these log spectral norms."""
    return tuple(
        replace(
            ANY,
            name=f"layer.{i}.w",
            index=i,
            measured=replace(ANY.measured, metrics={**ANY.metrics, "log_spectral_norm": norm}),
        )
        for i, norm in enumerate(norms)
    )


def far(norms, place, by):
    return [x + by * (i == place) for i, x in enumerate(norms)]


SMOOTH = [0.3 * i for i in range(12)]  # a factor of 1.4 from block to block


@pytest.mark.parametrize("place", range(12))
def test_a_smooth_trend_hides_no_collapse_from_the_neighbours(place):
    assert not list(ScaleCollapse()(Case(row(SMOOTH))))
    (finding,) = ScaleCollapse()(Case(row(far(SMOOTH, place, -1.01))))
    assert finding.layer == f"layer.{place}.w"


def test_a_step_in_depth_is_no_collapse():
    """A network has stages, and its norms may fall from one to the next."""
    assert not list(ScaleCollapse()(Case(row([2.0] * 8 + [0.5] * 8))))


REGULARISED = [0.57, -0.7, 0.63, -0.87, 0.84, -0.77, 0.63, -0.31, 0.49, -1.4, 0.77, 0.31]
REGULARISED += [0.46, -0.52, 0.39, -0.94, 0.57, 0.31]  # of a network under a group regulariser


def test_blocks_too_many_to_be_far_off_by_chance_collapsed():
    """Five of eighteen: of independent values, however far apart, one in twenty lies so far."""
    found = list(ScaleCollapse()(Case(row(REGULARISED))))
    assert len(found) == 5
    assert {finding.severity for finding in found} == {Severity.CRITICAL}


def test_where_all_blocks_differ_as_much_one_of_them_is_information():
    few = [-0.2 if i in {1, 3, 5, 15} else x for i, x in enumerate(REGULARISED)]
    found = list(ScaleCollapse()(Case(row(few))))
    assert [(one.layer, one.severity) for one in found] == [("layer.9.w", Severity.INFO)]
    assert "by how much all blocks differ" in found[0].message


@pytest.mark.parametrize("spread", [0.3, 0.6, 3.0])
def test_independent_norms_are_hardly_ever_called_broken(rng, spread):
    rows = [Case(row(rng.normal(0.0, spread, 18))) for _ in range(100)]
    broken = [case for case in rows if any(f.severity > 10 for f in ScaleCollapse()(case))]
    assert len(broken) <= 4


@given(st.lists(st.floats(-0.35, 0.35), min_size=6, max_size=30), st.floats(-1.0, 1.0))
def test_blocks_that_wobble_by_less_than_half_about_a_line_are_healthy(wobble, slope):
    """In released models no healthy layer is farther off than 0.52, in units of log10."""
    line = [slope * i + x for i, x in enumerate(wobble)]
    found = [*ScaleCollapse()(Case(row(line))), *ScaleExplosion()(Case(row(line)))]
    assert not [one for one in found if one.severity != Severity.INFO and "depth" in one.message]


@pytest.mark.parametrize(("blocks", "found"), [(6, True), (5, False)])
def test_fewer_than_five_neighbours_say_nothing(blocks, found):
    assert bool(list(ScaleCollapse()(Case(row(far([1.0] * blocks, 2, -2.0)))))) == found


@given(st.floats(-1.0, 1.0), st.floats(-9.0, 9.0), st.integers(6, 30), st.integers(0, 29))
def test_on_a_line_only_what_leaves_it_is_found(slope, start, blocks, place):
    """Whatever its slope, and also at both ends, where all neighbours are on one side."""
    line = [start + slope * i for i in range(blocks)]
    place %= blocks
    found = ScaleCollapse()(Case(row(far(line, place, -1.01))))
    assert [finding.layer for finding in found] == [f"layer.{place}.w"]


def test_what_an_adapter_adds_differs_from_layer_to_layer():
    adapters = [replace(one, kind="lora") for one in row(far([1.0] * 7, 2, -2.0))]
    assert not list(ScaleCollapse()(Case(adapters)))


# --- a family of models -------------------------------------------------------------------


def of_family(n=40, p5=1.0, p95=2.0, audits=5):
    band = Band(n, p5, (p5 + p95) / 2.0, p95)
    return Profile("resnets", "0" * 64, audits, {"dense": {"log_spectral_norm": band}})


@pytest.mark.parametrize(("norm", "found"), [(-0.1, True), (0.1, False), (1.5, False)])
def test_a_layer_is_judged_against_the_band_of_its_kind(norm, found):
    """The band is 1 wide, a standard deviation 0.304, and five of them 1.52."""
    case = Case(row([norm]), profile=of_family())
    assert bool(list(ScaleCollapse()(case))) == found


def test_a_band_of_a_handful_of_layers_or_audits_is_no_measure():
    assert list(ScaleCollapse()(Case(row([-9.0]), profile=of_family())))
    assert not list(ScaleCollapse()(Case(row([-9.0]), profile=of_family(n=7))))
    assert not list(ScaleCollapse()(Case(row([-9.0]), profile=of_family(audits=4))))


# --- what a change is held against --------------------------------------------------------


def series(*norms, accepted=()):
    """Checks found in version after version of a layer, each against the one before.

    Verdicts let each be a baseline; `accepted` are the versions that a person accepted.
    """
    found, before, old = [], None, None
    for number, norm in enumerate(norms, 1):
        now = layer("fc", log_spectral_norm=norm)
        case = against(now, old) if old else Case((now,))
        judged = judge(case, preset("observe"), before, model="m", as_of=FIRST)
        found.append(origins(judged))
        before, old = Before(findings=judged.findings, accepted=number in accepted), now
    return found


def test_what_stays_collapsed_stays_open():
    collapsed = {"scale_collapse": "open"}
    assert series(2.0, 0.5, 0.5, 0.5) == [{}, {"scale_collapse": "new"}, collapsed, collapsed]


def test_what_is_half_the_way_back_is_held_against_what_it_was():
    assert series(2.0, 0.0, 0.9) == [{}, {"scale_collapse": "new"}, {"scale_collapse": "open"}]


def test_what_is_back_is_fixed_and_has_not_exploded():
    *_, last = series(2.0, 0.5, 0.5, 1.9)
    assert last == {"scale_collapse": "fixed"}


def test_an_accepted_version_is_the_measure_from_then_on():
    *_, same = series(2.0, 0.5, 0.5, accepted=[2])
    assert same == {}, "neither there nor repaired"
    *_, further = series(2.0, 0.5, -0.5, accepted=[2])
    assert further == {"scale_collapse": "accepted"}


def test_a_waived_change_gates_again_once_the_waiver_ended():
    waiver = Waiver(
        check="scale_collapse", model="m", layer="fc", reason="known", owner="a", expires=FIRST
    )
    policy = replace(preset("recommended"), waivers=(waiver,))
    healthy, fallen = layer("fc", log_spectral_norm=2.0), layer("fc", log_spectral_norm=0.5)
    second = judge(against(fallen, healthy), policy, Before(), model="m", as_of=FIRST)
    assert second.verdict == "PASS"
    before = Before(findings=second.findings)
    third = judge(against(fallen, fallen), policy, before, model="m", as_of=FIRST)
    assert origins(third) == {"scale_collapse": "waived"}
    later = judge(
        against(fallen, fallen), policy, before, model="m", as_of=FIRST + timedelta(days=1)
    )
    assert later.verdict == "BLOCK"
    assert origins(later) == {"scale_collapse": "open"}


def origins(judged):
    return {f.check: str(f.origin) for f in judged.findings if f.check.startswith("scale_")}


def test_coming_back_from_an_explosion_nobody_accepted_is_no_collapse():
    *_, back = series(0.0, 1.5, 0.0)
    assert back == {"scale_explosion": "fixed"}
    *_, back = series(0.0, 1.5, 0.0, accepted=[2])
    assert back["scale_collapse"] == "new"


def test_falling_further_than_the_explosion_is_a_collapse():
    assert "scale_collapse" not in series(0.0, 1.5, -0.99)[-1]
    assert series(0.0, 1.5, -1.0)[-1]["scale_collapse"] == "new"


def test_a_repaired_layer_of_a_first_version_has_not_exploded():
    """Without a baseline it is held against what is usual, and so is the next version."""
    broken, mended = outlier(12, -2.0), outlier(12, 1.2)
    judged = judge(Case(broken), preset("observe"), model="m", as_of=FIRST)
    comparison = compared(mended, {one.name: one for one in broken}, version(number="1"))
    case = Case(mended, comparison=comparison, stood=judged.findings)
    assert not list(ScaleExplosion()(case))


def test_a_fall_of_the_rank_that_stays_is_open():
    found, before, old = [], None, None
    for rank in (256, 100, 100, 250):
        now = layer("fc", matrix_rank=rank)
        case = against(now, old) if old else Case((now,))
        judged = judge(case, preset("observe"), before, model="m", as_of=FIRST)
        fallen = [one for one in judged.findings if one.check == "rank_collapse"]
        found.append([str(one.origin) for one in fallen])
        before, old = Before(findings=judged.findings), now
    assert found == [[], ["new"], ["open"], ["fixed"]]


def test_a_renamed_layer_is_held_against_what_its_old_name_was():
    old = layer("old", log_spectral_norm=0.0)
    now = replace(layer("new", log_spectral_norm=0.0), digest=old.digest)
    stood = replace(
        next(ScaleCollapse()(against(old, layer("old", log_spectral_norm=2.0)))),
        check="scale_collapse",
    )
    (finding,) = ScaleCollapse()(replace(against(now, old), stood=[stood]))
    assert finding.evidence["before"] == 2.0


# --- released models ----------------------------------------------------------------------

HEALTHY = (
    "distiller_resnet20/dense",
    "resnet_cifar10/resnet20",
    "resnet_cifar10/resnet56",
    "kws_mcu/DS_CNN_S",
    "mlperf_tiny/ad_autoencoder",
    "silero_vad/v5_2024-06",
    "stories260k/stories260K",
    "ulfd_trajectory/RFB_epoch499",
    "lora_sd/lora_disney",
)


@pytest.mark.data
@pytest.mark.wide
@pytest.mark.parametrize("model", HEALTHY)
def test_no_layer_of_a_working_model_stands_out(data, model):
    layers = analyze(data / "weights" / f"{model}.safetensors").layers
    assert not [*ScaleCollapse()(Case(layers)), *ScaleExplosion()(Case(layers))]


@pytest.mark.data
@pytest.mark.wide
def test_nearly_all_layers_made_ten_times_smaller_stand_out(data):
    layers = analyze(data / "weights" / "resnet_cifar10" / "resnet56.safetensors").layers
    blocks = [i for i, one in enumerate(layers) if one.shape[2:] == (3, 3) and one.index]
    found = [i for i in blocks if layers[i].name in collapsed(shrunk(layers, i))]
    assert len(found) > 0.95 * len(blocks)


def shrunk(layers, place):
    """All layers, of which one has a hundredth of its largest eigenvalue."""
    one = layers[place]
    norm = one.metrics["log_spectral_norm"] - 2.0
    less = replace(one.measured, metrics={**one.metrics, "log_spectral_norm": norm})
    return [*layers[:place], replace(one, measured=less), *layers[place + 1 :]]


def collapsed(layers):
    found = ScaleCollapse()(Case(layers))
    return {finding.layer for finding in found if finding.severity == Severity.CRITICAL}
