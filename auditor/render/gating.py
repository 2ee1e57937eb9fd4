"""The gate as text: its rows, and which findings stand behind each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.document import Document
from auditor.policy import COVERAGE
from auditor.render.findings import gates, worst_first
from auditor.render.text import NO_VALUE, exact, percent, visible
from auditor.render.wording import FAILED, NOT_LOOKED_FOR, PASSED, Badge

Row = Mapping[str, Any]
ORDER = {"error": 0, "warn": 1, "off": 2}


@dataclass(frozen=True, slots=True)
class GateRow:
    """One condition of the gate."""

    badge: Badge
    condition: str
    limit: str
    value: str
    baseline: str
    source: str  # where the rule is written; "" for what always holds


def gate(document: Document) -> Iterator[GateRow]:
    """Failed conditions first, those that block before those that ask for a look."""

    def rank(row: Row) -> tuple[bool, bool, int]:
        return row["passed"], row["value"] is not None, ORDER[row["level"]]

    for row in sorted(document["gate"], key=rank):
        yield row_view(row)


def row_view(row: Row) -> GateRow:
    """One row as text."""
    return GateRow(
        badge=_badge(row),
        condition=row["condition"],
        limit=_limit(row),
        value=_amount(row, row["value"]),
        baseline=_amount(row, row["baseline"]),
        source=visible(row["source"]),
    )


def beneath(document: Document) -> Iterator[tuple[Row, list[Mapping[str, Any]]]]:
    """Every row of the gate with the findings that count under it, the worst first.

    Where a policy has several rules on one check, for kinds of layers, a finding is told
    under each of their rows.
    """
    counted = [finding for finding in worst_first(document["findings"]) if gates(finding)]
    for row in document["gate"]:
        yield row, [finding for finding in counted if finding["check"] == row["check"]]


def _badge(row: Row) -> Badge:
    if row["value"] is None:
        return NOT_LOOKED_FOR
    return PASSED if row["passed"] else FAILED[row["level"]]


def _limit(row: Row) -> str:
    return f"{'≥' if row['least'] else '≤'} {_amount(row, row['limit'])}"


def _amount(row: Row, value: float | None) -> str:
    if value is None:
        return NO_VALUE
    return percent(value, 1.0) if row["condition"] == COVERAGE else exact(value)
