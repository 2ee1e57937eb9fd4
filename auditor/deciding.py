"""A person's decision on a version: recorded, never changing its verdict.

An accepted version may be a baseline whatever its verdict was, and its findings do not gate
later versions; a rejected one is never a baseline.
"""

from auditor.app import now
from auditor.config import Config
from auditor.errors import UsageError
from auditor.records import Decision, ModelVersion
from auditor.refs import find
from auditor.single import existing_ledger


def decide(ref: str, config: Config, *, accept: bool, by: str, reason: str) -> ModelVersion:
    """Record a decision on the version that `ref` names; earlier ones stay on record.

    Raises
    ------
    UsageError
        If there is no such version, it was never audited, or who and why are not said.
    """
    if not by.strip() or not reason.strip():
        raise UsageError("a decision needs a name and a reason; give --by and --reason")
    version = find(ref, config).version
    with existing_ledger(config) as ledger:
        if ledger is None:
            raise UsageError(f"there is no ledger yet at {config.ledger}; run auditor once first")
        if ledger.latest(version) is None:
            raise UsageError(f"{version.uri} was never audited; run auditor once first")
        ledger.decide(version, Decision(accept, by, reason, now()))
    return version
