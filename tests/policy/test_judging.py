"""What findings amount to, read as a specification."""

import math
from dataclasses import replace
from datetime import date, timedelta

import pytest

from auditor import checks
from auditor.checks.base import Case, name_of
from auditor.policy import Before, Judgement, Policy, gates, judge, preset
from auditor.policy.rules import Bound, MetricRule, Of
from auditor.records import (
    UNTIMELY,
    Comparison,
    FileFailure,
    Finding,
    Level,
    Origin,
    PickleGlobal,
    Reading,
    Severity,
    Skip,
    Verdict,
    Waiver,
)
from tests.render.factory import compared, layer, version

HEALTHY = layer("fc")
OVER_TRAINED = layer("fc", alpha=1.5, alpha_lo=1.4, alpha_hi=1.6)
NO_RANK = layer("fc", matrix_rank=1.0)
UNREADABLE = Skip("big", (1000, 1000), "unreadable: packed", "int4", read=False)


TODAY = date(2026, 3, 2)


def judged(
    case: Case,
    policy: Policy,
    before: Before | None = None,
    model: str = "mlflow:digits",
    as_of: date = TODAY,
) -> Judgement:
    return judge(case, policy, before, model=model, as_of=as_of)


def verdict(*layers, policy="recommended", **case):
    return judged(Case(layers, **case), preset(policy)).verdict


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
    comparison = compared([now], {"fc": layer("fc")}, version(number="1"))
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


def test_what_time_left_out_is_incomplete_at_any_coverage():
    late = Skip("x", (3, 2), f"{UNTIMELY} of 10 min", "float32", read=False)
    bias = Skip("b", (3,), f"{UNTIMELY} of 10 min", "float32", read=False)
    found = judged(Case((HEALTHY,), skipped=(late, bias)), preset("observe"))
    assert found.verdict is Verdict.INCOMPLETE
    assert found.reason == (
        "99.9% of 131,078 parameters of matrices were read; "
        "2 tensors not measured within the time budget of 10 min"
    )
    row = next(row for row in found.gate if "lack of time" in row.condition)
    assert (row.value, row.passed) == (2.0, False)
    assert "lack of time" not in str(judged(Case((HEALTHY,)), preset("observe")).gate)


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
    return Finding(
        Severity.WARNING,
        "looks over-trained",
        check=check,
        layer=layer,
        origin=origin,
        shape=OVER_TRAINED.shape,
    )


def origin(before):
    judgement = judged(Case((OVER_TRAINED,)), preset("recommended"), before)
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


def test_what_only_a_newer_analyzer_saw_stays_so_in_the_next_version():
    assert origin(Before(findings=[known(Origin.ANALYZER)])) == (Origin.ANALYZER, Verdict.PASS)


def test_what_was_fixed_once_and_is_back_is_new():
    assert origin(Before(findings=[known(Origin.FIXED)])) == (Origin.NEW, Verdict.REVIEW)


def test_what_is_gone_is_listed_as_fixed():
    judgement = judged(Case((HEALTHY,)), preset("recommended"), Before(findings=[known()]))
    assert [(f.check, f.origin) for f in judgement.findings] == [("over_trained", Origin.FIXED)]
    assert judgement.verdict is Verdict.PASS


def test_a_finding_follows_its_layer_over_a_renaming():
    now = layer("block.fc", alpha=1.5, alpha_lo=1.4, alpha_hi=1.6)
    comparison = Comparison(version(number="1"), (), renamed=(("fc", "block.fc"),))
    before = Before(findings=[known()], accepted=True)
    judgement = judged(Case((now,), comparison=comparison), preset("recommended"), before)
    assert [f.origin for f in judgement.findings] == [Origin.ACCEPTED]


def test_the_gate_has_a_row_for_every_check_that_is_not_off():
    policy = preset("recommended")
    rows = {row.condition: row for row in judged(Case((OVER_TRAINED,)), policy).gate}
    for check in checks.ALL:
        assert (check.condition in rows) == (policy.level(name_of(check)) != "off")
    assert (
        rows["Layers that look over-trained"].value,
        rows["Layers that look over-trained"].passed,
    ) == (1, False)


def test_level_off_still_lists_the_finding():
    light = layer("fc", alpha=9.0, alpha_lo=7.0, alpha_hi=11.0)
    judgement = judged(Case((light,)), preset("recommended"))
    assert [(f.check, gates(f)) for f in judgement.findings] == [("under_trained", False)]


def test_information_put_down_by_its_check_never_gates():
    bias = Skip("fc.bias", (64,), "vector", "float32", all_zero=True)
    assert (
        verdict(
            HEALTHY,
            skipped=(bias,),
            policy="strict",
            comparison=compared([HEALTHY], {"fc": layer("fc")}, version(number="1")),
        )
        is Verdict.PASS
    )


