"""The whole line, on real files with a real ledger."""

import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from auditor.app import assemble
from auditor.audit import measure
from auditor.backfilling import Mode, backfill
from auditor.config import load
from auditor.errors import LedgerError, SinkError, UnreachableError, UsageError
from auditor.ledger import Told
from auditor.measuring import station
from auditor.memory import files
from auditor.pipeline import App, Outcome, heartbeat, look, once, sweep, visiting
from auditor.pipeline.heartbeat import beating
from auditor.pipeline.visiting import MAX_ATTEMPTS
from auditor.records import ModelVersion, Priority, Reached, Rhythm, Seen, SourceFile
from auditor.sources import Source
from auditor.wall.process import here
from auditor.weights import tensors
from auditor.weights.tensors import decode
from tests import models, told
from tests.models import weights, write

HOUR = timedelta(hours=1)
COLLAPSED = {"fc2.weight": models.collapsed()}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path


def run(root, **changed):
    """One run as ``auditor once`` makes it."""
    with assemble(load(models.config(root, **changed)), execute=here) as app:
        return once(app)


def in_hours(app: App, hours: int) -> App:
    """The same run, so many hours later."""
    at = app.clock() + timedelta(hours=hours)
    return replace(app, clock=lambda: at)


def verdicts(outcome: Outcome) -> dict[str, str]:
    return {found["model"]["version"]: found["verdict"] for found in outcome.audited}


def test_every_version_is_audited_once_oldest_first_and_against_the_one_before(root):
    write(root / "models/net/1", weights(), day=1)
    write(root / "models/net/2", weights(7), day=2)

    first, second = run(root), run(root)

    assert list(verdicts(first)) == ["1", "2"]
    assert first.audited[0]["comparison"] is None
    comparison = first.audited[1]["comparison"]
    assert comparison["baseline"]["version"] == "1"
    distances = {layer["name"]: layer["relative"] for layer in comparison["layers"]}
    old, new = weights()["fc1.weight"], weights(7)["fc1.weight"]
    expected = np.linalg.norm(old.astype(float) - new) / np.linalg.norm(old.astype(float))
    assert distances["fc1.weight"] == pytest.approx(expected, rel=1e-9)
    assert second.audited == []
    assert second.exit_code == 0


def test_reports_are_written_for_every_version(root):
    write(root / "models/net/1", weights(), day=1)
    run(root)
    stored = json.loads((root / "reports/folder/net/1.json").read_text())
    assert stored["verdict"] == "PASS"
    assert "No known symptom" in (root / "reports/folder/net/1.html").read_text()


def test_a_blocked_version_is_no_baseline_and_blocks_again_when_registered_again(root):
    write(root / "models/net/1", weights(), day=1)
    write(root / "models/net/2", weights(**COLLAPSED), day=2)
    write(root / "models/net/3", weights(3), day=3)
    write(root / "models/net/4", weights(**COLLAPSED), day=4)

    outcome = run(root)

    assert verdicts(outcome) == {"1": "PASS", "2": "BLOCK", "3": "PASS", "4": "BLOCK"}
    third, fourth = outcome.audited[2:]
    assert third["comparison"]["baseline"]["version"] == "1"
    assert fourth["reason"].startswith("same weights as version 2: fc2.weight lost its rank")


def test_the_same_weights_repeat_the_verdict_without_being_measured_again(root):
    write(root / "models/net/1", weights(), day=1)
    write(root / "models/net/2", weights(), day=2)
    write(root / "models/net/3", weights(), day=3)
    outcome = run(root)
    assert set(verdicts(outcome).values()) == {"PASS"}
    assert outcome.audited[1]["reason"].startswith("same weights as version 1: ")
    assert outcome.audited[2]["reason"].count("same weights") == 1
    assert len({found["id"] for found in outcome.audited}) == 3


