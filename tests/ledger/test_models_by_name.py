"""The models that have an audit, and their audited versions in order."""

from dataclasses import replace

from auditor.records import VersionId
from tests.ledger.makers import START, audited, version


def save(ledger, of):
    ledger.save(of, audited(of), sinks=[], at=START)


def elsewhere(of):
    id_ = VersionId("hub", of.id.model, of.id.version)
    return replace(of, id=id_, uri=f"hf://{of.id.model}")


def test_models_are_found_by_name_in_every_source(ledger):
    for of in (version(1), version(2), elsewhere(version(1)), version(1, "faces")):
        save(ledger, of)
    digits = [("hub", "digits"), ("mlflow", "digits")]
    assert ledger.models("digits", limit=9) == digits
    assert ledger.models(limit=9) == [*digits, ("mlflow", "faces")]
    assert ledger.models(limit=1) == digits[:1]
    assert ledger.models("nobody", limit=9) == []


def test_the_newest_audited_versions_come_oldest_first(ledger):
    for number in (10, 2, 9):
        save(ledger, version(number))
    save(ledger, elsewhere(version(11)))
    found = ledger.audited_of("mlflow", "digits")
    assert [stand.version.id.version for stand in found] == ["2", "9", "10"]
    assert [s.version.id.version for s in ledger.audited_of("mlflow", "digits", limit=2)] == [
        "9",
        "10",
    ]
