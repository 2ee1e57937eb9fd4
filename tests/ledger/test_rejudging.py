"""What has to be judged again, what that rests on, and what comes of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from auditor.records import Decision, Origin, Verdict
from tests.ledger.makers import DAY, START, TODAY, audited, finding, layer, version

FC = layer("fc", 0)


def keep(ledger, *numbers, model="digits", **given):
    for number in numbers:
        of = version(number, model)
        ledger.save(of, audited(of, **given), sinks=["files"], at=START)


def again(document, **changed):
    replaced = {"id": document["id"], "verdict": document["verdict"], "why": "of a test"}
    return {**document, "id": f"{document['id']}-again", "rejudged": replaced, **changed}


def accepted(*, until=None, accept=True, days=0):
    return Decision(accept, "ann", "fine", START + days * DAY, until)


def test_the_newest_audited_version_of_each_model_is_marked(ledger):
    keep(ledger, 1, 2, 10)
    keep(ledger, 1, model="faces")
    found = [(one.series, one.is_newest) for one in ledger.judged()]
    assert found == [
        ("mlflow:digits", False),
        ("mlflow:faces", True),
        ("mlflow:digits", False),
        ("mlflow:digits", True),
    ]


def test_a_waiver_marks_the_version_whose_newest_audit_it_covers(ledger):
    waived = replace(finding("rank", "fc"), origin=Origin.WAIVED, waiver="until then")
    keep(ledger, 1, findings=[waived], layers=[FC])
    keep(ledger, 2, findings=[finding("rank", "fc")], layers=[FC])
    assert [one.is_waived for one in ledger.judged()] == [True, False]
    keep(ledger, 1, policy="policy-2")
    assert [one.is_waived for one in ledger.judged()] == [False, False]


def test_what_is_gone_or_given_up_is_not_judged(ledger):
    keep(ledger, 1, 2)
    ledger.gone(version(2), "deleted")
    given_up = audited(version(3), verdict=Verdict.INCOMPLETE, weights="none")
    ledger.save(version(3), given_up, sinks=[], at=START, quarantine="no luck")
    (one,) = ledger.judged()
    assert ledger.audited_version(one.number) == (version(1), ledger.latest(version(1)))
    assert one.is_newest


def test_under_which_policy_is_what_the_audit_says_or_what_was_noted_since(ledger):
    keep(ledger, *range(1, 4))
    assert {one.under for one in ledger.judged()} == {"policy-1"}
    ledger.judged_as([one.number for one in ledger.judged()], "policy-2")
    assert {one.under for one in ledger.judged()} == {"policy-2"}
    keep(ledger, 2, policy="policy-3")
    assert [one.under for one in ledger.judged()] == ["policy-2", "policy-3", "policy-2"]


def test_an_audit_judged_again_is_added_delivered_and_shows_the_decision(ledger):
    keep(ledger, 1)
    ledger.decide(version(1), accepted())
    before, (one,) = ledger.latest(version(1)), ledger.judged()
    now = again(before, verdict="BLOCK", decision=None)

    assert ledger.save_again(one.number, now, sinks=["files"], at=START + DAY)

    latest = ledger.latest(version(1))
    assert (latest["id"], latest["verdict"]) == (now["id"], "BLOCK")
    assert latest["decision"]["by"] == "ann"
    assert ledger.audit(before["id"]) == before
    assert [one.audit_id for one in ledger.due(START + 2 * DAY)] == [now["id"]]


def test_it_is_not_added_where_another_audit_came_in_between(ledger):
    keep(ledger, 1)
    now, (one,) = again(ledger.latest(version(1))), ledger.judged()
    keep(ledger, 1, policy="policy-2")
    between = ledger.latest(version(1))
    assert not ledger.save_again(one.number, now, sinks=[], at=START)
    assert not ledger.save_again(999, now, sinks=[], at=START)
    assert ledger.latest(version(1)) == between


def test_the_baseline_is_the_version_an_audit_names_and_no_other_of_that_name(ledger):
    compared = audited(version(3), layers=[FC], distances=[0.1])  # with version 0
    assert ledger.baseline_of(compared, TODAY) == (None, False)
    keep(ledger, 0)
    assert ledger.baseline_of(compared, TODAY) == (ledger.latest(version(0)), False)
    other = version(0, day=300)  # deleted, and its name used again
    named = {**compared["comparison"]["baseline"], "created_at": other.created_at.isoformat()}
    reused = {**compared, "comparison": {**compared["comparison"], "baseline": named}}
    assert ledger.baseline_of(reused, TODAY) == (None, False)
    assert ledger.baseline_of(audited(version(3)), TODAY) == (None, False)


def test_the_baseline_is_accepted_as_long_as_that_holds(ledger):
    keep(ledger, 0)
    compared = audited(version(3), layers=[FC], distances=[0.1])
    ledger.decide(version(0), accepted(until=TODAY))
    assert ledger.baseline_of(compared, TODAY)[1]
    assert not ledger.baseline_of(compared, TODAY + timedelta(days=1))[1]


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ([accepted()], True),
        ([accepted(), accepted(accept=False, days=1)], False),
        ([accepted(until=TODAY - timedelta(days=1))], False),
        ([], False),
    ],
)
def test_weights_are_accepted_with_an_earlier_version_that_has_them(ledger, said, holds):
    keep(ledger, 1, weights="same")
    keep(ledger, 2, weights="others")
    digest = ledger.latest(version(1))["weights"]["digest"]
    for one in said:
        ledger.decide(version(1), one)
    assert ledger.is_accepted(version(3), digest, TODAY) == holds
    assert not ledger.is_accepted(version(1), digest, TODAY), "not by a word on itself"
    assert not ledger.is_accepted(version(3, "faces"), digest, TODAY)
    assert not ledger.is_accepted(version(3), "", TODAY)
