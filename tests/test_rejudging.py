"""When the policy changes, a waiver ends, or checks are newer: what becomes of verdicts."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auditor import checks
from auditor.app import assemble
from auditor.config import Config, load
from auditor.document import Document
from auditor.ledger.models import AuditRow
from auditor.pipeline import App, Outcome, once, rejudge
from auditor.pipeline.rejudging import judged_now
from auditor.records import Decision, ModelVersion
from auditor.rejudging import own_words
from auditor.render import render
from auditor.telling import addresses, meet, tell
from auditor.wall import process
from auditor.weights import tensors
from tests import models
from tests.ledger.conftest import made_file
from tests.models import weights, write
from tests.telling.conftest import configured
from tests.telling.receiver import receiving

__all__ = ["made_file"]  # a fixture

COLLAPSED = {"fc2.weight": models.collapsed()}
ZERO = {"zero.weight": np.zeros((16, 16))}
DAY = timedelta(days=1)
WAIVED = """
extends: recommended
waivers:
  - check: all_zero
    model: "folder:net"
    layer: "zero.*"
    reason: pruned on purpose
    owner: a.ruiz
    expires: {day:%Y-%m-%d}
"""


@dataclass(frozen=True)
class Place:
    """A folder of versions, watched under a policy."""

    root: Path

    def write(self, number: int, model: str = "net", **changed: Any) -> Path:
        return write(self.root / "models" / model / str(number), weights(**changed), day=number)

    def policy(self, text: str) -> None:
        (self.root / "policy.yaml").write_text(text)

    def config(self, **changed: str) -> Config:
        """Few refits, and no pages: they are others' subject."""
        plain = {
            "policy": "policy.yaml",
            "analysis": "{bootstrap: 20}",
            "sinks": "[{kind: files, formats: [json]}]",
        }
        return load(models.config(self.root, **{**plain, **changed}))

    @contextmanager
    def app(self, days: int = 0) -> Iterator[App]:
        """Everything a run needs, so many days from now."""
        with assemble(self.config(), execute=process.here) as app:
            at = app.clock() + days * DAY
            clock: Callable[[], datetime] = at.replace
            yield replace(app, clock=clock, examiner=replace(app.examiner, clock=clock))

    def once(self, days: int = 0) -> Outcome:
        with self.app(days) as app:
            return once(app)

    def newest(self, number: int, model: str = "net") -> Document:
        with self.app() as app:
            found = app.ledger.latest(self.version(app, number, model))
            assert found is not None
            return found

    @staticmethod
    def version(app: App, number: int, model: str = "net") -> ModelVersion:
        known = app.ledger.known("folder").versions(model)
        return next(one for one in known if one.id.version == str(number))


@pytest.fixture
def place(tmp_path, monkeypatch, made_file) -> Place:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(made_file, tmp_path / "auditor.db")
    (tmp_path / "models").mkdir()
    here = Place(tmp_path)
    here.policy("extends: recommended")
    return here


@pytest.fixture
def unreadable(monkeypatch) -> Callable[[], None]:
    """From now on no weight may be read, and no file is there any more."""

    def forbid(*args: object) -> None:
        raise AssertionError(f"read {args}")

    return lambda: monkeypatch.setattr(tensors, "decode", forbid)


def told(outcome: Outcome) -> dict[str, tuple[str, str]]:
    return {one["model"]["version"]: (one["verdict"], one["reason"]) for one in outcome.audited}


# --- another policy ---------------------------------------------------------------------------


def test_a_stricter_policy_judges_the_newest_version_again_without_its_weights(place, unreadable):
    place.policy("extends: observe")
    place.write(1, **COLLAPSED)
    assert told(place.once())["1"][0] == "REVIEW"
    unreadable()
    place.policy("extends: recommended")
    assert told(place.once())["1"][0] == "BLOCK"


