"""Ledgers that earlier versions of this program wrote: everything in them is kept and usable."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from auditor.document import Document
from auditor.errors import ConfigError
from auditor.ledger import Ledger, engines, opening
from auditor.records import ModelVersion, Verdict
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
)

OLD = opening.revisions()[:-1]
STATES = ["done", "pending", "running", "history", "quarantined", "gone", "refused"]
DOCUMENT = audited(
    version(1), layers=[layer("fc", 0)], findings=[finding("rank", "fc")], weights="same"
)
OF_OLD = {key: value for key, value in DOCUMENT.items() if key not in {"profile", "rejudged"}}
SINCE_0003: dict[str, dict[str, Any]] = {  # what a row had to have from then on
    "sources": {"paused": False, "troubles": "{}", "remarks": "{}"},
    "versions": {"fresh": False},
    "claims": {"priority": 1, "made_at": START},
}


def insert(connection: Connection, table: str, **row: object) -> None:
    """One row by plain SQL, with what the table had then."""
    known = {column["name"] for column in inspect(connection).get_columns(table)}
    for name, value in SINCE_0003.get(table, {}).items():
        if name in known:
            row[name] = moment(value, connection) if isinstance(value, datetime) else value
    columns = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f'INSERT INTO "{table}" ({columns}) VALUES ({values})'), row)  # noqa: S608


def moment(at: datetime, connection: Connection) -> object:
    """As the driver of that time spelled it."""
    if connection.dialect.name == "postgresql":
        return at
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def fill(connection: Connection, *, measurements: bool) -> None:
    """Rows in every table there was."""
    started = moment(START, connection)
    insert(
        connection,
        "sources",
        name="mlflow",
        cursor="page 7",
        last_success=started,
        last_error="503",
        failed_at=started,
    )
    for number, state in enumerate(STATES, start=1):
        add_version(connection, number, version(number, "digits" if number == 1 else state), state)
    add_audit(connection, DOCUMENT)
    insert(
        connection, "decisions", version_id=1, accepted=True, by="ann", reason="fine", at=started
    )
    if "hints" in inspect(connection).get_table_names():
        fill_the_service(connection)
    if measurements:
        insert(connection, "measurements", key="k", digest="d", numbers='{"alpha": 3}')


def fill_the_service(connection: Connection) -> None:
    """What a service has noted; the other tables are there, too."""
    at = moment(START, connection)
    insert(connection, "hints", id="h", source="mlflow", model="digits", received_at=at)
    text = {"key": "k", "target": "us", "level": "info", "title": "t", "body": "b"}
    state = {"state": "pending", "attempts": 0}
    insert(connection, "notices", id=1, created_at=at, next_at=at, **text, **state)
    insert(connection, "targets", name="us", memory="{}")


def add_version(connection: Connection, number: int, of: ModelVersion, state: str) -> None:
    insert(
        connection,
        "versions",
        id=number,
        identity=of.identity,
        source=of.id.source,
        model=of.id.model,
        version=of.id.version,
        natural=of.id.version.zfill(20),
        created_at=moment(of.created_at, connection),
        uri=of.uri,
        location=of.location,
        facts=json.dumps(dict(of.facts)),
        noted_at=moment(START, connection),
    )
    running = state == "running"
    insert(
        connection,
        "claims",
        version_id=number,
        state=state,
        owner="host:7:1" if running else None,
        lease_until=moment(START + HOUR, connection) if running else None,
        attempts=3 if state == "quarantined" else 0,
        lost=0,
        next_at=None,
        reason="no luck" if state == "quarantined" else None,
    )


def add_audit(connection: Connection, document: Document) -> None:
    saved = moment(START, connection)
    insert(
        connection,
        "audits",
        id=1,
        version_id=1,
        document_id=document["id"],
        verdict="PASS",
        metric_set=1,
        policy_hash="policy-1",
        weights_digest=document["weights"]["digest"],
        alpha_median=3.0,
        log_spectral_norm_mean=1.0,
        distance_mean=None,
        findings_new=1,
        saved_at=saved,
        document=json.dumps({key: document[key] for key in OF_OLD}),
    )
    columns = {"kind": "dense", "status": "success", "digest": "tensor-fc", "alpha": 3.0}
    insert(connection, "layers", audit_id=1, index=0, name="fc", **columns)
    found = {"check": "rank", "severity": "warning", "layer": "fc", "origin": "new"}
    insert(connection, "findings", id=1, audit_id=1, waiver=None, first_seen=saved, **found)
    for number, state in enumerate(["pending", "delivered"], start=1):
        insert(
            connection,
            "deliveries",
            id=number,
            audit_id=1,
            sink=state,
            state=state,
            attempts=0,
            next_at=saved,
        )


def counts(connection: Connection, tables: Sequence[str]) -> dict[str, Any]:
    return {
        table: connection.scalar(text(f'SELECT count(*) FROM "{table}"'))  # noqa: S608
        for table in tables
    }


@pytest.fixture(params=OLD)
def upgraded(request: pytest.FixtureRequest, empty_url: str) -> Iterator[Ledger]:
    """A ledger that was full when an older program closed it."""
    engine = engines.make(engines.parse(empty_url))
    with engine.execution_options(writes=True).begin() as connection:
        opening.upgrade(connection, to=request.param)
        fill(connection, measurements=request.param == "0001")
        if connection.dialect.name == "postgresql":  # rows came with their numbers
            for table in ("versions", "audits", "findings", "decisions", "deliveries"):
                connection.execute(text(f"ALTER SEQUENCE {table}_id_seq RESTART WITH 100"))
        tables = set(inspect(connection).get_table_names()) - {"measurements"}
        before = counts(connection, sorted(tables - {opening.VERSION_TABLE}))
    assert set(before.values()) - {0} == set(before.values()), "a table without a row"
    engine.dispose()
    with closing(Ledger.open(empty_url)) as ledger:
        with ledger.engine.connect() as connection:
            assert counts(connection, list(before)) == before
        yield ledger


def test_sources_and_versions_are_still_known(upgraded):
    (source,) = upgraded.sources()
    assert (source.cursor, source.last_success, source.last_error) == ("page 7", START, "503")
    assert (source.paused, source.asked_at, source.troubles, source.remarks) == (
        False,
        None,
        {},
        {},
    )
    assert upgraded.states() == dict.fromkeys(STATES, 1)
    assert list(upgraded.known("mlflow").versions("digits")) == [version(1)]
    assert note(upgraded, "mlflow", versions(1), None, None, START) == 0
    assert note(upgraded, "mlflow", versions(2), None, 0, START) == 1


def test_audits_decisions_and_deliveries_are_still_there(upgraded):
    assert upgraded.latest(version(1)) == upgraded.audit(DOCUMENT["id"]) == DOCUMENT
    assert upgraded.previous(version(2), TODAY) == version(1)
    decision = upgraded.decision(version(1), TODAY + 9999 * DAY)
    assert (decision.by, decision.until, decision.via) == ("ann", None, "command")
    (delivery,) = upgraded.due(START)
    upgraded.delivered(delivery.id, START)
    assert upgraded.due(START + DAY) == []
    digest = DOCUMENT["weights"]["digest"]
    assert upgraded.same_weights(version(2), digest) == DOCUMENT


def test_work_goes_on_where_it_was(upgraded):
    assert upgraded.owners() == ["host:7:1"]
    (problem,) = (found for found in upgraded.problems() if found.state == "quarantined")
    assert (problem.attempts, problem.reason) == (3, "no luck")
    assert upgraded.release_owner("host:7:1") == 1
    order = []
    while claim := upgraded.claim(START, lease=HOUR, owner="me"):
        order.append(claim.version.id.model)
        document = audited(claim.version, verdict=Verdict.REVIEW)
        assert upgraded.save(claim.version, document, sinks=["files"], at=START, owner="me")
    assert order == ["pending", "running"]
    assert upgraded.retry() == 2  # one given up, one refused
    assert upgraded.backfill("mlflow", None, None) == 1


def test_time_to_a_verdict_of_what_was_audited_is_not_counted_again(upgraded):
    later = audited(version(1), policy="policy-2")
    upgraded.save(version(1), later, sinks=[], at=START + 400 * DAY)
    assert upgraded.overview(START + 300 * DAY).latencies == []
    assert upgraded.forget(START + timedelta(days=399)).audits == 0  # decided on by a person


def test_damaged_file_is_refused_and_left_alone(empty_file_url):
    engine = engines.make(engines.parse(empty_file_url))
    with engine.execution_options(writes=True).begin() as connection:
        opening.upgrade(connection, to=OLD[-1])
        fill(connection, measurements=False)
    with engine.connect() as connection, engines.replacing_tables(connection):
        connection.exec_driver_sql("DELETE FROM audits")
        connection.commit()
    with pytest.raises(ConfigError, match=r"a row of table \w+ refers to one of audits"):
        Ledger.open(empty_file_url)
    with engine.connect() as connection:
        revision = text(f"SELECT version_num FROM {opening.VERSION_TABLE}")  # noqa: S608
        assert connection.scalar(revision) == OLD[-1]
    engine.dispose()