def test_a_version_that_cannot_be_parsed_is_incomplete_at_once_and_the_next_goes_on(root):
    bad = write(root / "models/net/1", weights(), day=1) / "model.safetensors"
    bad.write_bytes(bad.read_bytes()[:-100])
    models.date(bad, day=1)
    write(root / "models/net/2", weights(), day=2)
    outcome = run(root)
    assert verdicts(outcome) == {"1": "INCOMPLETE", "2": "PASS"}
    assert "model.safetensors cannot be used: " in outcome.audited[0]["reason"]
    assert outcome.audited[1]["comparison"] is None
    assert outcome.exit_code == 0


def test_a_version_without_weights_is_tried_again_and_then_quarantined_with_an_audit(root):
    (root / "models/net/1").mkdir(parents=True)
    readme = root / "models/net/1/README.md"
    readme.write_text("soon")
    models.date(readme, day=1)
    write(root / "models/net/2", weights(), day=2)
    with assemble(load(models.config(root)), execute=here) as app:
        first = once(app)
        assert (len(first.attempts), first.audited) == (1, [])  # it holds up the later version
        for hours in range(1, MAX_ATTEMPTS):
            last = once(in_hours(app, hours))
    assert verdicts(last) == {"1": "INCOMPLETE", "2": "PASS"}
    assert "no weight file" in last.audited[0]["reason"]
    assert last.exit_code == 3


@dataclass(frozen=True)
class Away:
    """A source whose files cannot be reached until somebody puts the cable back."""

    source: Source
    cable: list[str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def files(self, version: ModelVersion) -> Sequence[SourceFile]:
        if not self.cable:
            raise UnreachableError("nobody answers")
        return self.source.files(version)


def test_a_place_that_is_away_is_waited_for_and_costs_no_attempt(root):
    write(root / "models/net/1", weights(), day=1)
    with assemble(load(models.config(root)), execute=here) as plain:
        away: Any = Away(plain.sources["folder"], cable=[])
        app = replace(plain, sources={"folder": away})
        for hours in (0, 1, 2, 24, 48, 71):
            assert [reason for _, reason in once(in_hours(app, hours)).attempts] == [
                "nobody answers"
            ]
        assert [problem.attempts for problem in app.ledger.problems()] == [0]
        away.cable.append("a cable")
        assert once(in_hours(app, 71)).audited == []  # its pause is not over
        app.ledger.unreachable("folder", "nobody answers", app.clock())
        assert verdicts(once(in_hours(app, 71))) == {"1": "PASS"}  # it is back, and known to be


def test_a_place_that_stays_away_does_not_hold_up_later_versions_for_ever(root):
    write(root / "models/net/1", weights(), day=1)
    with assemble(load(models.config(root)), execute=here) as plain:
        away: Any = Away(plain.sources["folder"], cable=[])
        app = replace(plain, sources={"folder": away})
        once(app)
        outcome = once(in_hours(app, 24 * 4))
    assert verdicts(outcome) == {"1": "INCOMPLETE"}
    assert "nobody answers; tried for 4 days" in outcome.quarantined[0][1]


def test_an_unreachable_source_does_not_hide_the_others_and_is_exit_code_2(root):
    write(root / "models/net/1", weights(), day=1)
    two = "[{kind: folder, root: nowhere, name: gone}, {kind: folder, root: models, settle: 0}]"
    outcome = run(root, sources=two)
    assert verdicts(outcome) == {"1": "PASS"}
    assert list(outcome.unreachable) == ["gone"]
    assert outcome.exit_code == 2


def test_history_says_how_far_back_a_new_model_is_audited_and_backfill_goes_further(root):
    for number in (1, 2, 3, 4):
        write(root / f"models/net/{number}", weights(number), day=number)
    sources = "[{kind: folder, root: models, history: 1, settle: 0}]"
    assert list(verdicts(run(root, sources=sources))) == ["4"]
    with assemble(load(models.config(root, sources=sources)), execute=here) as app:
        estimate, nothing = backfill(app, "folder", None, 2, Mode.ESTIMATE)
        _, outcome = backfill(app, "folder", None, 2, Mode.AUDIT)
        with pytest.raises(UsageError, match="no source hub; there are: folder"):
            backfill(app, "hub", None, None, Mode.ESTIMATE)
    assert re.fullmatch(
        r"folder: 2 older versions of 1 models, about [\d,]+ bytes and \d+ minutes "
        "at the pace of the latest audits",
        estimate,
    )
    assert nothing is None
    assert outcome is not None
    assert list(verdicts(outcome)) == ["2", "3"]


def test_a_backfill_may_be_left_to_whoever_audits_next(root):
    for number in (1, 2, 3):
        write(root / f"models/net/{number}", weights(number), day=number)
    sources = "[{kind: folder, root: models, history: none, settle: 0}]"
    with assemble(load(models.config(root, sources=sources)), execute=here) as app:
        estimate, outcome = backfill(app, "folder", None, None, Mode.QUEUE)
        assert estimate.endswith("bytes")  # nothing was audited yet: nobody knows the pace
        assert outcome is None
        assert app.ledger.states()["pending"] == 3
        assert list(verdicts(once(app))) == ["1", "2", "3"]


class Flaky:
    """A sink that fails until it is told not to; a place of delivery like any other."""

    name = "flaky"

    def __init__(self, error: Exception):
        self.got: list[str] = []
        self.error = error
        self.broken = True

    def write(self, document):
        if self.broken:
            raise self.error
        self.got.append(document["model"]["version"])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SinkError("no route to host"), "no route to host"),
        (KeyError("fc"), "an error in auditor itself, KeyError: 'fc'; please report it"),
    ],
    ids=["failure", "bug"],
)
def test_a_broken_sink_gets_its_audit_later_alone_and_once(root, error, reason):
    write(root / "models/net/1", weights(), day=1)
    with assemble(load(models.config(root)), execute=here) as plain:
        flaky = Flaky(error)
        app = replace(plain, sinks={**plain.sinks, "flaky": flaky})
        outcome = once(app)
        assert (root / "reports/folder/net/1.html").is_file()
        assert outcome.undelivered == [("flaky", reason)]

        flaky.broken = False
        again = once(in_hours(app, 2))
        once(in_hours(app, 3))
    assert (flaky.got, again.audited) == (["1"], [])


