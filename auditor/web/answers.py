"""What the API answers, as pydantic models: `/openapi.json` is made from them."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from auditor.exits import exit_code
from auditor.ledger import SourceState, Stand
from auditor.ledger.models import OPEN
from auditor.records import ModelVersion

UNKNOWN = "unknown"  # state of a version that a source has and the ledger has not met


def _readable(value: object) -> object:
    """Half of a surrogate pair, which names from a disk may hold, is spelled out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value


Text = Annotated[str, BeforeValidator(_readable)]


class Answer(BaseModel):
    """What all answers share."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Refusal(Answer):
    """Why there is no answer."""

    error: Text = Field(description="One sentence: what was found, what was expected, what to do.")


class Decided(Answer):
    """What a person said of a version, where it holds today."""

    accept: bool = Field(description="false: rejected.")
    by: Text
    reason: Text
    at: datetime
    until: date | None = Field(description="The last day it holds, in UTC; null: for good.")
    via: str = Field(description="How it was said: command, api or MLflow tag.")


class Version(Answer):
    """A version and where it stands."""

    number: int | None = Field(description="The ledger's number of it; null: not met yet.")
    source: Text
    model: Text
    version: Text
    uri: Text = Field(description="How a person names it: models:/digits/3.")
    created_at: datetime
    state: str = Field(
        description="pending, running, done, history, quarantined, gone, refused, or unknown."
    )
    settled: bool = Field(description="Whether nobody is at work on it, or going to be.")
    priority: str | None = Field(description="asked, registration, nightly or backfill.")
    attempts: int = Field(description="That failed.")
    since: datetime | None = Field(description="When its audit began, where it is running.")
    next_at: datetime | None = Field(description="Not tried before then, after a failure.")
    why: Text | None = Field(description="Why it is in this state, where there is a reason.")
    verdict: str | None = Field(description="Of its newest audit; null: never audited.")
    exit_code: int | None = Field(description="What `auditor audit` would have ended with.")
    reason: Text | None = Field(description="Of the verdict, one sentence.")
    audit: str | None = Field(description="Id of that audit: /api/v1/audits/{audit}.")
    audited_at: datetime | None
    report: str | None = Field(description="Path of its page on this server.")
    decision: Decided | None = Field(description="Of a person on the audited version.")


class Versions(Answer):
    """A page of versions."""

    versions: tuple[Version, ...]
    next: int | None = Field(description="Give it as `after` for the next page; null: no more.")


class SourceAnswer(Answer):
    """A source after something was asked of it."""

    name: Text
    paused: bool
    asked_at: datetime | None = Field(description="When a look was asked for, not yet had.")
    last_success: datetime | None
    last_error: Text | None


class Retried(Answer):
    """What a retry came to."""

    retried: int = Field(description="Quarantined versions that wait again.")


def report_path(audit_id: str) -> str:
    """Where the page of an audit is, below the server's address."""
    return f"/reports/{audit_id}"


def version(stand: Stand, today: date) -> Version:
    """A version the ledger knows, with the decision on it that holds today."""
    found: dict[str, Any] = {}
    if (newest := stand.verdict) is not None:
        said = newest.decision
        found = {
            "verdict": newest.verdict,
            "exit_code": exit_code(newest.verdict),
            "reason": newest.reason,
            "audit": newest.audit_id,
            "audited_at": newest.saved_at,
            "report": report_path(newest.audit_id),
            "decision": asdict(said) if said is not None and said.holds(today) else None,
        }
    return _version(
        stand.version,
        number=stand.number,
        state=str(stand.state),
        settled=stand.state not in OPEN,
        priority=stand.priority.name.lower(),
        attempts=stand.attempts,
        since=stand.since,
        next_at=stand.next_at,
        why=stand.reason,
        **found,
    )


def unknown(of: ModelVersion) -> Version:
    """A version the ledger has not met."""
    return _version(of, state=UNKNOWN, settled=True, attempts=0)


def page(stands: Sequence[Stand], limit: int, today: date) -> Versions:
    """A page of at most `limit`; fewer are the last one."""
    more = stands[-1].number if len(stands) == limit else None
    return Versions(versions=tuple(version(one, today) for one in stands), next=more)


def source(state: SourceState) -> SourceAnswer:
    """A source as it is now."""
    return SourceAnswer(
        name=state.name,
        paused=state.paused,
        asked_at=state.asked_at,
        last_success=state.last_success,
        last_error=state.last_error,
    )


def _version(of: ModelVersion, **known: Any) -> Version:  # noqa: ANN401 - fields of `Version`
    absent = dict.fromkeys(Version.model_fields)
    named = {
        "source": of.id.source,
        "model": of.id.model,
        "version": of.id.version,
        "uri": of.uri,
        "created_at": of.created_at,
    }
    return Version.model_validate({**absent, **named, **known})
