"""What happened once, to one version: it is told of that version, and over in the next."""

from dataclasses import replace
from datetime import date

import pytest

from auditor.checks import BY_NAME, EVENTS
from auditor.checks.base import Case
from auditor.policy import Before, Judgement, judge, preset
from auditor.records import (
    Comparison,
    FileRecord,
    LayerChange,
    LayerRecord,
    Origin,
    Reading,
    Verdict,
)
from tests.render.factory import layer, version

FC = layer("fc.weight")


def step(now: LayerRecord, then: LayerRecord, before: Before | None, **given: float) -> Judgement:
    """A version of one layer, held against the one before it, by the strict policy."""
    distances = {"relative": 0.01, "cosine": 0.0, "d_alpha": 0.0, "d_alpha_error": 0.1, **given}
    comparison = Comparison(version(number="1"), (LayerChange(now.name, then, distances),))
    case = Case((now,), comparison=comparison)
    day = date(2026, 1, 1)
    return judge(case, preset("strict"), before, model="mlflow:digits", as_of=day)


def stored(dtype: str) -> LayerRecord:
    return replace(FC, dtype=dtype)


def test_a_conversion_asks_for_a_review_and_is_over_in_the_next_version():
    converted = step(stored("bfloat16"), stored("float32"), Before())
    assert converted.verdict is Verdict.REVIEW
    following = step(stored("bfloat16"), stored("bfloat16"), Before(converted.findings))
    assert following.verdict is Verdict.PASS
    assert not following.findings, "neither there nor repaired"


@pytest.mark.parametrize("accepted", [False, True])
def test_another_conversion_is_new_whatever_became_of_the_first(accepted):
    """Accepting one change of a type says nothing about the next one."""
    first = step(stored("bfloat16"), stored("float32"), Before())
    before = Before(first.findings, accepted=accepted)
    second = step(stored("float16"), stored("bfloat16"), before)
    (finding,) = second.findings
    assert (finding.check, finding.origin) == ("dtype_changed", Origin.NEW)
    assert second.verdict is Verdict.REVIEW


def test_a_second_large_change_is_new_after_the_first_was_accepted():
    first = step(FC, FC, Before(), relative=1.4)
    second = step(FC, FC, Before(first.findings, accepted=True), relative=1.4)
    assert [one.origin for one in second.findings] == [Origin.NEW]


def test_that_bytes_of_one_version_were_accepted_says_nothing_of_the_next():
    file = FileRecord("model.safetensors", 10, "", verified=False)
    case = Case((FC,), reading=Reading((file,), 10))
    found: list[Origin] = []
    before = None
    for _ in range(2):
        day = date(2026, 1, 1)
        judged = judge(case, preset("strict"), before, model="hub:org/net", as_of=day)
        found += [one.origin for one in judged.findings]
        before = Before(judged.findings, accepted=True)
    assert found == [Origin.NEW, Origin.NEW]


def test_every_event_needs_a_baseline():
    """What is found in the layers of a version by itself is a state, and is carried over."""
    alone = Case((FC, replace(FC, name="copy.weight")))
    assert not [one for name in EVENTS for one in BY_NAME[name]()(alone)]
