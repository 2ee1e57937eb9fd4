"""Rules on metrics, read as a specification."""

import math
from typing import Any

import pytest

from auditor.checks.base import Case
from auditor.policy import AnyRule, Before, Policy, judge
from auditor.records import Origin, Verdict
from tests.policy import making
from tests.policy.making import ERROR, OFF, TODAY, WARN, judged, limit, row, since, waiver
from tests.render.factory import layer


def policy(*rules: AnyRule, **given: Any) -> Policy:
    """Rules on metrics, and no check beside them."""
    return making.policy(*rules, checks=(), **given)


def alphas(*values: float, prefix: str = "fc"):
    return [layer(f"{prefix}{i}", i, alpha=value) for i, value in enumerate(values)]


def test_a_median_above_its_limit_is_a_finding_about_the_whole_version():
    found = judged(policy(limit("alpha", "median", "max", 4.0, ERROR)), *alphas(3, 5, 9))
    [finding] = found.findings
    assert (finding.check, finding.layer, finding.value) == ("alpha:median:max", None, 5)
    assert finding.message == "Median of alpha: 5, above 4"
    assert found.verdict is Verdict.BLOCK
    told = row(found, "Median of alpha")
    assert (told.limit, told.value, told.baseline, told.passed) == (4.0, 5, None, False)


@pytest.mark.parametrize(
    ("of", "bound", "value", "fails"),
    [
        ("median", "max", 5.0, False),  # at the limit is within it
        ("median", "max", 4.9, True),
        ("median", "min", 5.0, False),
        ("median", "min", 5.1, True),
        ("mean", "max", 5.6, True),
        ("mean", "max", 5.7, False),
        ("p95", "max", 8.5, True),
        ("p5", "min", 3.3, True),
    ],
)
def test_a_limit_is_on_one_side_of_one_summary(of, bound, value, fails):
    found = judged(policy(limit("alpha", of, bound, value)), *alphas(3, 5, 9))
    assert (found.verdict is Verdict.REVIEW) == fails


def test_undefined_values_enter_no_summary_and_a_summary_of_none_is_no_finding():
    rule = policy(limit("trap_strength", "median", "max", 1.0))
    found = judged(rule, *alphas(3, 5))
    assert found.verdict is Verdict.PASS
    assert math.isnan(row(found, "Median of trap_strength").value)
    assert found.reason.endswith("; not looked for: median of trap_strength")


def test_a_summary_may_be_over_some_layers():
    layers = alphas(3, 3), *alphas(8, 9, prefix="h.0.attn.q_proj")
    rule = limit("alpha", "median", "max", 6.0, kind="attention")
    found = judged(policy(rule), *layers[0], *layers[1:])
    [finding] = found.findings
    assert finding.check == "alpha:median:max:attention:*"
    assert finding.value == 8.5
    assert not judged(policy(rule), *layers[0]).findings


def test_summaries_over_different_layers_are_rules_beside_each_other():
    rules = [limit("alpha", "median", "max", 4.0, layer=name) for name in ("fc*", "head*")]
    layers = *alphas(5), *alphas(5, prefix="head")
    assert len(judged(policy(*rules), *layers).findings) == 2
    looser = limit("alpha", "median", "max", 9.0, layer="fc*")
    assert len(judged(policy(*rules, looser), *layers).findings) == 1


def test_a_rise_is_counted_from_the_baseline_over_the_layers_both_have():
    then, now = alphas(3, 3, 3), alphas(3.2, 3.5, 3.2)
    rule = limit("alpha", "median", "max_increase", 0.1)
    grown = [*now, layer("new", 9, alpha=30)]
    comparison = since(now, then)
    found = judged(policy(rule), *grown, comparison=comparison, before=Before())
    [finding] = found.findings
    assert finding.value == pytest.approx(0.2)
    assert finding.evidence["before"] == 3
    assert (
        finding.message == "Rise of the median of alpha: 3.2, +0.2 against 3, up by more than 0.1"
    )
    told = row(found, "Rise of the median of alpha")
    assert told.value == pytest.approx(0.2)


