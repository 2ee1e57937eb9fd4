"""An earlier audit as a whole: the record its document was made from."""

from datetime import datetime

from auditor.document import Document
from auditor.records import Audit, Condition, Level, Verdict
from auditor.stored import evidence
from auditor.stored.conclusions import decision, findings, settings, version
from auditor.stored.layers import number


def audit(document: Document) -> Audit:
    """The audit: written again, it is the same document but for what is not in one.

    That is where its files lie, and the metric set it was measured with.
    """
    return Audit(
        version=version(document["model"], document["source"]),
        reading=evidence.reading(document),
        layers=evidence.layers(document),
        skipped=evidence.skipped(document),
        comparison=evidence.comparison(document),
        findings=findings(document),
        gate=gate(document),
        verdict=Verdict(document["verdict"]),
        reason=document["reason"],
        policy=document["policy"]["name"],
        policy_hash=document["policy"]["hash"],
        settings=settings(document),
        started_at=datetime.fromisoformat(document["timing"]["started_at"]),
        seconds=document["timing"]["seconds"],
        trend=evidence.trend(document),
        decision=decision(document),
        profile=evidence.profile(document),
        checks=document["analyzer"]["checks"],
    )


def gate(document: Document) -> tuple[Condition, ...]:
    """The rows of the gate."""
    return tuple(
        Condition(**{**row, "level": Level(row["level"]), "value": number(row["value"])})
        for row in document["gate"]
    )