def test_a_looser_policy_is_announced_too(place, unreadable, caplog):
    place.write(1, **COLLAPSED)
    before = place.once().audited[0]
    assert before["verdict"] == "BLOCK"
    unreadable()
    place.policy("extends: observe")
    caplog.set_level(logging.INFO)

    (now,) = place.once().audited

    assert now["verdict"] == "REVIEW"
    assert now["reason"].startswith("judged again, as the policy has changed: fc2.weight lost")
    assert now["rejudged"] == {
        "id": before["id"],
        "verdict": "BLOCK",
        "why": "the policy has changed",
    }
    assert now["id"] != before["id"]
    assert now["layers"] == json.loads(json.dumps(before["layers"]))
    (line,) = [one for one in caplog.records if vars(one).get("event") == "audit.rejudged"]
    assert (vars(line)["verdict"], vars(line)["was"]) == ("REVIEW", "BLOCK")


def test_both_verdicts_stay_on_record_and_the_new_one_is_delivered(place):
    place.policy("extends: observe")
    place.write(1, **COLLAPSED)
    first = place.once().audited[0]
    place.policy("extends: recommended")
    second = place.once().audited[0]
    with place.app() as app:
        assert app.ledger.audit(first["id"])["verdict"] == "REVIEW"
        assert app.ledger.audit(second["id"])["verdict"] == "BLOCK"
        assert app.ledger.due(app.clock() + DAY) == []
    (report,) = (place.root / "reports").rglob("*.json")
    assert json.loads(report.read_text())["id"] == second["id"]
    said = f"as the policy has changed; audit {first['id']} said REVIEW"
    assert said in render(second)


def test_people_are_told_of_another_verdict_once(place):
    place.policy("extends: observe")
    place.write(1, **COLLAPSED)
    with receiving() as receiver, place.app() as app:
        targets = addresses(configured({"name": "team", "url": receiver.url}))
        meet(app.ledger, targets, {}, app.clock())
        for hours, policy in enumerate(("observe", "recommended", "strict"), start=1):
            place.policy(f"extends: {policy}\nbaseline: off")
            place.once()
            tell(app.ledger, targets, {}, app.clock() + timedelta(hours=hours))
        assert receiver.titles == [
            "auditor: net 1: REVIEW",
            "auditor: net 1: BLOCK (judged again, it was REVIEW)",
        ]
    said = receiver.got[1]["message"]
    assert said.startswith("judged again, as the policy has changed: fc2.weight lost its rank")


def test_only_the_newest_version_is_judged_again_unless_the_policy_is_retroactive(place):
    place.policy("extends: observe")
    place.write(1, **ZERO)
    place.write(2)
    place.once()
    place.policy("extends: recommended")
    assert told(place.once()) == {}
    assert place.newest(1)["verdict"] == "REVIEW"

    place.policy("extends: recommended\nretroactive: true")
    assert [*told(place.once())] == ["1"]
    assert place.newest(1)["verdict"] == "BLOCK"


def test_what_changes_nothing_is_noted_once_and_no_audit_is_added(place, monkeypatch):
    place.write(1)
    first = place.once().audited[0]
    place.policy("extends: recommended\nchecks: {over_trained: error}")
    assert place.once().audited == []
    assert place.newest(1)["id"] == first["id"]
    with place.app() as app:
        monkeypatch.setattr(
            type(app.ledger), "audited_version", lambda *_: pytest.fail("judged again")
        )
        assert rejudge(app) == 0


def test_what_could_not_be_read_never_turns_green(place):
    place.policy("extends: strict")
    broken = place.write(1) / "model.safetensors"
    broken.write_bytes(broken.read_bytes()[:-100])
    models.date(broken, day=1)
    assert told(place.once())["1"][0] == "INCOMPLETE"
    place.policy("extends: observe\nbaseline: off")
    place.once()
    assert place.newest(1)["verdict"] == "INCOMPLETE"


# --- waivers that end -------------------------------------------------------------------------