def test_layers_measured_before_are_not_measured_again(root, monkeypatch):
    write(root / "models/net/1", weights(), day=1)
    write(root / "models/net/2", weights(**{"fc1.weight": weights(9)["fc1.weight"]}), day=2)
    measured: list[str] = []

    def counted(layer, *rest):
        measured.append(layer.name)
        return measure(layer, *rest)

    monkeypatch.setattr(station, "measure", counted)
    run(root)
    assert sorted(measured) == ["fc1.weight", "fc1.weight", "fc2.weight", "head.weight"]


def test_a_renamed_layer_is_matched_by_its_content(root):
    write(root / "models/net/1", weights(), day=1)
    renamed = {name.replace("fc2", "middle"): value for name, value in weights().items()}
    write(root / "models/net/2", renamed, day=2)
    comparison = run(root).audited[1]["comparison"]
    assert comparison["renamed"] == [["fc2.weight", "middle.weight"]]
    assert (comparison["added"], comparison["removed"]) == ([], [])
    moved = next(found for found in comparison["layers"] if found["name"] == "middle.weight")
    assert (moved["delta_W"], moved["esd_js"]) == (0.0, 0.0)


def test_where_the_baselines_files_are_gone_stored_spectra_remain(root):
    folder = write(root / "models/net/1", weights(), day=1)
    run(root)
    (folder / "model.safetensors").unlink()
    folder.rmdir()
    write(root / "models/net/2", weights(5), day=2)
    audit = run(root).audited[0]
    (layer,) = (x for x in audit["comparison"]["layers"] if x["name"] == "fc1.weight")
    assert layer["delta_W"] is None
    assert layer["esd_js"] > 0
    assert layer["d_alpha"] is not None
    assert "distances between weights are missing" in audit["comparison"]["note"]


