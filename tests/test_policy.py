"""What findings amount to, read as a specification."""

import pytest

from auditor import checks
from auditor.checks.base import Case, name_of
from auditor.policy import Before, gates, judge, preset
from auditor.records import (
    Comparison,
    FileFailure,
    Finding,
    Origin,
    PickleGlobal,
    Reading,
    Severity,
    Skip,
    Verdict,
)
from tests.render.factory import compared, layer, version

HEALTHY = layer("fc")
OVER_TRAINED = layer("fc", alpha=1.5, alpha_lo=1.4, alpha_hi=1.6)
NO_RANK = layer("fc", matrix_rank=1.0)
UNREADABLE = Skip("big", (1000, 1000), "unreadable: packed", "int4", read=False)


def verdict(*layers, policy="recommended", **case):
    return judge(Case(layers, **case), preset(policy)).verdict


def test_nothing_found_is_pass():
    assert verdict(HEALTHY) is Verdict.PASS


@pytest.mark.parametrize(
    ("found", "policy", "expected"),
    [
        (OVER_TRAINED, "observe", Verdict.REVIEW),
        (OVER_TRAINED, "recommended", Verdict.REVIEW),
        (OVER_TRAINED, "strict", Verdict.BLOCK),
        (NO_RANK, "observe", Verdict.REVIEW),
        (NO_RANK, "recommended", Verdict.BLOCK),
        (NO_RANK, "strict", Verdict.BLOCK),
    ],
)
def test_the_level_of_the_check_decides_between_review_and_block(found, policy, expected):
    assert verdict(found, policy=policy) is expected


def test_strict_wants_a_baseline():
    now = layer("fc")
    comparison = compared([now], {}, version(number="1"))
    assert verdict(now, policy="strict") is Verdict.REVIEW
    assert verdict(now, policy="strict", comparison=comparison) is Verdict.PASS


@pytest.mark.parametrize(
    "case",
    [
        {"skipped": (UNREADABLE,)},
        {"reading": Reading((), 0, failures=(FileFailure("a.pt", "truncated"),))},
        {"reading": Reading((), 0, globals=(PickleGlobal("a.pt", "os.system", dangerous=True),))},
    ],
    ids=["under 95 % read", "file cannot be parsed", "file runs code"],
)
def test_what_could_not_be_checked_is_incomplete_and_never_green(case):
    assert verdict(HEALTHY, policy="observe", **case) is Verdict.INCOMPLETE


def test_a_model_without_any_matrix_is_incomplete():
    assert verdict() is Verdict.INCOMPLETE


def test_block_comes_before_incomplete_and_incomplete_before_review():
    assert verdict(NO_RANK, skipped=(UNREADABLE,)) is Verdict.BLOCK
    assert verdict(OVER_TRAINED, skipped=(UNREADABLE,)) is Verdict.INCOMPLETE


def test_tied_tensors_and_indices_do_not_count_as_unread():
    tied = Skip("head", (1000, 1000), "tied to fc", "float32")
    index = Skip("ids", (1000, 1000), "integer index", "int64")
    assert verdict(HEALTHY, skipped=(tied, index)) is Verdict.PASS


def known(origin=Origin.NEW, layer="fc", check="over_trained"):
    return Finding(Severity.WARNING, "looks over-trained", check=check, layer=layer, origin=origin)


def origin(before):
    judgement = judge(Case((OVER_TRAINED,)), preset("recommended"), before)
    (finding,) = (f for f in judgement.findings if f.check == "over_trained")
    return finding.origin, judgement.verdict


def test_a_finding_the_baseline_does_not_have_is_new_and_gates():
    assert origin(Before()) == (Origin.NEW, Verdict.REVIEW)


def test_a_finding_nobody_accepted_stays_open_and_gates_again():
    assert origin(Before(findings=[known()])) == (Origin.OPEN, Verdict.REVIEW)
    assert origin(Before(findings=[known(Origin.OPEN)])) == (Origin.OPEN, Verdict.REVIEW)


def test_an_accepted_finding_does_not_gate_and_stays_accepted():
    assert origin(Before(findings=[known()], accepted=True)) == (Origin.ACCEPTED, Verdict.PASS)
    assert origin(Before(findings=[known(Origin.ACCEPTED)])) == (Origin.ACCEPTED, Verdict.PASS)


def test_what_only_a_newer_analyzer_sees_in_both_does_not_gate():
    assert origin(Before(anew=[known()])) == (Origin.ANALYZER, Verdict.PASS)


def test_what_was_fixed_once_and_is_back_is_new():
    assert origin(Before(findings=[known(Origin.FIXED)])) == (Origin.NEW, Verdict.REVIEW)


def test_what_is_gone_is_listed_as_fixed():
    judgement = judge(Case((HEALTHY,)), preset("recommended"), Before(findings=[known()]))
    assert [(f.check, f.origin) for f in judgement.findings] == [("over_trained", Origin.FIXED)]
    assert judgement.verdict is Verdict.PASS


def test_a_finding_follows_its_layer_over_a_renaming():
    now = layer("block.fc", alpha=1.5, alpha_lo=1.4, alpha_hi=1.6)
    comparison = Comparison(version(number="1"), (), renamed=(("fc", "block.fc"),))
    before = Before(findings=[known()], accepted=True)
    judgement = judge(Case((now,), comparison=comparison), preset("recommended"), before)
    assert [f.origin for f in judgement.findings] == [Origin.ACCEPTED]


def test_the_gate_has_a_row_for_every_check_that_is_not_off():
    policy = preset("recommended")
    rows = {row.condition: row for row in judge(Case((OVER_TRAINED,)), policy).gate}
    for check in checks.ALL:
        assert (check.condition in rows) == (policy.level(name_of(check)) != "off")
    assert (
        rows["Layers that look over-trained"].value,
        rows["Layers that look over-trained"].passed,
    ) == (1, False)


def test_level_off_still_lists_the_finding():
    light = layer("fc", alpha=9.0, alpha_lo=7.0, alpha_hi=11.0)
    judgement = judge(Case((light,)), preset("recommended"))
    assert [(f.check, gates(f)) for f in judgement.findings] == [("under_trained", False)]


def test_information_put_down_by_its_check_never_gates():
    bias = Skip("fc.bias", (64,), "vector", "float32", all_zero=True)
    assert (
        verdict(
            HEALTHY,
            skipped=(bias,),
            policy="strict",
            comparison=compared([HEALTHY], {}, version(number="1")),
        )
        is Verdict.PASS
    )


def test_the_reason_names_the_worst_and_counts_the_rest():
    other = layer("fc2", 1, matrix_rank=2.0)
    reason = judge(Case((OVER_TRAINED, other)), preset("recommended")).reason
    assert reason.startswith("fc2 lost its rank: 2 of 256")
    assert reason.endswith("and 1 more finding")


@pytest.mark.parametrize("name", ["observe", "recommended", "strict"])
def test_the_hash_tells_policies_apart_and_is_stable(name):
    assert preset(name).hash == preset(name).hash
    assert len({preset(n).hash for n in ("observe", "recommended", "strict")}) == 3
