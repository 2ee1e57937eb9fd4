"""What sources told: versions that are new, gone, or go by another name."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from auditor.ledger import deciding
from auditor.ledger.chunks import chunks
from auditor.ledger.models import AuditRow, ClaimRow, SourceRow, State, VersionRow, columns_of
from auditor.ledger.order import oldest_first, position_of
from auditor.ledger.urgency import level
from auditor.ledger.watching import source_row
from auditor.ledger.work import settle, version_row
from auditor.records import Gone, ModelVersion, Priority, Renamed, Said, Trouble

LONGEST = 600  # characters of a name; MLflow's have 256 a part, PostgreSQL indexes 2704 bytes
MOST_TROUBLES = 1000  # of a source; nobody reads more, and each look writes all of them


@dataclass(frozen=True, slots=True)
class Told:
    """What a source told, up to a point from which it can go on."""

    seen: Sequence[ModelVersion] = ()
    changes: Sequence[Gone | Renamed | Trouble] = ()
    cursor: str | None = None  # None: the old one stays
    remarks: Mapping[str, str] | None = None
    said: Sequence[Said] = ()  # of versions that may be among those seen
    ended: bool = True  # the look came to its end; False: there is more to come


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
    seen = [version for version in told.seen if _fits(version)]
    met = _met(session, [version.identity for version in seen])
    models = _by_model(seen)
    watched = _watched(session, source, models)
    _cleared(session, source, models)
    for trouble in _unfit(told.seen):
        _apply(session, source, trouble)
    new: list[_New] = []
    for model, versions in models.items():
        known = model in watched
        newest = _newest(versions, None if known else history)
        unmet = (version for version in versions if version.identity not in met)
        new += (_New(version, version.identity in newest, known) for version in unmet)
    _add_all(session, new, priority, at)
    back = {row.model for row, claim in met.values() if _met_again(session, row, claim, at)}
    waiting = [version.id.model for version, waits, _ in new if waits]
    level(session, source, back.union(waiting))
    return len(waiting)


def _fits(version: ModelVersion) -> bool:
    """Whether its names are as long as names are; what is longer would fit no index."""
    return max(len(version.id.model), len(version.id.version)) <= LONGEST


def _unfit(seen: Iterable[ModelVersion]) -> Iterator[Trouble]:
    for version in seen:
        if not _fits(version):
            longest = max(len(version.id.model), len(version.id.version))
            reason = (
                f"found a name of {longest:,} characters, {LONGEST} are kept; give it a shorter one"
            )
            yield Trouble(version.id.model[:LONGEST], reason)


class _New(NamedTuple):
    """A version announced for the first time."""

    version: ModelVersion
    waits: bool  # for an audit, and is not history
    fresh: bool  # its model was watched already


def _add_all(session: Session, new: Sequence[_New], priority: Priority, at: datetime) -> None:
    """Write down many versions, as few statements as there may be."""
    if not new:
        return
    rows = [columns_of(one.version) | {"noted_at": at, "fresh": one.fresh} for one in new]
    added = insert(VersionRow).returning(VersionRow.identity, VersionRow.id)
    numbers = {row.identity: row.id for row in session.execute(added, rows)}
    claims = [
        {
            "version_id": numbers[version.identity],
            "state": State.PENDING if waits else State.HISTORY,
            "priority": priority if waits else Priority.BACKFILL,
            "made_at": version.created_at,
        }
        for version, waits, _ in new
    ]
    session.execute(insert(ClaimRow), claims)


def _newest(versions: Sequence[ModelVersion], history: int | None) -> Collection[str]:
    """Identities of the newest `history` versions, None: of all."""
    newest = versions if history is None else versions[max(0, len(versions) - history) :]
    return {version.identity for version in newest}


def _met_again(session: Session, row: VersionRow, claim: ClaimRow, at: datetime) -> bool:
    """Whether a version seen again was gone, is back, and waits as it never had an audit."""
    row.noted_at = row.noted_at or at
    if claim.state != State.GONE:
        return False
    audited = session.scalar(select(AuditRow.id).where(AuditRow.version_id == row.id).limit(1))
    settle(claim, State.PENDING if audited is None else State.DONE, None)
    return audited is None


def _apply(session: Session, source: str, change: Gone | Renamed | Trouble) -> None:
    if isinstance(change, Trouble):
        row = source_row(session, source)
        others = {model: why for model, why in row.troubles.items() if model != change.model}
        kept = bool(change.reason) and len(others) < MOST_TROUBLES
        row.troubles = {**others, **({change.model: change.reason} if kept else {})}
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
    """The row goes by its new name; where that one is known already, the old one is gone.

    Who has it in work cannot save it by its old name, and it waits again.
    """
    row = version_row(session, change.before)
    if row is None or not _fits(change.after):
        return
    claim = session.get_one(ClaimRow, row.id)
    if version_row(session, change.after) is not None:
        settle(claim, State.GONE, f"goes by the name {change.after.id} now")
        return
    if claim.state == State.RUNNING:
        settle(claim, State.PENDING, claim.reason)
    for name, value in columns_of(change.after).items():
        if name != "created_at":  # its place among the versions stays
            setattr(row, name, value)


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

    def twins(self, version: ModelVersion) -> Sequence[ModelVersion]:
        """Versions of other models, not gone, with its number, creation time and location."""
        query = _present(self.source).where(
            VersionRow.created_at == version.created_at,
            VersionRow.version == version.id.version,
            VersionRow.location == version.location,
            VersionRow.model != version.id.model,
        )
        with self.read() as session:
            return [row.record for row in session.scalars(query)]

    def tagged(self) -> Sequence[ModelVersion]:
        """Versions, not gone, about which a tag said something that was not taken back."""
        with self.read() as session:
            return deciding.tagged(session, self.source)


def _present(source: str) -> Select[VersionRow]:
    query = select(VersionRow).join(ClaimRow).where(VersionRow.source == source)
    return query.where(ClaimRow.state != State.GONE, VersionRow.noted_at.is_not(None))


def add(session: Session, version: ModelVersion, state: State) -> tuple[VersionRow, ClaimRow]:
    """Write down a version for the first time, as one that no source has announced."""
    row = VersionRow.of(version)
    claim = ClaimRow(
        version=row, state=state, priority=Priority.BACKFILL, made_at=version.created_at
    )
    session.add_all((row, claim))
    return row, claim


def _met(session: Session, identities: Sequence[str]) -> Mapping[str, tuple[VersionRow, ClaimRow]]:
    query = select(VersionRow, ClaimRow).join(ClaimRow)
    found = (query.where(VersionRow.identity.in_(some)) for some in chunks(identities))
    return {row.identity: (row, claim) for chunk in found for row, claim in session.execute(chunk)}


def _watched(session: Session, source: str, models: Collection[str]) -> set[str]:
    """Models of which a source announced a version before; an audit by hand does not count."""
    query = (
        select(VersionRow.model)
        .where(VersionRow.source == source, VersionRow.noted_at.is_not(None))
        .distinct()
    )
    found = (query.where(VersionRow.model.in_(some)) for some in chunks(models))
    return {model for chunk in found for model in session.scalars(chunk)}


def _by_model(seen: Iterable[ModelVersion]) -> Mapping[str, list[ModelVersion]]:
    """The versions of each model, oldest first, each once."""
    models: dict[str, dict[str, ModelVersion]] = defaultdict(dict)
    for version in seen:
        models[version.id.model][version.identity] = version
    return {model: sorted(found.values(), key=position_of) for model, found in models.items()}
