"""A version as a baseline: what the ledger knows of it, and whether it may be one."""

from auditor.examining import Chosen, Files
from auditor.ledger import Ledger
from auditor.records import ModelVersion


def as_baseline(version: ModelVersion, files: Files, ledger: Ledger | None) -> Chosen:
    """The version with its newest audit and the decision on it, as far as a ledger has them."""
    decision = ledger.decision(version) if ledger else None
    return Chosen(
        version=version,
        files=files,
        document=ledger.latest(version) if ledger else None,
        accepted=decision is not None and decision.accept,
    )


def may_be_one(chosen: Chosen, ledger: Ledger | None) -> bool:
    """A version never audited may be a baseline; a bad one only if a person accepted it."""
    return ledger is None or chosen.document is None or ledger.may_be_baseline(chosen.version)


def is_earlier(found: ModelVersion, version: ModelVersion) -> bool:
    """Whether one is not after the other; versions of different models have no order."""
    return found.id.series != version.id.series or found.created_at < version.created_at
