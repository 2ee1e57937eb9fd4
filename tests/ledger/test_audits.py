import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy

from auditor import METRIC_SET
from auditor.ledger import Ledger
from auditor.records import Finding, Origin, Verdict
from tests.ledger.makers import (
    DAY,
    HOUR,
    START,
    TODAY,
    audited,
    finding,
    layer,
    note,
    version,
    versions,
    waiting,
    with_origin,
)


@pytest.fixture
def rows(ledger, url):
    """Ask the database directly, as another program would; moments as they are spelled."""
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    def ask(query: str) -> list[tuple[Any, ...]]:
        assert ledger.engine.url.database == engine.url.database
        with engine.connect() as connection:
            return [tuple(map(plain, row)) for row in connection.execute(sqlalchemy.text(query))]

    def plain(value: object) -> object:
        if isinstance(value, datetime):
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
        return value

    yield ask
    engine.dispose()


def test_document_comes_back_as_it_was_saved(ledger):
    document = audited(version(1), layers=[layer("fc\udc80\0", 0, alpha=math.nan)])
    ledger.save(version(1), document, sinks=[], at=START)
    assert ledger.latest(version(1)) == document
    assert ledger.audit(document["id"]) == document
    assert ledger.audit("nothing") is None
    assert ledger.latest(version(2)) is None


def test_saving_settles_the_claim_and_queues_each_sink_once(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    claim = ledger.claim(START, lease=HOUR, owner="me")
    ledger.save(claim.version, audited(claim.version), sinks=["a", "b", "a"], at=START)
    assert ledger.owners() == []
    assert waiting(ledger) == 0
    assert [delivery.sink for delivery in ledger.due(START)] == ["a", "b"]


def test_same_audit_saved_again_changes_nothing(ledger, rows):
    note(ledger, "mlflow", versions(1), None, None, START)
    document = audited(version(1), layers=[layer("fc", 0)], findings=[finding("rank")])
    ledger.save(version(1), document, sinks=["files"], at=START)
    tables = ["audits", "layers", "findings", "deliveries", "claims", "versions"]
    before = [rows(f"SELECT * FROM {table}") for table in tables]  # noqa: S608
    ledger.save(version(1), document, sinks=["files", "mlflow"], at=START + DAY)
    assert [rows(f"SELECT * FROM {table}") for table in tables] == before  # noqa: S608


def test_audit_that_was_claimed_twice_and_saved_twice_is_done(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    ledger.save(version(1), audited(version(1)), sinks=["files"], at=START)
    (delivery,) = ledger.due(START)
    ledger.delivered(delivery.id, START)
    ledger.save(version(1), audited(version(1)), sinks=["files"], at=START)
    assert ledger.due(START + DAY) == []


def test_another_audit_of_a_version_is_added_and_is_the_latest(ledger):
    first, second = audited(version(1)), audited(version(1), policy="policy-2")
    ledger.save(version(1), first, sinks=[], at=START)
    ledger.save(version(1), second, sinks=[], at=START + DAY)
    assert ledger.latest(version(1)) == second
    assert ledger.audit(first["id"]) == first


def test_layers_are_kept_with_their_headline_numbers(ledger, rows):
    layers = [layer("a", 0, alpha=2.5), layer("b", 1, alpha=math.nan)]
    document = audited(version(1), layers=layers, distances=[0.25])
    ledger.save(version(1), document, sinks=[], at=START)
    columns = '"index", name, kind, status, digest, alpha, log_spectral_norm, num_traps, distance'
    assert rows(f"SELECT {columns} FROM layers ORDER BY 1") == [  # noqa: S608
        (0, "a", "dense", "success", "tensor-a", 2.5, 1.0, 2.0, 0.25),
        (1, "b", "dense", "success", "tensor-b", None, 2.0, 2.0, None),
    ]


def test_finding_is_dated_by_the_first_audit_of_the_model_that_had_it(ledger, rows):
    def save(number: int, at: datetime, *findings: Finding, model: str = "digits") -> None:
        of = version(number, model)
        ledger.save(of, audited(of, findings=findings), sinks=[], at=at)

    rank, scale = finding("rank", "fc1"), finding("scale")
    save(1, START, rank)
    save(2, START + DAY, with_origin(rank, Origin.OPEN), scale, finding("rank", "fc2"))
    save(3, START + 2 * DAY, scale)
    save(1, START + 3 * DAY, scale, model="other")
    query = """
        SELECT versions.model, versions.version, findings."check", findings.layer, findings.origin,
               findings.first_seen
        FROM findings JOIN audits ON audits.id = findings.audit_id
        JOIN versions ON versions.id = audits.version_id ORDER BY findings.id
    """
    dates = [f"2026-01-{day:02} 09:30:00.123456" for day in range(5, 9)]
    assert rows(query) == [
        ("digits", "1", "rank", "fc1", "new", dates[0]),
        ("digits", "2", "rank", "fc1", "open", dates[0]),
        ("digits", "2", "scale", None, "new", dates[1]),
        ("digits", "2", "rank", "fc2", "new", dates[1]),
        ("digits", "3", "scale", None, "new", dates[1]),
        ("other", "1", "scale", None, "new", dates[3]),
    ]


def test_document_with_an_undefined_number_in_it_is_refused_whole(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    document = {**audited(version(1)), "extra": math.nan}
    with pytest.raises(Exception, match="not JSON compliant"):
        ledger.save(version(1), document, sinks=["files"], at=START)
    assert ledger.latest(version(1)) is None
    assert waiting(ledger) == 1
    assert ledger.due(START) == []


def test_document_is_plain_json_in_the_file(ledger, rows):
    document = audited(version(1))
    ledger.save(version(1), document, sinks=[], at=START)
    ((text,),) = rows("SELECT CAST(document AS TEXT) FROM audits")
    assert json.loads(text) == document


def test_version_audited_by_hand_is_remembered(ledger):
    assert ledger.latest(version(1)) is None
    ledger.save(version(1), audited(version(1)), sinks=[], at=START)
    assert ledger.previous(version(2), TODAY) == version(1)
    assert ledger.states()["done"] == 1


@pytest.mark.parametrize("verdict", Verdict)
def test_verdict_is_a_column(ledger, rows, verdict):
    ledger.save(version(1), audited(version(1), verdict=verdict), sinks=[], at=START)
    assert rows("SELECT verdict, policy_hash, metric_set FROM audits") == [
        (str(verdict), "policy-1", METRIC_SET)
    ]


def test_audits_outlive_the_ledger_object(ledger, url):
    ledger.save(version(1), audited(version(1)), sinks=["files"], at=START)
    other = Ledger.open(url)
    assert other.latest(version(1)) == audited(version(1))
    assert len(other.due(START)) == 1
    other.close()
