"""A person's decision on a version: recorded, never changing its verdict.

An accepted version may be a baseline whatever its verdict was, and its findings do not gate
later versions; a rejected one is never a baseline. Either may end after a day; then what was
decided before holds again, if anything was.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from auditor.app import now
from auditor.config import Config, parts
from auditor.errors import UsageError
from auditor.ledger import Decided, Ledger
from auditor.records import COMMAND, Decision, ModelVersion, Statement, one_line
from auditor.refs import find
from auditor.single import existing_ledger

LONGEST = 1000  # characters of a name or a reason that are kept


def decide(ref: str, said: Statement, config: Config) -> ModelVersion:
    """Record a decision on the version that `ref` names; earlier ones stay on record.

    Its newest audit is saved once more, with the decision in it, for every configured sink;
    it goes out with the next ``auditor once``, or at once where ``auditor serve`` runs.

    Raises
    ------
    UsageError
        If there is no such version, it was never audited, who and why are not said, or the
        last day is over.
    """
    said = checked(said, now().date())
    sinks = [sink.name for sink in parts(config).sinks]
    version = find(ref, config).version
    with existing_ledger(config) as ledger:
        record(_there(ledger, config), version, Decision.of(said, now(), COMMAND), sinks)
    return version


def checked(said: Statement, today: date) -> Statement:
    """A statement that can be a decision, its texts on one line each.

    Raises
    ------
    UsageError
        If who and why are not said, or the last day is over.
    """
    by, reason = map(one_line, (said.by, said.reason))
    if not by or not reason:
        raise UsageError("a decision needs a name and a reason; give --by and --reason")
    if len(by) > LONGEST or len(reason) > LONGEST:
        raise UsageError(f"a name or a reason has at most {LONGEST:,} characters; shorten it")
    if said.until is not None and said.until < today:
        raise UsageError(
            f"the last day {said.until} is over; expected {today} or a later day, in UTC"
        )
    return replace(said, by=by, reason=reason)


def record(ledger: Ledger, version: ModelVersion, said: Decision, sinks: Sequence[str]) -> None:
    """Write a decision down, and let the version's newest audit go out with it.

    Raises
    ------
    UsageError
        If the version was never audited.
    """
    if ledger.latest(version) is None:
        raise UsageError(
            f"{version.uri} was never audited; run auditor once first, or auditor backfill for a "
            "version older than what is watched"
        )
    ledger.decide(version, said, sinks)


def decisions(ref: str, config: Config) -> Sequence[Decided]:
    """Every decision on the versions of the model that `ref` names a version of, oldest first.

    Raises
    ------
    UsageError
        If there is no such version.
    """
    version = find(ref, config).version
    with existing_ledger(config) as ledger:
        there = _there(ledger, config)
        return there.decisions(version.id.source, version.id.model)


def state(said: Decision, at: datetime) -> str:
    """What a decision amounts to on a day, in words."""
    if said.is_withdrawal:
        return "withdrawn"
    word = "accepted" if said.accept else "rejected"
    if said.until is None:
        return word
    return f"{word} until {said.until}{'' if said.holds(at.date()) else ', which is over'}"


def _there(ledger: Ledger | None, config: Config) -> Ledger:
    if ledger is None:
        raise UsageError(f"there is no ledger yet at {config.ledger}; run auditor once first")
    return ledger
