import math
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from auditor.document import Document
from auditor.ledger import Ledger
from auditor.records import Decision, FileRecord, ModelVersion, Reading, Trend, Verdict
from tests.ledger.makers import (
    DAY,
    START,
    TODAY,
    audited,
    finding,
    layer,
    note,
    version,
    versions,
)


def save(
    ledger: Ledger, of: ModelVersion, verdict: Verdict = Verdict.PASS, **more: Any
) -> Document:
    document = audited(of, verdict=verdict, **more)
    ledger.save(of, document, sinks=[], at=START)
    return document


def decide(
    ledger: Ledger, of: ModelVersion, *, accept: bool, by: str = "ann", at: datetime = START
) -> None:
    ledger.decide(of, Decision(accept, by, "because", at))


@pytest.mark.parametrize(
    ("verdict", "decisions", "may"),
    [
        ("PASS", [], True),
        ("REVIEW", [], True),
        ("BLOCK", [], False),
        ("INCOMPLETE", [], False),
        ("PASS", [False], False),
        ("BLOCK", [True], True),
        ("INCOMPLETE", [True], True),
        ("BLOCK", [True, False], False),
        ("PASS", [False, True], True),
    ],
)
def test_baseline_is_what_passed_or_what_a_person_accepted_last(ledger, verdict, decisions, may):
    save(ledger, version(1), Verdict(verdict))
    for accept in decisions:
        decide(ledger, version(1), accept=accept)
    assert ledger.may_be_baseline(version(1), TODAY) is may
    assert ledger.previous(version(2), TODAY) == (version(1) if may else None)


def test_weights_that_a_person_rejected_are_no_baseline_registered_again(ledger):
    for number in (1, 2):
        save(ledger, version(number), weights="same")
    save(ledger, version(1, "other"), weights="same")
    decide(ledger, version(1), accept=False)
    assert not ledger.may_be_baseline(version(2), TODAY)
    assert ledger.previous(version(3), TODAY) is None
    assert ledger.may_be_baseline(version(1, "other"), TODAY), "another model's is another word"
    decide(ledger, version(1), accept=True)
    assert ledger.previous(version(3), TODAY) == version(2)
    decide(ledger, version(1), accept=False)
    decide(ledger, version(2), accept=True)
    assert ledger.previous(version(3), TODAY) == version(2), "its own word counts first"


def test_newest_audit_of_a_version_decides_whether_it_may_be_a_baseline(ledger):
    save(ledger, version(1), policy="lenient")
    save(ledger, version(1), Verdict.BLOCK, policy="strict")
    assert not ledger.may_be_baseline(version(1), TODAY)
    assert ledger.previous(version(2), TODAY) is None