def test_without_a_baseline_nothing_rose():
    found = judged(policy(limit("alpha", "median", "max_increase", 0.1)), *alphas(9))
    assert found.verdict is Verdict.PASS
    assert math.isnan(row(found, "Rise of the median of alpha").value)


def test_a_fall_is_told_as_a_positive_number():
    then, now = alphas(5), alphas(3)
    rule = limit("alpha", "mean", "max_decrease", 1.0)
    found = judged(policy(rule), *now, comparison=since(now, then), before=Before())
    assert row(found, "Fall of the mean of alpha").value == pytest.approx(2.0)
    assert found.verdict is Verdict.REVIEW


def test_every_layer_beyond_a_limit_is_a_finding_of_its_own():
    rule = limit("alpha", "layer", "max", 4.0)
    found = judged(policy(rule), *alphas(3, 5, 9))
    assert [(f.layer, f.value) for f in found.findings] == [("fc1", 5), ("fc2", 9)]
    told = row(found, "Layers with alpha above 4")
    assert (told.limit, told.value) == (0, 2)


def test_distances_to_the_baseline_have_limits_like_metrics():
    then, now = alphas(3, 3), alphas(3, 4)
    rule = limit("relative", "layer", "max", 0.1, ERROR)
    found = judged(policy(rule), *now, comparison=since(now, then), before=Before())
    assert [f.message for f in found.findings] == [
        "fc0 has relative 0.214, above 0.1",
        "fc1 has relative 0.214, above 0.1",
    ]


def test_the_last_rule_that_fits_a_layer_decides_on_its_limit():
    rules = limit("alpha", "layer", "max", 4.0), limit("alpha", "layer", "max", 6.0, layer="fc1")
    assert [f.layer for f in judged(policy(*rules), *alphas(5, 5)).findings] == ["fc0"]
    let_off = limit("alpha", "layer", "max", 4.0, OFF, layer="fc0")
    assert not judged(policy(*rules, let_off), *alphas(5, 5)).findings


def test_a_finding_of_a_limit_can_be_waived():
    of = policy(limit("alpha", "layer", "max", 4.0), waivers=[waiver("alpha:layer:max")])
    found = judged(of, *alphas(5))
    assert [f.origin for f in found.findings] == [Origin.WAIVED]
    assert found.verdict is Verdict.PASS


def test_what_the_baseline_was_beyond_already_is_open_and_accepted_once_it_is():
    of = policy(limit("alpha", "layer", "max", 4.0))
    known = judged(of, *alphas(5)).findings
    again = judged(of, *alphas(5), before=Before(findings=known))
    assert [f.origin for f in again.findings] == [Origin.OPEN]
    accepted = judged(of, *alphas(5), before=Before(findings=known, accepted=True))
    assert [f.origin for f in accepted.findings] == [Origin.ACCEPTED]


@pytest.mark.parametrize("of", ["median", "layer"])
def test_a_rise_that_nobody_accepted_stays_open_though_it_happened_only_once(of):
    rule = policy(limit("alpha", of, "max_increase", 0.5))
    first, second = alphas(3), alphas(4)
    risen = judged(rule, *second, comparison=since(second, first), before=Before())
    same = since(second, second)
    again = judged(rule, *second, comparison=same, before=Before(findings=risen.findings))
    assert [(f.origin, f.value) for f in again.findings] == [(Origin.OPEN, 1.0)]
    assert again.verdict is Verdict.REVIEW
    taken = judged(
        rule, *second, comparison=same, before=Before(findings=risen.findings, accepted=True)
    )
    assert taken.verdict is Verdict.PASS
    back = since(first, second)
    after = judged(rule, *first, comparison=back, before=Before(findings=risen.findings))
    assert [f.origin for f in after.findings] == [Origin.FIXED]


def test_a_limit_is_the_policys_and_gates_also_where_an_older_analyzer_did_not_know_it():
    found = judge(
        Case(alphas(5)),
        policy(limit("alpha", "layer", "max", 4.0)),
        model="mlflow:digits",
        as_of=TODAY,
        known=(),
    )
    assert [f.origin for f in found.findings] == [Origin.NEW]
    assert WARN in {f.level for f in found.findings}
