"""What sources told: versions that are new, gone, or go by another name."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from auditor.ledger.models import AuditRow, ClaimRow, SourceRow, State, VersionRow
from auditor.ledger.order import oldest_first, position_of
from auditor.ledger.watching import source_row
from auditor.ledger.work import hurry, settle, version_row
from auditor.records import Gone, ModelVersion, Priority, Renamed, Trouble

CHUNK = 500  # values in one statement; some databases take no more than 999


@dataclass(frozen=True, slots=True)
class Told:
    """What a source told, up to a point from which it can go on."""

    seen: Sequence[ModelVersion] = ()
    changes: Sequence[Gone | Renamed | Trouble] = ()
    cursor: str | None = None  # None: the old one stays
    remarks: Mapping[str, str] | None = None


def note(
    session: Session,
    source: str,
    told: Told,
    *,
    history: int | None,
    priority: Priority,
    at: datetime,
) -> int:
    """Add the versions not known yet; how many of them now wait for an audit."""
    for change in told.changes:
        _apply(session, source, change)
    session.flush()
    met = _met(session, [version.identity for version in told.seen])
    models = _by_model(told.seen)
    watched = _watched(session, source, list(models))
    _cleared(session, source, models)
    pending = 0
    for model, versions in models.items():
        limit = None if model in watched else history
        newest = versions if limit is None else versions[max(0, len(versions) - limit) :]
        chosen = {version.identity for version in newest}
        for version in versions:
            row = met.get(version.identity)
            if row is not None:
                _met_again(session, row, at)
                continue
            state = State.PENDING if version.identity in chosen else State.HISTORY
            _, claim = add(session, version, state, noted_at=at, fresh=model in watched)
            session.flush()
            hurry(session, claim, priority)
            pending += state == State.PENDING
    return pending


def _met_again(session: Session, row: VersionRow, at: datetime) -> None:
    """A version seen again; one that was gone is back, and waits where it never had an audit."""
    row.noted_at = row.noted_at or at
    claim = session.get_one(ClaimRow, row.id)
    if claim.state == State.GONE:
        audited = session.scalar(select(AuditRow.id).where(AuditRow.version_id == row.id).limit(1))
        settle(claim, State.DONE if audited is not None else State.PENDING, None)


def _apply(session: Session, source: str, change: Gone | Renamed | Trouble) -> None:
    if isinstance(change, Trouble):
        row = source_row(session, source)
        others = {model: why for model, why in row.troubles.items() if model != change.model}
        row.troubles = {**others, **({change.model: change.reason} if change.reason else {})}
    elif isinstance(change, Gone):
        _gone(session, change)
    else:
        _renamed(session, change)


def _gone(session: Session, change: Gone) -> None:
    """Not tried again; one in work ends by itself."""
    row = version_row(session, change.version)
    claim = session.get(ClaimRow, row.id) if row is not None else None
    if claim is not None and claim.state not in {State.GONE, State.RUNNING}:
        settle(claim, State.GONE, change.reason)


def _renamed(session: Session, change: Renamed) -> None:
    """The row goes by its new name, unless that one is known already."""
    row = version_row(session, change.before)
    if row is None or version_row(session, change.after) is not None:
        return
    after = VersionRow.of(change.after, row.noted_at)
    row.identity, row.model, row.version = after.identity, after.model, after.version
    row.uri, row.location, row.facts = after.uri, after.location, after.facts
    row.natural = after.natural


def _cleared(session: Session, source: str, models: Collection[str]) -> None:
    """A model that is seen is in no trouble any more."""
    row = session.get(SourceRow, source)
    if row is not None and row.troubles.keys() & set(models):
        row.troubles = {name: why for name, why in row.troubles.items() if name not in models}


@dataclass(frozen=True, slots=True)
class Noted:
    """What a ledger knows of a source; the `Known` that sources are given."""

    read: Callable[[], AbstractContextManager[Session]]
    source: str

    def models(self) -> Collection[str]:
        """Names of its models that have a version which is not gone."""
        with self.read() as session:
            query = _present(self.source).with_only_columns(VersionRow.model).distinct()
            return set(session.scalars(query))

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """The versions of a model that are not gone, oldest first."""
        with self.read() as session:
            query = _present(self.source).where(VersionRow.model == model)
            return [row.record for row in session.scalars(query.order_by(*oldest_first()))]


def _present(source: str) -> Select[VersionRow]:
    query = select(VersionRow).join(ClaimRow).where(VersionRow.source == source)
    return query.where(ClaimRow.state != State.GONE, VersionRow.noted_at.is_not(None))


def add(
    session: Session,
    version: ModelVersion,
    state: State,
    *,
    noted_at: datetime | None,
    fresh: bool = False,
) -> tuple[VersionRow, ClaimRow]:
    """Write down a version for the first time."""
    row = VersionRow.of(version, noted_at)
    row.fresh = fresh
    claim = ClaimRow(version=row, state=state, priority=Priority.BACKFILL)
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
