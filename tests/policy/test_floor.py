"""What an organisation asks of every project, read as a specification."""

from dataclasses import replace

import pytest

from auditor.checks.shape import OverTrained
from auditor.checks.values import DeadRows
from auditor.records import Level, Origin, Verdict
from tests.policy.making import (
    ERROR,
    HEALTHY,
    OFF,
    OVER_TRAINED,
    TODAY,
    WARN,
    check,
    judged,
    limit,
    policy,
    waiver,
)
from tests.render.factory import layer

OVER = OverTrained.condition
FLOOR = policy(check(ERROR, source="floor.yaml, line 2"))


@pytest.mark.parametrize(
    "ours",
    [
        policy(),
        policy(check(OFF)),
        policy(check(WARN)),
        policy(check(ERROR, max=100)),
        policy(check(ERROR, model="other")),
        policy(check(OFF, layer="*")),
        policy(check(ERROR), waivers=[waiver("over_trained")]),
        policy(check(ERROR), checks=(OverTrained(below=0.5),)),
        policy(checks=()),
    ],
    ids=["silence", "off", "warn", "max", "model", "layer", "waiver", "threshold", "no checks"],
)
def test_nothing_that_a_project_says_loosens_the_floor(ours):
    found = judged(replace(ours, floor=FLOOR), OVER_TRAINED)
    assert found.verdict is Verdict.BLOCK
    [finding] = found.findings
    assert (finding.level, finding.origin) == (ERROR, Origin.NEW)
    assert "floor.yaml, line 2" in [one.source for one in found.gate if not one.passed]
    assert found.reason.startswith("fc looks over-trained")


def test_a_project_may_ask_more():
    ours = policy(check(ERROR), floor=policy(check(WARN)))
    assert judged(ours, OVER_TRAINED).verdict is Verdict.BLOCK
    tighter = policy(check(WARN), checks=(OverTrained(below=4.0),), floor=FLOOR)
    mild = replace(
        HEALTHY, measured=replace(HEALTHY.measured, metrics={**HEALTHY.metrics, "alpha_hi": 3.5})
    )
    found = judged(tighter, mild)
    assert found.verdict is Verdict.REVIEW
    assert [f.level for f in found.findings] == [WARN]


def test_a_waiver_of_the_floor_covers_what_the_floor_asks_and_no_more():
    floor = replace(FLOOR, waivers=(waiver("over_trained"),))
    assert judged(policy(floor=floor), OVER_TRAINED).verdict is Verdict.PASS
    found = judged(policy(check(WARN), floor=floor), OVER_TRAINED)
    assert found.verdict is Verdict.REVIEW
    both = judged(policy(check(WARN), waivers=[waiver("over_trained")], floor=floor), OVER_TRAINED)
    assert [f.origin for f in both.findings] == [Origin.WAIVED]


def test_a_finding_that_only_one_of_two_waivers_keeps_quiet_is_waived_until_the_first_ends():
    later = waiver("over_trained", owner="bob", expires=TODAY.replace(day=9))
    of = policy(
        check(WARN), waivers=[later], floor=replace(FLOOR, waivers=(waiver("over_trained"),))
    )
    [finding] = judged(of, OVER_TRAINED).findings
    assert "by ann" in finding.waiver


def test_what_the_policy_asks_anyway_is_one_row():
    found = judged(policy(check(ERROR, source="ours"), floor=FLOOR), HEALTHY)
    assert [one.source for one in found.gate if one.condition == OVER] == ["ours"]
    less = judged(policy(check(WARN, source="ours"), floor=FLOOR), HEALTHY)
    rows = [one for one in less.gate if one.condition == OVER]
    assert [(one.source, one.level) for one in rows] == [
        ("ours", WARN),
        ("floor.yaml, line 2", ERROR),
    ]


def test_limits_on_metrics_hold_from_below_too():
    floor = policy(limit("alpha", "median", "max", 2.0, ERROR))
    assert judged(policy(floor=floor), HEALTHY).verdict is Verdict.BLOCK
    looser = policy(limit("alpha", "median", "max", 9.0), floor=floor)
    assert judged(looser, HEALTHY).verdict is Verdict.BLOCK


def test_a_floor_may_want_a_baseline():
    found = judged(policy(floor=policy(baseline=Level.WARN)), HEALTHY)
    assert found.verdict is Verdict.REVIEW
    stricter = policy(baseline=Level.WARN, floor=policy(baseline=Level.ERROR))
    assert judged(stricter, HEALTHY).verdict is Verdict.BLOCK


def test_the_hash_knows_the_floor():
    of = policy(check(WARN))
    hashes = {one.hash("m:x", TODAY) for one in (of, replace(of, floor=FLOOR), FLOOR)}
    assert len(hashes) == 3


def test_what_is_information_by_the_thresholds_of_one_counts_under_the_other_only():
    """The floor takes a layer's dead rows for a warning; the project would block, and does not."""
    layers = layer("fc", dead_rows=60.0)  # of 512 rows
    lax, tight = DeadRows(max_share=0.5), DeadRows(max_share=0.01)
    ours = policy(check(ERROR, "dead_rows"), checks=(lax,))
    floor = policy(check(WARN, "dead_rows"), checks=(tight,))
    assert judged(ours, layers).verdict is Verdict.PASS
    assert judged(replace(ours, floor=floor), layers).verdict is Verdict.REVIEW
