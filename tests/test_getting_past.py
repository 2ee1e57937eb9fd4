"""Ways around a verdict: what somebody might try who wants broken weights to pass."""

import json
from datetime import timedelta

import pytest

from auditor.errors import UsageError
from auditor.pipeline import rejudge
from auditor.records import Decision
from auditor.rejudging import rejudged
from auditor.reports import rewrite
from auditor.single import Request, audit
from auditor.wall import process
from auditor.wall.jobs import quiet
from tests import models
from tests.ledger.conftest import made_file
from tests.test_rejudging import COLLAPSED, Place, place, told

__all__ = ["made_file", "place"]  # fixtures

LENIENT = (
    "extends: recommended\nchecks: {rank_collapse: {level: error, min_share: 0.0, max_fall: 1.0}}"
)


def say(place: Place, number: int, *, accept: bool, days: int | None = None) -> None:
    """What a person says of a version, for so many days more."""
    with place.app() as app:
        at = app.clock()
        until = None if days is None else at.date() + timedelta(days=days)
        said = Decision(accept=accept, by="ann", reason="so", at=at, until=until)
        app.ledger.decide(place.version(app, number), said)


# --- the same weights, after what people said --------------------------------------------------


def test_when_acceptance_has_ended_a_copy_of_a_copy_is_blocked_too(place):
    place.write(1, **COLLAPSED)
    place.once()
    say(place, 1, accept=True, days=1)
    place.write(2, **COLLAPSED)
    assert told(place.once())["2"][0] == "PASS"
    place.write(3, **COLLAPSED)
    assert told(place.once(days=2))["3"][0] == "BLOCK"


def test_of_two_words_on_the_same_weights_the_last_counts(place):
    place.write(1, **COLLAPSED)
    place.once()
    say(place, 1, accept=True)
    place.write(2, **COLLAPSED)
    place.once()
    say(place, 2, accept=False)
    place.write(3, **COLLAPSED)
    assert told(place.once())["3"][0] == "BLOCK"


# --- thresholds --------------------------------------------------------------------------------


def test_what_a_lenient_policy_did_not_see_is_no_news_of_the_analyzer(place):
    place.policy(LENIENT)
    place.write(1, **COLLAPSED)
    assert told(place.once())["1"][0] == "PASS"
    request = Request("models/net/1", place.config(), baseline="none", policy="recommended")
    _, found = audit(request, quiet, process.here)
    assert found["verdict"] == "BLOCK"


def test_what_the_baseline_had_under_a_lenient_policy_is_open_under_a_stricter_one(place):
    place.policy(LENIENT)
    place.write(1, **COLLAPSED)
    place.write(2, **{**COLLAPSED, "fc1.weight": models.weights(3)["fc1.weight"]})
    assert {verdict for verdict, _ in told(place.once()).values()} == {"PASS"}
    place.policy("extends: recommended")
    (now,) = place.once().audited
    assert now["verdict"] == "BLOCK"
    assert {one["origin"] for one in now["findings"] if one["level"] == "error"} == {"open"}


# --- what was not looked at --------------------------------------------------------------------


def test_what_was_blocked_before_all_was_read_is_judged_in_full_when_it_is(place):
    """The first audit saw one of two symptoms, and the analyzer has changed since."""
    broken = {**COLLAPSED, "fc3.weight": models.collapsed()}
    place.write(1, **broken)
    half = place.once().audited[0]
    kept = [one for one in half["findings"] if one["layer"] != "fc3.weight"]
    rows = [
        {**row, "passed": row["passed"] and not row["condition"].startswith("Share of")}
        for row in half["gate"]
    ]
    older = {**half["analyzer"], "metric_set": 1}
    with place.app() as app:
        at = app.clock()
        said = {**half, "id": "half", "findings": kept, "gate": rows, "analyzer": older}
        app.ledger.save(place.version(app, 1), said, sinks=[], at=at)
    place.write(2, **broken)
    found = told(place.once())["2"]
    assert found[0] == "BLOCK"
    assert "1 more like it" in found[1]


# --- two at once -------------------------------------------------------------------------------


def test_a_decision_that_comes_in_between_does_not_keep_a_verdict_from_being_given_again(
    place, monkeypatch
):
    place.policy("extends: observe")
    place.write(1, **COLLAPSED)
    place.once()
    place.policy("extends: recommended")

    def interrupted(*given, **named):
        say(place, 1, accept=False)
        return rejudged(*given, **named)

    with monkeypatch.context() as there, place.app() as app:
        there.setattr("auditor.pipeline.rejudging.rejudged", interrupted)
        assert rejudge(app) == 0, "another audit came in between"
    with place.app() as app:
        assert rejudge(app) == 1
    assert place.newest(1)["verdict"] == "BLOCK"
    assert place.newest(1)["decision"]["accept"] is False


# --- documents that were changed by hand -------------------------------------------------------


def test_a_verdict_that_its_own_gate_contradicts_is_rendered_by_nobody(place, tmp_path):
    place.write(1, **COLLAPSED)
    (found,) = place.once().audited
    (tmp_path / "one.json").write_text(json.dumps({**found, "verdict": "PASS"}))
    with pytest.raises(UsageError, match="it says PASS, and that this failed: Layers whose rank"):
        rewrite(tmp_path / "one.json", ["html"], tmp_path)


def test_numbers_that_nobody_can_draw_are_one_sentence(place, tmp_path):
    place.write(1)
    (found,) = place.once().audited
    for wrong in ({"lo": -1.0}, {"hi": 0.0}, {"density": [1e308] * 3}):
        layers = [{**row, "spectrum": {**row["spectrum"], **wrong}} for row in found["layers"]]
        (tmp_path / "one.json").write_text(json.dumps({**found, "layers": layers}))
        with pytest.raises(UsageError, match="changed by hand or damaged: a number of it cannot"):
            rewrite(tmp_path / "one.json", ["html"], tmp_path)