def test_a_version_of_a_process_that_died_is_taken_up_again(root):
    write(root / "models/net/1", weights(), day=1)
    with assemble(load(models.config(root)), execute=here) as app:
        seen = [found.version for found in told.seen(app.sources["folder"])]
        app.ledger.note("folder", Told(seen), app.clock(), history=None)
        dead = f"{app.owner.partition(':')[0]}:{os.getpid()}:1.00"  # our number, another start
        assert app.ledger.claim(app.clock(), lease=timedelta(hours=12), owner=dead)
    assert verdicts(run(root)) == {"1": "PASS"}


def test_versions_of_a_source_no_longer_configured_wait(root):
    write(root / "models/net/1", weights(), day=1)
    write(root / "others/net/1", weights(3), day=1)
    with assemble(load(models.config(root)), execute=here) as app:
        seen = [found.version for found in told.seen(app.sources["folder"])]
        app.ledger.note("folder", Told(seen), app.clock(), history=None)
    other = "[{kind: folder, root: others, name: other, settle: 0}]"
    assert [found["model"]["source"] for found in run(root, sources=other).audited] == ["other"]
    assert verdicts(run(root)) == {"1": "PASS"}


def test_a_bug_ends_one_versions_audit_and_not_the_run(root, monkeypatch, caplog):
    write(root / "models/bad/1", weights(), day=1)
    write(root / "models/net/1", weights(3), day=2)

    def choose(version, *_):
        assert version.id.model != "bad", "a bug"

    monkeypatch.setattr(visiting, "choose", choose)
    outcome = run(root)
    assert [found["model"]["name"] for found in outcome.audited] == ["net"]
    ((version, reason),) = outcome.attempts
    assert (version.id.model, "AssertionError" in reason) == ("bad", True)
    assert "audit.crashed" in [record.event for record in caplog.records if record.exc_info]


def test_a_long_audit_keeps_its_claim_and_notices_when_it_has_lost_it(root, monkeypatch, caplog):
    monkeypatch.setattr(heartbeat, "LEASE", timedelta(seconds=1))
    write(root / "models/net/1", weights(), day=1)
    with assemble(load(models.config(root)), execute=here) as app:
        sweep(app, Outcome())
        claim = app.ledger.claim(app.clock(), lease=timedelta(seconds=1), owner=app.owner)
        assert claim is not None
        with beating(claim.version, app):
            time.sleep(1.5)
            assert app.ledger.claim(app.clock(), lease=HOUR, owner="another") is None
            in_an_hour = app.clock() + HOUR
            assert app.ledger.claim(in_an_hour, lease=HOUR, owner="another") is not None
            time.sleep(0.5)
        lost = [record for record in caplog.records if record.event == "lease.lost"]
        assert len(lost) == 1
        found = visiting.examine(claim.version, app)
        assert not visiting._save(claim.version, found, app, Outcome())
        assert app.ledger.latest(claim.version) is None


