from datetime import datetime

import sqlalchemy
from sqlalchemy import func, select

from auditor.document import Document
from auditor.ledger import Forgotten, Hint, Ledger, Notice, retention
from auditor.ledger.models import AuditRow, Base, DeliveryRow, DeliveryState, FindingRow, LayerRow
from auditor.records import Decision, Finding, ModelVersion
from tests.ledger.makers import (
    DAY,
    MINUTE,
    START,
    TODAY,
    audited,
    finding,
    layer,
    note,
    version,
    versions,
)

LATER = START + 100 * DAY
NOW = LATER + DAY


def save(
    ledger: Ledger,
    of: ModelVersion,
    at: datetime,
    policy: str,
    *findings: Finding,
    sinks: tuple[str, ...] = (),
) -> Document:
    found = list(findings)
    document = audited(of, policy=policy, layers=[layer("fc", 0)], findings=found)
    ledger.save(of, document, sinks=sinks, at=at)
    return document


def deliver(ledger: Ledger, at: datetime) -> None:
    for delivery in ledger.due(at):
        ledger.delivered(delivery.id, at)


def count(ledger: Ledger, table: type[Base]) -> int:
    with ledger._read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_replaced_audit_goes_with_all_that_belongs_to_it(ledger):
    old = save(ledger, version(1), START, "1", finding("rank"), sinks=("files",))
    deliver(ledger, START)
    new = save(ledger, version(1), LATER, "2", finding("rank"), sinks=("files",))
    deliver(ledger, LATER)
    assert ledger.forget(LATER).audits == 1
    assert ledger.audit(old["id"]) is None
    assert ledger.audit(new["id"]) == ledger.latest(version(1)) == new
    assert [count(ledger, table) for table in (AuditRow, LayerRow, FindingRow)] == [1, 1, 1]
    assert ledger.forget(LATER) == Forgotten()


def test_newest_audit_of_a_version_stays_however_old(ledger):
    for number in (1, 2):
        save(ledger, version(number), START, "1")
    assert ledger.forget(NOW) == Forgotten()
    assert ledger.previous(version(3), TODAY) == version(2)


def test_audit_saved_at_that_moment_or_later_stays(ledger):
    save(ledger, version(1), START, "1")
    save(ledger, version(1), START, "2")
    assert ledger.forget(START).audits == 0
    assert ledger.forget(START + DAY).audits == 1


def test_audit_that_a_person_decided_on_stays(ledger):
    audits = []
    for day in range(4):
        audits.append(save(ledger, version(1), START + day * DAY, str(day)))
        if day == 1:
            ledger.decide(
                version(1), Decision(accept=True, by="ann", reason="", at=START + 1.5 * DAY)
            )
    assert ledger.forget(NOW).audits == 2
    kept = [audit for audit in audits if ledger.audit(audit["id"]) is not None]
    assert kept == [audits[1], audits[3]]
    decision = ledger.decision(version(1), TODAY)
    assert decision is not None
    assert decision.by == "ann"


def test_audit_that_still_has_to_be_delivered_stays_until_it_was(ledger):
    old = save(ledger, version(1), START, "1", sinks=("files",))
    save(ledger, version(1), LATER, "2", sinks=("mlflow",))
    with ledger._write() as session:
        waits = session.get_one(DeliveryRow, 1)
        assert waits.state == DeliveryState.SUPERSEDED
        waits.state = DeliveryState.PENDING  # as an older program, which did not supersede
    assert ledger.forget(NOW).audits == 0
    deliver(ledger, NOW)
    assert ledger.forget(NOW).audits == 1
    assert ledger.audit(old["id"]) is None


def test_date_of_a_finding_survives_the_audit_it_came_from(ledger):
    rank, scale = finding("rank", "fc"), finding("scale")
    gone = save(ledger, version(1), START, "1", rank)
    bears = save(ledger, version(1), START + DAY, "2", rank, scale)
    save(ledger, version(1), LATER, "3", rank)
    assert ledger.forget(NOW).audits == 1
    assert ledger.audit(gone["id"]) is None
    assert ledger.audit(bears["id"]) is not None  # alone says since when there is `scale`
    save(ledger, version(2), NOW, "3", rank, scale)
    with ledger._read() as session:
        found = session.execute(
            select(FindingRow.check, FindingRow.first_seen).order_by(FindingRow.id.desc()).limit(2)
        )
        dates = {check: since for check, since in found}  # noqa: C416 - rows are no pairs to dict
    assert dates == {"rank": START, "scale": START + DAY}
    assert ledger.forget(NOW).audits == 1  # now version 2 says it
    assert ledger.audit(bears["id"]) is None


def test_same_finding_of_another_model_does_not_keep_the_date(ledger):
    bears = save(ledger, version(1), START, "1", finding("rank"))
    save(ledger, version(1), LATER, "2")
    save(ledger, version(1, "other"), LATER, "2", finding("rank"))
    assert ledger.forget(NOW).audits == 0
    assert ledger.audit(bears["id"]) is not None


def test_deliveries_that_arrived_or_were_superseded_go(ledger):
    save(ledger, version(1), START, "1", sinks=("files", "mlflow"))
    first, _ = ledger.due(START)
    ledger.delivered(first.id, START)
    decision = Decision(accept=True, by="ann", reason="", at=START)
    ledger.decide(version(1), decision)  # keeps the audit
    save(ledger, version(1), LATER, "2", sinks=("files",))
    save(ledger, version(2), START, "1", sinks=("files",))
    assert ledger.forget(START) == Forgotten()
    assert ledger.forget(LATER) == Forgotten(deliveries=2)
    assert [delivery.sink for delivery in ledger.due(NOW)] == ["files", "files"]


def test_hints_that_were_followed_and_messages_that_were_sent_go(ledger):
    for number in (1, 2):
        ledger.hint(Hint(str(number), "mlflow", f"m{number}", START))
    ledger.followed("mlflow", "m1", START, START)
    messages = [Notice(key, "team", "info", "title", "body") for key in "ab"]
    ledger.notify(messages[:1], START)
    (sent,) = ledger.take_notices(START, DAY)
    ledger.notified(sent.id, START)
    ledger.notify(messages[1:], START)
    assert ledger.forget(START) == Forgotten()
    assert ledger.forget(NOW) == Forgotten(hints=1, notices=1)
    assert [hint.model for hint in ledger.hints()] == ["m2"]
    assert [waits.notice.key for waits in ledger.take_notices(NOW, DAY)] == ["b"]


def test_versions_and_what_is_known_of_them_stay(ledger):
    note(ledger, "mlflow", versions(1, 2, 3), "here", 1, START)
    save(ledger, version(3), START, "1")
    before = (ledger.states(), ledger.known("mlflow").versions("digits"), ledger.cursor("mlflow"))
    ledger.forget(NOW)
    after = (ledger.states(), ledger.known("mlflow").versions("digits"), ledger.cursor("mlflow"))
    assert after == before


def test_many_audits_go_in_steps_that_let_others_write(ledger, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 10)
    for number in range(35):
        save(ledger, version(1), START + number * MINUTE, str(number))
    left: list[int] = []
    committed = sqlalchemy.event.listens_for(ledger.engine, "commit")
    committed(lambda connection: left.append(connection.scalar(select(func.count(AuditRow.id)))))
    assert ledger.forget(NOW).audits == 34
    assert {25, 15, 5, 1} <= set(left)
