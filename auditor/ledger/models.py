"""The tables. `migrations` makes them; a test holds the two together."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from auditor.ledger.columns import AnyText, AuditDocument, Utc
from auditor.records import ModelVersion, Priority, VersionId


class State(StrEnum):
    """Where a version stands on its way to an audit."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    HISTORY = "history"  # older than what the source was asked to audit
    QUARANTINED = "quarantined"  # failed too often
    GONE = "gone"  # deleted at its source
    REFUSED = "refused"  # lies where this installation may not fetch from


OPEN = (State.PENDING, State.RUNNING)


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"  # a newer audit of the version goes out instead
    ABANDONED = "abandoned"  # a message that nobody took for days


NAMES = {  # a constraint without a name could not be changed by a later revision
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables share one metadata; text and moments are kept exactly."""

    type_annotation_map = {str: AnyText, datetime: Utc, Mapping[str, Any]: JSON}  # noqa: RUF012
    metadata = MetaData(naming_convention=NAMES)


class SourceRow(Base):
    """A source: how far it was read, and how it is."""

    __tablename__ = "sources"

    name: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[str | None]
    last_success: Mapped[datetime | None]
    last_error: Mapped[str | None]
    failed_at: Mapped[datetime | None]
    paused: Mapped[bool] = mapped_column(default=False)
    asked_at: Mapped[datetime | None]  # a person wants it looked at now
    troubles: Mapped[Mapping[str, Any]] = mapped_column(default=dict)  # model -> why not seen
    remarks: Mapped[Mapping[str, Any]] = mapped_column(default=dict)  # what else it said


class VersionRow(Base):
    """A version of a model, as its source announced it."""

    __tablename__ = "versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(unique=True)
    source: Mapped[str]
    model: Mapped[str]
    version: Mapped[str]
    natural: Mapped[str]  # `version` in a spelling that sorts as people count
    created_at: Mapped[datetime]
    uri: Mapped[str]
    location: Mapped[str]
    facts: Mapped[Mapping[str, Any]]
    noted_at: Mapped[datetime | None]  # None: audited by hand, no source has announced it
    fresh: Mapped[bool] = mapped_column(default=False)  # made while its model was watched already
    concluded_at: Mapped[datetime | None] = mapped_column(index=True)  # its first audit
    judged_as: Mapped[str | None]  # hash of the policy it was last held against

    __table_args__ = (
        Index(None, "source", "model", "created_at"),
        Index(None, "created_at"),
    )

    @classmethod
    def of(cls, version: ModelVersion) -> "VersionRow":
        """The row for a version the ledger has not met, and no source has announced."""
        return cls(**columns_of(version))

    @property
    def record(self) -> ModelVersion:
        """The version as it was announced."""
        return ModelVersion(
            id=VersionId(self.source, self.model, self.version),
            created_at=self.created_at,
            uri=self.uri,
            location=self.location,
            facts=self.facts,
        )


class ClaimRow(Base):
    """The work on a version: its state, who has it, until when, how often it failed."""

    __tablename__ = "claims"

    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"), primary_key=True)
    state: Mapped[str]
    priority: Mapped[int] = mapped_column(default=Priority.REGISTRATION)
    made_at: Mapped[datetime]  # its version's `created_at`, so that an index has the whole order
    owner: Mapped[str | None]
    since: Mapped[datetime | None]  # when the owner took it
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    lost: Mapped[int] = mapped_column(default=0)  # leases that ran out: the owner died
    next_at: Mapped[datetime | None]
    waits_since: Mapped[datetime | None]  # for what is nobody's fault: a place that is away
    reason: Mapped[str | None]

    version: Mapped[VersionRow] = relationship()

    __table_args__ = (Index(None, "state", "priority", "made_at"),)


class AuditRow(Base):
    """An audit: its document, and what is asked of it too often to open the document."""

    __tablename__ = "audits"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"))
    document_id: Mapped[str] = mapped_column(index=True)
    verdict: Mapped[str]
    metric_set: Mapped[int]
    policy_hash: Mapped[str]
    weights_digest: Mapped[str | None] = mapped_column(index=True)  # None: no file was read
    alpha_median: Mapped[float | None]
    log_spectral_norm_mean: Mapped[float | None]
    distance_mean: Mapped[float | None]
    findings_new: Mapped[int]
    saved_at: Mapped[datetime]
    document: Mapped[Mapping[str, Any]] = mapped_column(AuditDocument, deferred=True)

    __table_args__ = (
        UniqueConstraint("version_id", "document_id"),
        Index(None, "version_id", "id", "verdict"),  # a status counts without touching documents
        Index(None, "saved_at"),
    )


class LayerRow(Base):
    """The headline numbers of a layer in an audit; null where undefined."""

    __tablename__ = "layers"

    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)
    alpha: Mapped[float | None]
    alpha_lo: Mapped[float | None]
    alpha_hi: Mapped[float | None]
    log_spectral_norm: Mapped[float | None]
    stable_rank: Mapped[float | None]
    num_traps: Mapped[float | None]
    distance: Mapped[float | None]  # relative, to the same layer of the baseline


class FindingRow(Base):
    """A finding of an audit, and since when the model has it."""

    __tablename__ = "findings"

    id: Mapped[int] = mapped_column(primary_key=True)
    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"), index=True)
    check: Mapped[str]
    severity: Mapped[str]
    layer: Mapped[str | None]
    origin: Mapped[str]
    waiver: Mapped[str | None]
    first_seen: Mapped[datetime]


class DecisionRow(Base):
    """A person's accept or reject; rows are added, never changed."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"), index=True)
    accepted: Mapped[bool]
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    until: Mapped[date | None]  # the last day it holds
    via: Mapped[str]  # how it was said


class DeliveryRow(Base):
    """One audit on its way to one sink."""

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(primary_key=True)
    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"), index=True)
    sink: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    reason: Mapped[str | None]
    delivered_at: Mapped[datetime | None]


class HintRow(Base):
    """Somebody says that a model may have changed: look there without waiting."""

    __tablename__ = "hints"

    id: Mapped[str] = mapped_column(primary_key=True)  # the sender's: the same one comes again
    source: Mapped[str]
    model: Mapped[str]
    received_at: Mapped[datetime]
    done_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "done_at"),)


class NoticeRow(Base):
    """One message to people, on its way to one address."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]  # what it is about: it is sent to nobody twice
    target: Mapped[str]  # name of an entry under `notify:`
    level: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_at: Mapped[datetime]
    reason: Mapped[str | None]
    delivered_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("key", "target"),)


class TargetRow(Base):
    """People who are told: what they know already."""

    __tablename__ = "targets"

    name: Mapped[str] = mapped_column(primary_key=True)
    memory: Mapped[str]  # as `auditor.telling` writes it


def columns_of(version: ModelVersion) -> dict[str, Any]:
    """What a version's row has of its announcement."""
    return {
        "identity": version.identity,
        "source": version.id.source,
        "model": version.id.model,
        "version": version.id.version,
        "natural": natural(version.id.version),
        "created_at": version.created_at,
        "uri": version.uri,
        "location": version.location,
        "facts": dict(version.facts),
    }


def natural(version: str) -> str:
    """A spelling of a version that sorts as text as people count: 9 before 10.

    Examples
    --------
    >>> sorted(["10", "9", "v2"], key=natural)
    ['9', '10', 'v2']
    """
    return re.sub(r"[0-9]+", lambda digits: digits.group().zfill(20), version)