def test_the_day_after_its_last_a_waiver_counts_no_more(place, unreadable):
    place.policy(WAIVED.format(day=datetime.now(UTC) + 30 * DAY))
    place.write(1, **ZERO)
    place.write(2)
    place.write(3, **ZERO)
    first = told(place.once())
    assert [verdict for verdict, _ in first.values()] == ["PASS"] * 3
    unreadable()

    assert place.once(days=30).audited == []
    found = told(place.once(days=31))

    assert {number: verdict for number, (verdict, _) in found.items()} == {
        "1": "BLOCK",  # every version it covered something of
        "3": "BLOCK",
    }
    assert found["3"][1].startswith("judged again, as a waiver has ended: zero.weight")
    assert place.once(days=32).audited == []


@pytest.mark.wide
def test_a_waiver_that_is_extended_in_time_changes_nothing(place):
    place.policy(WAIVED.format(day=datetime.now(UTC) + 30 * DAY))
    place.write(1, **ZERO)
    before = place.once().audited[0]
    place.policy(WAIVED.format(day=datetime.now(UTC) + 90 * DAY))
    (now,) = place.once(days=20).audited  # it says until when
    assert (now["verdict"], before["verdict"]) == ("PASS", "PASS")
    assert place.once(days=31).audited == []


@pytest.mark.wide
def test_a_waiver_that_was_taken_out_is_a_change_of_the_policy(place):
    place.policy(WAIVED.format(day=datetime.now(UTC) + 30 * DAY))
    place.write(1, **ZERO)
    place.once()
    place.policy("extends: recommended")
    (now,) = place.once().audited
    assert (now["verdict"], now["rejudged"]["why"]) == ("BLOCK", "the policy has changed")


# --- newer checks -----------------------------------------------------------------------------


def older(monkeypatch) -> None:
    """What this release's checks are, without one of them, two releases ago."""
    monkeypatch.setattr(checks, "VERSION", checks.VERSION - 2)
    monkeypatch.setattr(checks.BY_NAME["rank_collapse"], "__call__", lambda *_: iter(()))
    monkeypatch.setattr(checks.BY_NAME["scale_collapse"], "__call__", lambda *_: iter(()))
    monkeypatch.setattr(checks.BY_NAME["scale_explosion"], "__call__", lambda *_: iter(()))


def test_what_only_newer_checks_see_turns_nothing_red(place, unreadable):
    place.write(1, **COLLAPSED)
    with pytest.MonkeyPatch.context() as then:
        older(then)
        assert told(place.once())["1"][0] == "PASS"
    unreadable()

    (now,) = place.once().audited

    assert (now["verdict"], now["rejudged"]["why"]) == ("PASS", "the checks are newer")
    found = {one["check"]: one["origin"] for one in now["findings"]}
    assert found["rank_collapse"] == "analyzer"
    place.policy("extends: strict\nbaseline: off")
    assert all(one["verdict"] == "PASS" for one in place.once().audited), "nor later"


def test_the_same_weights_registered_again_under_newer_checks_stay_green(place, unreadable):
    place.write(1, **COLLAPSED)
    with pytest.MonkeyPatch.context() as then:
        older(then)
        place.once()
    unreadable()
    place.write(2, **COLLAPSED)
    found = place.once().audited[-1]
    assert (found["model"]["version"], found["verdict"]) == ("2", "PASS")
    assert found["reason"].startswith("same weights as version 1: no known symptom")
    assert found["rejudged"] is None


@pytest.mark.wide
def test_the_same_weights_measured_again_by_a_newer_analyzer_stay_green(place):
    place.write(1, **COLLAPSED)
    with pytest.MonkeyPatch.context() as then:
        older(then)
        then.setattr("auditor.document.METRIC_SET", 1)
        place.once()
    place.write(2, **COLLAPSED)
    found = {one["model"]["version"]: one for one in place.once().audited}["2"]
    assert found["verdict"] == "PASS"
    assert not found["reason"].startswith("same weights")
    assert "analyzer" in {one["origin"] for one in found["findings"]}


