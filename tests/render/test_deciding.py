"""What a report says about a person's decision."""

import pytest

from auditor.render import render
from auditor.render.deciding import decision, told
from auditor.render.view import page
from tests.render import factory

SAID = {
    "accept": True,
    "by": "a.ruiz",
    "reason": "for <the> pilot",
    "at": "2026-03-02T10:00:05.123456+00:00",
    "until": "2026-12-31",
    "via": "MLflow tag",
}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "Accepted until 2026-12-31 by a.ruiz: for <the> pilot"),
        ({"until": None}, "Accepted by a.ruiz: for <the> pilot"),
        ({"accept": False, "until": None}, "Rejected by a.ruiz: for <the> pilot"),
    ],
)
def test_a_decision_is_one_sentence_with_its_last_day(changed, sentence):
    audit = {**factory.blocked(), "decision": {**SAID, **changed}}
    assert page(audit).decision == decision(audit) == sentence
    assert told(audit) == f"{sentence} (2026-03-02 10:00:05 UTC, by MLflow tag)"


def test_it_stands_beside_the_verdict_and_where_the_report_says_how_it_came_about():
    text = render({**factory.blocked(), "decision": SAID})
    sentence = "Accepted until 2026-12-31 by a.ruiz: for &lt;the&gt; pilot"
    assert text.count(sentence) == 2
    assert text.index(sentence) < text.index("What to do") < text.rindex(sentence)


def test_nobody_decided():
    audit = factory.blocked()
    assert (decision(audit), told(audit)) == ("", "nobody had accepted or rejected it")
    assert ("Decision", "nobody had accepted or rejected it") in page(audit).made
    assert "<dt>Decision</dt><dd class=" not in render(audit)


def test_a_profile_that_stands_in_for_a_baseline_is_named():
    stands = {"name": "digits", "digest": "d" * 64, "audits": 12, "bands": {}}
    made = dict(page({**factory.blocked(), "profile": stands}).made)
    assert made["Profile"].startswith(f"digits, from 12 audits, digest {'d' * 64}; it stands in")
    assert "Profile" not in dict(page(factory.blocked()).made)