def test_the_reason_names_the_worst_and_counts_the_rest():
    other = layer("fc2", 1, matrix_rank=2.0)
    reason = judged(Case((OVER_TRAINED, other)), preset("recommended")).reason
    assert reason.startswith("fc2 lost its rank: 2 of 256")
    assert reason.endswith("; layers that look over-trained: 1")


def test_the_reason_names_a_limit_in_words():
    limit = MetricRule(
        level=Level.WARN, source="here", metric="alpha", of=Of.LAYER, bound=Bound.MIN, limit=1.6
    )
    recommended = preset("recommended")
    policy = replace(recommended, rules=(*recommended.rules, limit))
    other = layer("fc2", 1, matrix_rank=2.0)
    reason = judged(Case((OVER_TRAINED, other)), policy).reason
    assert reason.endswith("; alpha of a layer below 1.6: 1")


@pytest.mark.parametrize(("level", "verdict"), [("warn", "REVIEW"), ("error", "BLOCK")])
def test_the_reason_says_that_there_is_no_baseline(level, verdict):
    found = judged(Case((HEALTHY,)), replace(preset("recommended"), baseline=Level(level)))
    said = "there is no baseline to compare with, and the policy asks for one"
    assert (found.verdict, found.reason) == (verdict, said)


def test_the_reason_counts_more_of_the_same():
    other = layer("fc2", 1, alpha=1.5, alpha_lo=1.4, alpha_hi=1.6)
    reason = judged(Case((OVER_TRAINED, other)), preset("recommended")).reason
    assert reason == "fc looks over-trained: α 1.50 [1.40, 1.60] (1 more like it)"


@pytest.mark.parametrize("name", ["observe", "recommended", "strict"])
def test_the_hash_tells_policies_apart_and_is_stable(name):
    assert hashed(preset(name)) == hashed(preset(name))
    assert len({hashed(preset(n)) for n in ("observe", "recommended", "strict")}) == 3


def hashed(policy: Policy, model: str = "mlflow:digits", as_of: date = TODAY) -> str:
    return policy.hash(model, as_of)


# --- waivers ------------------------------------------------------------------------------


WAIVER = Waiver(
    check="over_trained",
    model="mlflow:digits",
    layer="fc",
    reason="distilled on purpose",
    owner="a.ruiz",
    expires=TODAY + timedelta(days=30),
)


def waiving(*waivers: Waiver, name: str = "recommended") -> Policy:
    return replace(preset(name), waivers=waivers)


def test_a_waived_finding_does_not_gate_and_stays_listed_with_who_answers_for_it():
    judgement = judged(Case((OVER_TRAINED,)), waiving(WAIVER))
    assert judgement.verdict is Verdict.PASS
    assert judgement.reason == "no known symptom in 1 layer besides 1 waived finding"
    (finding,) = judgement.findings
    assert finding.origin is Origin.WAIVED
    assert finding.waiver == "until 2026-04-01 by a.ruiz: distilled on purpose"
    assert not gates(finding)
    rows = {row.condition: row for row in judgement.gate}
    assert rows["Layers that look over-trained"].value == 0


@pytest.mark.parametrize(("days", "expected"), [(0, "PASS"), (-1, "REVIEW")])
def test_a_waiver_holds_to_the_end_of_its_last_day_and_then_the_finding_gates_again(days, expected):
    waiver = replace(WAIVER, expires=TODAY + timedelta(days=days))
    assert judged(Case((OVER_TRAINED,)), waiving(waiver)).verdict == expected


@pytest.mark.parametrize(
    ("changed", "covers"),
    [
        ({"model": "mlflow:*"}, True),
        ({"model": "*"}, True),
        ({"model": "mlflow:digit"}, False),
        ({"model": "digits"}, False),
        ({"model": "MLflow:digits"}, False),
        ({"model": "hf:*"}, False),
        ({"layer": "f?"}, True),
        ({"layer": "*"}, True),
        ({"layer": "fc1"}, False),
        ({"layer": "FC"}, False),
        ({"layer": None}, False),
        ({"check": "rank_collapse"}, False),
    ],
    ids=str,
)
def test_a_waiver_covers_findings_of_its_check_where_both_patterns_match(changed, covers):
    judgement = judged(Case((OVER_TRAINED,)), waiving(replace(WAIVER, **changed)))
    assert (judgement.verdict is Verdict.PASS) == covers


def test_a_waiver_without_a_layer_covers_only_what_is_said_of_the_whole_version():
    grown = Comparison(version(number="1"), (), added=("fc",))
    case = Case((HEALTHY,), comparison=grown)
    whole, every = (replace(WAIVER, check="layers_changed", layer=layer) for layer in (None, "*"))
    assert judged(case, waiving(whole, name="strict")).verdict is Verdict.PASS
    assert judged(case, waiving(every, name="strict")).verdict is Verdict.REVIEW