def test_a_full_disk_ends_the_run_and_is_no_versions_fault(root, monkeypatch):
    write(root / "models/net/1", weights(), day=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_archive", full)
        with pytest.raises(LedgerError, match="No space left on device"):
            run(root)
    with assemble(load(models.config(root)), execute=here) as app:
        assert app.ledger.states()["pending"] == 1
        assert app.ledger.problems() == []
    assert verdicts(run(root)) == {"1": "PASS"}


def test_a_repaired_explosion_is_a_pass_without_any_alias(root):
    """Every layer ten times larger in one version and back in the next."""
    write(root / "models/net/1", weights(), day=1)
    large = {name: 10 * value for name, value in weights(2).items()}
    write(root / "models/net/2", large, day=2)
    write(root / "models/net/3", weights(3), day=3)
    outcome = run(root)
    assert verdicts(outcome) == {"1": "PASS", "2": "REVIEW", "3": "PASS"}
    assert outcome.audited[2]["counts"]["findings"]["fixed"] > 0


def test_a_layer_with_the_baselines_digest_costs_no_read_of_the_baseline(root, monkeypatch):
    write(root / "models/net/1", weights(), day=1)
    run(root)
    write(root / "models/net/2", weights(**{"fc1.weight": weights(9)["fc1.weight"]}), day=2)
    decoded: list[tuple[int, ...]] = []

    def counted(dtype, shape, data):
        decoded.append(shape)
        return decode(dtype, shape, data)

    monkeypatch.setattr(tensors, "decode", counted)
    comparison = run(root).audited[0]["comparison"]
    same = [layer["name"] for layer in comparison["layers"] if layer["delta_W"] == 0.0]
    assert same == ["fc2.weight", "head.weight"]
    own = [(96, 64), (64, 64), (64,), (10, 64)]
    assert sorted(decoded) == sorted([*own, (96, 64)])  # of the baseline, the changed layer only


@pytest.mark.parametrize("name", ["fc1.weight", "fc2.weight"])
def test_the_baselines_audit_vouches_for_its_weights_as_they_are_read(root, name, caplog):
    """Its files are not hashed again: what is read of them is held against what was audited."""
    file = write(root / "models/net/1", weights(), day=1) / "model.safetensors"
    run(root)
    data, values = file.read_bytes(), weights()[name].tobytes()
    file.write_bytes(data.replace(values, values[::-1]))
    models.date(file, day=1)
    write(root / "models/net/2", weights(**{"fc1.weight": weights(9)["fc1.weight"]}), day=2)
    (audit,) = run(root).audited
    assert (audit["comparison"]["baseline"]["version"], audit["comparison"]["note"]) == ("1", "")
    found = {layer["name"]: layer for layer in audit["comparison"]["layers"]}
    assert found["fc2.weight"]["delta_W"] == 0.0  # the same weights: nothing is read
    changed = found["fc1.weight"]
    assert changed["esd_js"] > 0
    assert (changed["delta_W"] is None) is (name == "fc1.weight")
    assert ("not what was audited" in caplog.text) is (name == "fc1.weight")


class Halfway:
    """A source that answers for a page, and then no more."""

    name, history, usual, priority = "halfway", None, Rhythm(every=60.0), Priority.NIGHTLY

    def __init__(self, versions):
        self.versions = versions
        self.broken = True

    def changes(self, cursor, known):  # noqa: ARG002 - as sources are asked
        start = int(cursor or 0)
        for number, version in enumerate(self.versions[start:], start + 1):
            yield Seen(version)
            yield Reached(str(number))
            if self.broken:
                raise UnreachableError("no route to host")
        yield Reached(str(len(self.versions)))


def test_a_look_that_ends_early_is_no_success_and_goes_on_where_it_ended(root):
    for number in (1, 2):
        write(root / f"models/net/{number}", weights(number), day=number)
    with assemble(load(models.config(root)), execute=here) as plain:
        source = Halfway([one.version for one in told.seen(plain.sources["folder"])])
        sources: dict[str, Any] = {"halfway": source}
        app = replace(plain, sources=sources)
        with pytest.raises(UnreachableError):
            look(app, "halfway")
        (state,) = app.ledger.sources()
        assert (state.cursor, state.last_success, state.last_error) == (
            "1",
            None,
            "no route to host",
        )
        source.broken = False
        assert look(app, "halfway") == 1
        (state,) = app.ledger.sources()
        assert (state.cursor, state.last_error) == ("2", None)
        assert state.last_success is not None
