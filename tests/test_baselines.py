"""Which version another one is compared with: by selectors, decisions, pins, and the day."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.app import assemble, now
from auditor.baselines import Choice, choose
from auditor.cli import run
from auditor.config import load
from auditor.document import Document
from auditor.ledger import Ledger
from auditor.pipeline import once
from auditor.records import Decision, Verdict
from auditor.sources.folder import Folder
from auditor.wall.process import here
from tests import models, told
from tests.ledger.makers import START, audited
from tests.models import weights, write

COLLAPSED = {"fc2.weight": models.collapsed()}
TODAY = START.date()


@pytest.fixture
def ledger(tmp_path):
    found = Ledger.open(f"sqlite:///{tmp_path / 'auditor.db'}")
    yield found
    found.close()


@pytest.fixture
def source(tmp_path) -> Folder:
    """Five versions of one model, and one of another."""
    for number in range(1, 6):
        write(tmp_path / f"models/net/{number}", weights(number), day=number)
    write(tmp_path / "models/other/1", weights(9), day=9)
    return Folder(root=tmp_path / "models", settle=0.0)


@pytest.fixture
def versions(source, ledger):
    """By model and number, the first four of net and the other one audited."""
    there = {f"{one.version.id}": one.version for one in told.seen(source)}
    found = {name.partition(":")[2]: version for name, version in there.items()}
    verdicts = {"net@1": "PASS", "net@2": "BLOCK", "net@3": "INCOMPLETE", "other@1": "BLOCK"}
    for name, verdict in verdicts.items():
        document = audited(found[name], verdict=Verdict(verdict))
        ledger.save(found[name], document, sinks=[], at=START)
    return found


@pytest.fixture
def chosen(source, ledger, versions):
    """Which version net 5 is compared with, for selectors; None for none."""

    def ask(*selectors: str, days: int = 0, **more: Any) -> str | None:
        day = TODAY + timedelta(days=days)
        choice = Choice(selectors, source, ledger, day, source.files)
        found = choose(versions["net@5"], replace(choice, **more))
        return None if found is None else f"{found.version.id.model} {found.version.id.version}"

    return ask


def digest(ledger: Ledger, version) -> str:
    document = ledger.latest(version)
    assert document is not None
    found: str = document["weights"]["digest"]
    return found


def test_the_first_selector_that_finds_one_that_may_be_one_wins(chosen):
    assert chosen("previous") == "net 1"
    assert chosen("alias:champion", "previous") == "net 1"
    assert chosen("alias:champion") is None
    assert chosen() is None


def test_an_accepted_version_is_one_until_the_end_of_its_last_day(chosen, ledger, versions):
    until = TODAY + timedelta(days=2)
    said = Decision(accept=True, by="ann", reason="pilot", at=START, until=until)
    ledger.decide(versions["net@2"], said)
    assert chosen("previous", days=2) == "net 2"
    assert chosen("previous", days=3) == "net 1"


def test_a_pin_is_taken_whatever_its_verdict_and_of_whichever_model(chosen, ledger, versions):
    for name, shown in (("net@2", "net 2"), ("other@1", "other 1")):
        weighed = digest(ledger, versions[name])
        assert chosen(f"sha256:{weighed}") == chosen(f"sha256:{weighed[:12]}") == shown
    assert chosen(f"sha256:{'0' * 64}", "previous") == "net 1"
    assert chosen(f"sha256:{'0' * 64}", ledger=None) is None


def test_a_pin_that_is_the_version_itself_is_nothing_to_compare_with(chosen, ledger, versions):
    ledger.save(versions["net@5"], audited(versions["net@5"]), sinks=[], at=START)
    weighed = digest(ledger, versions["net@5"])
    assert chosen(f"sha256:{weighed}", "previous") == "net 1"


def test_a_pin_that_fits_several_weights_pins_nothing_and_the_log_says_so(
    chosen, ledger, versions, caplog
):
    common = "0123456789ab"
    for name, rest in (("net@1", "c"), ("net@2", "d")):
        document: Document = audited(versions[name], policy="again")
        weighed = {**document["weights"], "digest": common + rest * 52}
        ledger.save(versions[name], {**document, "weights": weighed}, sinks=[], at=START)
    assert chosen(f"sha256:{common}") is None
    assert [record.event for record in caplog.records] == ["baseline.ambiguous"]
    assert chosen(f"sha256:{common}d") == "net 2"


def test_a_path_nobody_watches_has_pins_only(chosen, ledger, versions):
    weighed = digest(ledger, versions["net@2"])
    assert chosen("previous", "alias:x", "models:/a/1", source=None) is None
    assert chosen("previous", f"sha256:{weighed}", source=None) == "net 2"


def test_previous_may_be_unaudited_where_one_audit_is_asked_for(chosen, versions, ledger):
    ledger.decide(versions["net@1"], Decision(accept=False, by="ann", reason="no", at=START))
    assert chosen("previous") is None
    assert chosen("previous", unaudited=True) == "net 4"


def test_versions_made_at_one_moment_are_in_the_order_of_their_numbers(tmp_path, ledger):
    """As copied, unpacked or checked out all at once."""
    for number in (9, 10, 11):
        write(tmp_path / f"models/net/{number}", weights(number), day=1)
    source = Folder(root=tmp_path / "models", settle=0.0)
    ninth, tenth, _ = [one.version for one in told.seen(source)]
    ledger.save(ninth, audited(ninth), sinks=[], at=START)
    choice = Choice(
        ["previous", str(tmp_path / "models/net/11")], source, ledger, TODAY, source.files
    )
    found = choose(tenth, choice)
    assert found is not None
    assert found.version == ninth
    assert choose(ninth, choice) is None


# --- through the line -------------------------------------------------------------------------


def audits(root: Path, selectors: Sequence[str], **changed: str) -> Sequence[Document]:
    config = models.config(root, baseline=json.dumps(list(selectors)), **changed)
    with assemble(load(config), execute=here) as app:
        return once(app).audited


def test_a_pinned_version_is_the_baseline_of_all_models(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "models/bad/1", weights(1, **COLLAPSED), day=1)
    (first,) = audits(tmp_path, ["previous"], policy="recommended")
    assert first["verdict"] == "BLOCK"
    pin = f"sha256:{first['weights']['digest']}"
    write(tmp_path / "models/net/1", weights(2), day=2)
    (second,) = audits(tmp_path, [pin])
    assert second["comparison"]["baseline"]["name"] == "bad"
    assert second["comparison"]["layers"][0]["relative"] > 1
    run(["audit", "models/net/1", "--json"])
    assert json.loads(capsys.readouterr().out)["comparison"]["baseline"]["name"] == "bad"


@pytest.mark.wide
def test_a_pin_of_a_source_that_is_gone_compares_by_what_is_kept(tmp_path):
    write(tmp_path / "olds/net/1", weights(1), day=1)
    olds = "[{kind: folder, root: olds, name: olds, settle: 0}]"
    (first,) = audits(tmp_path, ["previous"], sources=olds)
    write(tmp_path / "models/net/1", weights(2), day=2)
    (second,) = audits(tmp_path, [f"sha256:{first['weights']['digest'][:12]}"])
    assert second["comparison"]["baseline"]["source"] == "olds"
    assert "its source olds is not configured now" in second["comparison"]["note"]


@pytest.mark.wide
def test_an_acceptance_that_ended_makes_the_next_audit_look_further_back(tmp_path):
    write(tmp_path / "models/net/1", weights(1), day=1)
    audits(tmp_path, ["previous"], policy="recommended")
    write(tmp_path / "models/net/2", weights(2, **COLLAPSED), day=2)
    audits(tmp_path, ["previous"], policy="recommended")
    until = now().date() + timedelta(days=1)
    with assemble(load(tmp_path / "config.yaml"), execute=here) as app:
        version = app.sources["folder"].resolve(str(tmp_path / "models/net/2"), None)
        assert version is not None
        app.ledger.decide(version, Decision(True, "ann", "pilot", now(), until))  # noqa: FBT003
        write(tmp_path / "models/net/3", weights(3), day=3)
        later = replace(app, clock=lambda: now() + timedelta(days=2))
        (third,) = once(later).audited
    assert third["comparison"]["baseline"]["version"] == "1"


def test_what_another_baseline_shows_of_weights_that_were_seen_is_new(
    tmp_path, monkeypatch, capsys
):
    """Not a newer analyzer's, which would gate nothing."""
    monkeypatch.chdir(tmp_path)
    small = {name: tensor * np.float32(1e-3) for name, tensor in weights(1).items()}
    write(tmp_path / "models/net/1", small, day=1)
    (alone,) = audits(tmp_path, ["previous"])
    assert alone["verdict"] == "PASS"
    write(tmp_path / "good", weights(1), day=2)
    assert run(["audit", "models/net/1", "--baseline", "good", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {one["origin"] for one in found if one["check"] == "scale_collapse"} == {"new"}