@pytest.mark.wide
def test_broken_weights_registered_again_under_newer_checks_stay_blocked(place):
    place.write(1, **COLLAPSED)
    with pytest.MonkeyPatch.context() as then:
        then.setattr(checks, "VERSION", 1)
        assert told(place.once())["1"][0] == "BLOCK"
    place.write(2, **COLLAPSED)
    assert told(place.once())["2"][0] == "BLOCK"


# --- the same weights, and people -------------------------------------------------------------


def test_the_same_weights_under_another_policy_are_judged_by_it_without_being_read(
    place, unreadable
):
    place.write(1, **COLLAPSED)
    assert told(place.once())["1"][0] == "BLOCK"
    unreadable()
    place.policy("extends: observe")
    place.write(2, **COLLAPSED)
    found = told(place.once())
    assert found["2"] == ("REVIEW", found["2"][1])
    assert found["2"][1].startswith("same weights as version 1: fc2.weight lost its rank")


def test_what_a_person_accepted_is_accepted_in_the_same_weights(place):
    place.write(1, **COLLAPSED)
    place.once()
    with place.app() as app:
        said = Decision(accept=True, by="ann", reason="pruned", at=app.clock())
        app.ledger.decide(place.version(app, 1), said)
    place.write(2, **COLLAPSED)
    found = place.once().audited[0]
    assert found["verdict"] == "PASS"
    assert {one["origin"] for one in found["findings"] if one["level"] != "off"} == {"accepted"}
    assert place.newest(1)["verdict"] == "BLOCK", "never its own verdict"

    place.policy("extends: strict\nbaseline: off\nretroactive: true")
    place.once()
    assert place.newest(2)["verdict"] == "PASS", "nor under another policy"


# --- what it rests on -------------------------------------------------------------------------


def test_columns_that_were_not_measured_come_from_kept_spectra(place, unreadable):
    place.write(1)
    config = place.config(analysis="{intervals: off}")
    with assemble(config, execute=process.here) as app:
        (before,) = once(app).audited
    assert "alpha_lo" not in before["layers"][0]
    unreadable()
    place.policy("extends: recommended\nchecks: {over_trained: {level: error, below: 9}}")

    (now,) = place.once().audited

    assert now["layers"][0]["alpha_lo"] < before["layers"][0]["alpha"]
    assert now["verdict"] == "BLOCK"
    assert now["analyzer"]["metric_set"] == before["analyzer"]["metric_set"]


@pytest.mark.wide
def test_where_spectra_are_gone_a_rule_has_not_been_looked_for(place):
    place.write(1)
    config = place.config(analysis="{intervals: off}")
    with assemble(config, execute=process.here) as app:
        once(app)
    shutil.rmtree(config.data / "spectra")
    place.policy("extends: recommended\nchecks: {over_trained: {level: error, below: 9}}")
    assert place.once().audited == []
    assert "alpha_lo" not in place.newest(1)["layers"][0]


def test_a_process_that_dies_in_the_middle_is_continued(place):
    place.policy("extends: observe")
    for number in range(3):
        place.write(1, model=f"net{number}", **COLLAPSED)
    place.once()
    place.policy("extends: recommended")
    with place.app() as app:
        saved, count = type(app.ledger).save_again, iter(range(9))

        def dies(self: object, number: int, *args: Any, **given: Any) -> bool:
            if next(count) == 1:
                raise KeyboardInterrupt
            return bool(saved(self, number, *args, **given))

        with pytest.MonkeyPatch.context() as then:
            then.setattr(type(app.ledger), "save_again", dies)
            with pytest.raises(KeyboardInterrupt):
                rejudge(app)
    assert len(place.once().audited) == 2
    assert {place.newest(1, f"net{n}")["verdict"] for n in range(3)} == {"BLOCK"}
    assert place.once().audited == []


