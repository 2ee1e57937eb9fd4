"""How statements reach their rows: through an index, never over a table from end to end."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event

from auditor.ledger import Hint, Ledger, Notice
from auditor.records import ModelVersion
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

GROWS = {"versions", "claims", "audits", "layers", "findings", "deliveries", "hints", "notices"}
FULL = audited(version(1), layers=[layer("fc", 0)], findings=[finding("rank", "fc")])


def hold(ledger: Ledger) -> ModelVersion:
    claim = ledger.claim(START, lease=HOUR, owner="me")
    assert claim is not None
    return claim.version


STEPS: dict[str, Callable[[Ledger], object]] = {
    "claim": lambda ledger: ledger.claim(START, lease=HOUR, owner="me", sources=["mlflow"]),
    "renew": lambda ledger: ledger.renew(hold(ledger), "me", START, HOUR),
    "save": lambda ledger: ledger.save(hold(ledger), FULL, sinks=["files"], at=START, owner="me"),
    "ask": lambda ledger: ledger.ask(version(2)),
    "retry": lambda ledger: ledger.retry(version(2)),
    "owners": lambda ledger: ledger.owners(),
    "note": lambda ledger: note(ledger, "mlflow", versions(2, 3), "x", None, START),
    "known": lambda ledger: ledger.known("mlflow").versions("digits"),
    "cursor": lambda ledger: ledger.cursor("mlflow"),
    "hint": lambda ledger: ledger.hint(Hint("1", "mlflow", "digits", START)),
    "hints": lambda ledger: ledger.hints(),
    "followed": lambda ledger: ledger.followed("mlflow", "digits", START, START),
    "notify": lambda ledger: ledger.notify([Notice("k", "team", "info", "t", "b")], START),
    "due": lambda ledger: ledger.due(START),
    "latest": lambda ledger: ledger.latest(version(1)),
    "audit": lambda ledger: ledger.audit("x"),
    "previous": lambda ledger: ledger.previous(version(9), TODAY),
    "same_weights": lambda ledger: ledger.same_weights(version(9), "x"),
    "trend": lambda ledger: ledger.trend(version(9), 12),
    "decision": lambda ledger: ledger.decision(version(1), TODAY),
    "forget": lambda ledger: ledger.forget(START + DAY),
}


@pytest.mark.parametrize("step", STEPS)
def test_no_step_reads_a_table_from_end_to_end(file_url, step):
    with closing(Ledger.open(file_url)) as ledger:
        note(ledger, "mlflow", versions(1, 2), None, None, START)
        note(ledger, "mlflow", versions(1, 2, model="other"), None, None, START)
        ledger.save(version(1, "other"), audited(version(1, "other")), sinks=["files"], at=START)
        plans: list[str] = []

        def explain(*call: Any) -> None:
            connection, _, statement, parameters, _, many = call
            if statement.startswith(("SELECT", "UPDATE", "DELETE")) and not many:
                driver = connection.connection.driver_connection
                rows = driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                plans.extend(row[3] for row in rows)

        event.listen(ledger.engine, "before_cursor_execute", explain)
        STEPS[step](ledger)
    assert plans
    scans = [plan for plan in plans if plan.startswith("SCAN") and table(plan) in GROWS]
    assert [plan for plan in scans if "USING" not in plan] == []


def table(plan: str) -> str:
    """Name of the table in a line such as ``SCAN audits_1 USING INDEX ...``."""
    return plan.split()[1].rstrip("_0123456789")