def test_version_without_an_audit_is_no_baseline(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    decide(ledger, version(1), accept=True)
    assert not ledger.may_be_baseline(version(1), TODAY)
    assert ledger.previous(version(2), TODAY) is None
    assert not ledger.may_be_baseline(version(9), TODAY)


def test_previous_is_the_newest_earlier_version_that_may_be_a_baseline(ledger):
    for number, verdict in enumerate(["PASS", "REVIEW", "BLOCK", "INCOMPLETE", "PASS"], start=1):
        save(ledger, version(number), Verdict(verdict))
    assert ledger.previous(version(5), TODAY) == version(2)
    assert ledger.previous(version(2), TODAY) == version(1)
    assert ledger.previous(version(1), TODAY) is None


def test_previous_stays_within_the_model_and_the_source(ledger):
    save(ledger, version(1, "other"))
    elsewhere = replace(version(1), id=replace(version(1).id, source="hub"))
    save(ledger, elsewhere)
    assert ledger.previous(version(2), TODAY) is None


def test_previous_passes_over_copies_of_the_weights(ledger):
    for number, weights in enumerate(("old", "new", "new"), start=1):
        newest = save(ledger, version(number), weights=weights)
    digest = newest["weights"]["digest"]
    assert ledger.previous(version(4), TODAY) == version(3)
    assert ledger.previous(version(4), TODAY, other_than=digest) == version(1)
    assert ledger.previous(version(4), TODAY, other_than="f" * 64) == version(3)


def test_previous_counts_versions_of_one_moment_as_people_do(ledger):
    same = {number: version(number, day=1) for number in (2, 9, 10)}
    for of in same.values():
        save(ledger, of)
    assert ledger.previous(same[10], TODAY) == same[9]
    assert ledger.previous(same[9], TODAY) == same[2]


def test_decisions_are_added_and_the_newest_counts(ledger):
    save(ledger, version(1))
    assert ledger.decision(version(1), TODAY) is None
    decide(ledger, version(1), accept=False, by="ann")
    decide(ledger, version(1), accept=True, by="bob", at=START + DAY)
    found = ledger.decision(version(1), TODAY)
    assert (found.accept, found.by, found.reason, found.at) == (True, "bob", "because", START + DAY)
    assert ledger.decision(version(2), TODAY) is None


def test_same_weights_are_found_in_the_newest_earlier_version(ledger):
    for number in (1, 2, 4):
        save(ledger, version(number), weights="same")
    save(ledger, version(3), weights="other")
    save(ledger, version(1, "other"), weights="same")
    digest = ledger.latest(version(1))["weights"]["digest"]
    assert ledger.same_weights(version(4), digest) == ledger.latest(version(2))
    assert ledger.same_weights(version(2), digest) == ledger.latest(version(1))
    assert ledger.same_weights(version(1), digest) is None
    assert ledger.same_weights(version(1, "other"), digest) is None


def test_same_weights_give_their_newest_audit(ledger):
    save(ledger, version(1), weights="same", policy="policy-1")
    newest = save(ledger, version(1), weights="same", policy="policy-2")
    assert ledger.same_weights(version(2), newest["weights"]["digest"]) == newest


def test_versions_of_which_no_file_was_read_have_no_weights_in_common(ledger):
    unread = save(ledger, version(1), Verdict.INCOMPLETE, weights="none")
    assert ledger.same_weights(version(2), unread["weights"]["digest"]) is None


def test_weights_nobody_could_identify_are_the_same_as_none(ledger):
    parts = FileRecord("model.safetensors", 9, "", verified=False)
    whole = FileRecord("config.safetensors", 9, "0" * 64, verified=True)
    assert Reading((whole,), 9).digest
    assert not Reading((whole, parts), 18).digest
    document = audited(version(1), weights="same")
    unknown = {**document, "weights": {**document["weights"], "digest": ""}}
    ledger.save(version(1), unknown, sinks=[], at=START)
    assert ledger.same_weights(version(2), "") is None


def test_trend_is_the_newest_earlier_versions_oldest_first(ledger):
    for number in (3, 1, 4, 2, 5):
        save(ledger, version(number))
    assert [point.version for point in ledger.trend(version(5), limit=3)] == ["2", "3", "4"]
    assert [point.version for point in ledger.trend(version(5), limit=9)] == ["1", "2", "3", "4"]
    assert ledger.trend(version(1), limit=9) == []


def test_trend_has_the_numbers_of_the_newest_audit(ledger):
    save(ledger, version(1), policy="older", layers=[layer("fc1", 0, alpha=9.0)])
    layers = [layer("fc1", 0, 2.0), layer("fc2", 1, 3.0), layer("fc3", 2, 7.0)]
    save(
        ledger,
        version(1),
        Verdict.BLOCK,
        policy="newer",
        layers=layers,
        findings=[finding("rank"), finding("scale")],
        distances=[0.25, math.nan, 0.75],
    )
    assert ledger.trend(version(2), limit=5) == [
        Trend(
            version="1",
            created_at=version(1).created_at,
            verdict="BLOCK",
            alpha_median=3.0,
            log_spectral_norm_mean=2.0,
            distance=0.5,
            findings_new=2,
        )
    ]


def test_trend_of_undefined_numbers_is_nan(ledger):
    save(ledger, version(1), layers=[layer("fc1", 0, alpha=math.nan)])
    (point,) = ledger.trend(version(2), limit=1)
    assert math.isnan(point.alpha_median)
    assert math.isnan(point.distance)
