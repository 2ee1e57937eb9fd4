"""What sources announced: versions, cursors, and how the sources are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from auditor.ledger.models import ClaimRow, SourceRow, State, VersionRow, newest_first, position_of
from auditor.records import ModelVersion

CHUNK = 500  # values in one statement; some databases take no more than 999


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as it was met last."""

    name: str
    cursor: str | None
    last_success: datetime | None
    last_error: str | None  # None when it answered last time
    failed_at: datetime | None


def note(
    session: Session,
    source: str,
    seen: Sequence[ModelVersion],
    *,
    history: int | None,
    at: datetime,
) -> int:
    """Add the versions not known yet; how many of them now wait for an audit."""
    met = _met(session, [version.identity for version in seen])
    models = _by_model(seen)
    watched = _watched(session, source, list(models))
    pending = 0
    for model, versions in models.items():
        limit = None if model in watched else history
        newest = versions if limit is None else versions[max(0, len(versions) - limit) :]
        chosen = {version.identity for version in newest}
        for version in versions:
            row = met.get(version.identity)
            if row is not None:
                row.noted_at = row.noted_at or at
                continue
            state = State.PENDING if version.identity in chosen else State.HISTORY
            add(session, version, state, noted_at=at)
            pending += state == State.PENDING
    return pending


def reached(session: Session, source: str, cursor: str | None, at: datetime) -> None:
    """Record a sweep that came through; without a new cursor the old one stays."""
    row = _source(session, source)
    row.cursor = row.cursor if cursor is None else cursor
    row.last_success = at
    row.last_error = None


def unreachable(session: Session, source: str, error: str, at: datetime) -> None:
    """Record a sweep that failed; the cursor stays."""
    row = _source(session, source)
    row.last_error = error
    row.failed_at = at


def sources(session: Session) -> list[SourceState]:
    """Every source met so far, by name."""
    rows = session.scalars(select(SourceRow).order_by(SourceRow.name))
    return [
        SourceState(row.name, row.cursor, row.last_success, row.last_error, row.failed_at)
        for row in rows
    ]


def backfill(session: Session, source: str, model: str | None, versions: int | None) -> int:
    """Let the newest `versions` of each model's history wait for an audit; how many do now."""
    found = _history(session, source, model, versions)
    for _, claim in found:
        claim.state = State.PENDING
    return len(found)


def older(
    session: Session, source: str, model: str | None, versions: int | None
) -> list[ModelVersion]:
    """The versions that `backfill` would let wait, newest first."""
    return [version.record for version, _ in _history(session, source, model, versions)]


def _history(
    session: Session, source: str, model: str | None, versions: int | None
) -> list[tuple[VersionRow, ClaimRow]]:
    """The newest `versions` of each model's history, None: all of it."""
    query = (
        select(VersionRow, ClaimRow)
        .join(ClaimRow)
        .where(VersionRow.source == source, ClaimRow.state == State.HISTORY)
        .order_by(*newest_first())
    )
    if model is not None:
        query = query.where(VersionRow.model == model)
    taken: dict[str, int] = defaultdict(int)
    found = []
    for version, claim in session.execute(query):
        taken[version.model] += 1
        if versions is None or taken[version.model] <= versions:
            found.append((version, claim))
    return found


def add(
    session: Session, version: ModelVersion, state: State, noted_at: datetime | None
) -> tuple[VersionRow, ClaimRow]:
    """Write down a version for the first time."""
    row = VersionRow.of(version, noted_at)
    claim = ClaimRow(version=row, state=state)
    session.add_all((row, claim))
    return row, claim


def _met(session: Session, identities: Sequence[str]) -> Mapping[str, VersionRow]:
    query = select(VersionRow)
    chunks = (query.where(VersionRow.identity.in_(some)) for some in _chunks(identities))
    return {row.identity: row for chunk in chunks for row in session.scalars(chunk)}


def _watched(session: Session, source: str, models: Sequence[str]) -> set[str]:
    """Models of which a source announced a version before; an audit by hand does not count."""
    query = (
        select(VersionRow.model)
        .where(VersionRow.source == source, VersionRow.noted_at.is_not(None))
        .distinct()
    )
    chunks = (query.where(VersionRow.model.in_(some)) for some in _chunks(models))
    return {model for chunk in chunks for model in session.scalars(chunk)}


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def _by_model(seen: Iterable[ModelVersion]) -> Mapping[str, list[ModelVersion]]:
    """The versions of each model, oldest first, each once."""
    models: dict[str, dict[str, ModelVersion]] = defaultdict(dict)
    for version in seen:
        models[version.id.model][version.identity] = version
    return {model: sorted(found.values(), key=position_of) for model, found in models.items()}


def _source(session: Session, name: str) -> SourceRow:
    row = session.get(SourceRow, name)
    if row is None:
        row = SourceRow(name=name)
        session.add(row)
    return row