def test_no_waiver_makes_up_for_what_could_not_be_checked():
    reading = Reading((), 0, globals=(PickleGlobal("a.pt", "os.system", dangerous=True),))
    waiver = replace(WAIVER, check="unsafe_pickle", layer="a.pt")
    judgement = judged(Case((HEALTHY,), reading=reading), waiving(waiver))
    assert [f.origin for f in judgement.findings] == [Origin.WAIVED]
    assert judgement.verdict is Verdict.INCOMPLETE


def test_a_waiver_takes_nothing_from_findings_beside_the_one_it_covers():
    other = layer("fc2", 1, matrix_rank=2.0)
    judgement = judged(Case((OVER_TRAINED, other)), waiving(WAIVER))
    assert judgement.verdict is Verdict.BLOCK
    assert judgement.reason.startswith("fc2 lost its rank")
    assert ";" not in judgement.reason


@pytest.mark.parametrize("earlier", [Origin.NEW, Origin.OPEN, Origin.WAIVED])
def test_what_the_baseline_had_is_waived_for_as_long_as_the_waiver_holds_and_then_open(earlier):
    case, before = Case((OVER_TRAINED,)), Before(findings=[known(earlier)])
    during = judged(case, waiving(WAIVER), before)
    after = judged(case, waiving(WAIVER), before, as_of=WAIVER.expires + timedelta(days=1))
    assert [(f.origin, bool(f.waiver)) for f in during.findings] == [(Origin.WAIVED, True)]
    assert [(f.origin, bool(f.waiver)) for f in after.findings] == [(Origin.OPEN, False)]
    assert (during.verdict, after.verdict) == (Verdict.PASS, Verdict.REVIEW)


def test_what_a_person_accepted_stays_accepted_whatever_is_waived():
    before = Before(findings=[known(Origin.WAIVED)], accepted=True)
    judgement = judged(Case((OVER_TRAINED,)), waiving(WAIVER), before)
    assert [(f.origin, f.waiver) for f in judgement.findings] == [(Origin.ACCEPTED, "")]


def test_what_was_waived_and_is_gone_is_fixed():
    earlier = replace(known(Origin.WAIVED), waiver="until 2026-04-01 by a.ruiz: known")
    judgement = judged(Case((HEALTHY,)), waiving(WAIVER), Before(findings=[earlier]))
    assert [(f.origin, f.waiver) for f in judgement.findings] == [(Origin.FIXED, "")]


def test_what_would_not_gate_needs_no_waiver():
    light = layer("fc", alpha=9.0, alpha_lo=7.0, alpha_hi=11.0)
    policy = waiving(replace(WAIVER, check="under_trained"))
    assert [f.origin for f in judged(Case((light,)), policy).findings] == [Origin.NEW]


def test_of_two_waivers_the_one_that_holds_longer_is_told():
    longer = replace(WAIVER, owner="b.chen", expires=WAIVER.expires + timedelta(days=1))
    for policy in (waiving(WAIVER, longer), waiving(longer, WAIVER)):
        (finding,) = judged(Case((OVER_TRAINED,)), policy).findings
        assert finding.waiver.startswith("until 2026-04-02 by b.chen")


def test_a_waiver_is_told_on_one_line():
    policy = waiving(replace(WAIVER, reason="known\n\n  since March\n"))
    (finding,) = judged(Case((OVER_TRAINED,)), policy).findings
    assert finding.waiver == "until 2026-04-01 by a.ruiz: known since March"


def test_the_hash_changes_with_a_waiver_and_again_on_the_day_after_it_expired():
    plain, waived = hashed(preset("recommended")), waiving(WAIVER)
    assert hashed(waived) != plain
    assert hashed(waived, as_of=WAIVER.expires) == hashed(waived)
    assert hashed(waived, as_of=WAIVER.expires + timedelta(days=1)) == plain
    assert hashed(waiving(replace(WAIVER, layer="*"))) != hashed(waived)


def test_the_hash_does_not_change_with_waivers_for_other_models_or_with_their_order():
    other = replace(WAIVER, model="mlflow:other")
    assert hashed(waiving(other)) == hashed(preset("recommended"))
    second = replace(WAIVER, layer="fc2")
    assert hashed(waiving(WAIVER, second)) == hashed(waiving(second, WAIVER))


def test_what_the_analysis_leaves_out_is_not_called_looked_for():
    plain = layer("fc")
    left_out = {name: value for name, value in plain.metrics.items() if name != "random_like"}
    bare = replace(plain, measured=replace(plain.measured, metrics=left_out))
    found = judged(Case((bare,)), preset("recommended"))
    assert found.verdict == Verdict.PASS
    assert found.reason.endswith("; not looked for: layers that look untrained")
    [row] = [row for row in found.gate if row.condition == "Layers that look untrained"]
    assert math.isnan(row.value)
    assert "not looked for" not in judged(Case((plain,)), preset("recommended")).reason