@pytest.mark.wide
def test_a_document_that_was_changed_by_hand_ends_no_run(place, caplog):
    place.policy("extends: observe")
    place.write(1, **COLLAPSED)
    place.write(1, model="other", **COLLAPSED)
    place.once()
    with place.app() as app, Session(app.ledger.engine.execution_options(writes=True)) as session:
        row = session.scalars(select(AuditRow).order_by(AuditRow.id).limit(1)).one()
        row.document = {**row.document, "layers": [{"name": "fc1.weight", "shape": [0]}]}
        session.commit()
    place.policy("extends: recommended")
    assert [one["verdict"] for one in place.once().audited] == ["BLOCK"]
    (line,) = [one for one in caplog.records if vars(one).get("event") == "audit.unjudged"]
    assert "cannot be judged again" in line.getMessage()
    caplog.clear()
    place.once()
    assert not caplog.records, "said once"


def test_an_audit_that_comes_in_between_counts(place):
    place.write(1, **COLLAPSED)
    before = place.once().audited[0]
    with place.app() as app:
        (one,) = app.ledger.judged()
        stale = {**before, "id": "b", "rejudged": {"id": "another", "verdict": "", "why": ""}}
        assert not app.ledger.save_again(one.number, stale, sinks=[], at=app.clock())
    assert place.newest(1)["id"] == before["id"]


# --- as if it had been judged so at first -----------------------------------------------------

LIMITS = """
extends: recommended
checks: {over_trained: {level: warn, below: 4.5}}
rules:
  - {metric: alpha, of: median, level: warn, max: 2.0}
  - {metric: relative, of: layer, level: warn, max: 0.2, layer: "fc*"}
  - {metric: stable_rank, of: mean, level: warn, max_increase: 0.5}
"""


def busy(place: Place) -> None:
    """Two versions with something of every kind between them, and one of an adapter."""
    rng = np.random.default_rng(7)
    place.write(1)
    tensors = weights(7)
    moved = weights()["head.weight"]
    del tensors["head.weight"]
    later = {
        **tensors,
        "moved.weight": moved,
        "added.weight": weights(8)["fc1.weight"],
        "fc2.weight": models.collapsed(),
        "nan.weight": np.full((16, 16), np.nan),
        **ZERO,
    }
    write(place.root / "models/net/2", later, day=2)
    adapter = {
        "layers.0.q_proj.lora_A.weight": rng.normal(size=(4, 64)),
        "layers.0.q_proj.lora_B.weight": rng.normal(size=(48, 4)),
    }
    write(place.root / "models/adapter/1", adapter, day=1)


PRESETS = ("extends: strict\nbaseline: off", "extends: recommended")


@pytest.mark.parametrize(
    "policy", [*(pytest.param(one, marks=pytest.mark.wide) for one in PRESETS), LIMITS]
)
def test_it_says_what_it_would_have_said_at_first(place, policy, tmp_path):
    place.policy("extends: observe")
    busy(place)
    place.once()
    place.policy(f"{policy}\nretroactive: true")
    place.once()  # what is otherwise now

    other = Place(tmp_path / "other")
    (other.root / "models").mkdir(parents=True)
    other.policy(policy)
    busy(other)
    with pytest.MonkeyPatch.context() as there:
        there.chdir(other.root)
        other.once()

    with place.app() as app:
        again = {}
        for one in app.ledger.judged():
            found = app.ledger.audited_version(one.number)
            examiner = app.examiner
            now = judged_now(found, app.ledger, examiner.policy, examiner.memory, app.clock())
            again[found[0].id] = json.loads(json.dumps(now))
    for version, now in again.items():
        first = other.newest(int(version.version), version.model)
        assert own_words(now["reason"]) == first["reason"]
        for key in ("verdict", "gate", "findings", "counts", "layers", "skipped"):
            assert now[key] == first[key], (version, key)
    assert len(again) == 3
