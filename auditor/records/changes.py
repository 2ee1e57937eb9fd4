"""What a source tells of its versions: seen, gone, renamed, and how far it has come."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from auditor.records.decisions import Statement
from auditor.records.versions import ModelVersion


@dataclass(frozen=True, slots=True)
class Seen:
    """There is this version; it may have been seen before."""

    version: ModelVersion


@dataclass(frozen=True, slots=True)
class Gone:
    """A version that was there is there no more: deleted, hidden, or written over."""

    version: ModelVersion  # as it was announced
    reason: str  # one sentence


@dataclass(frozen=True, slots=True)
class Renamed:
    """The same version goes by another name now; what is known of it stays known."""

    before: ModelVersion  # as it was announced
    after: ModelVersion


@dataclass(frozen=True, slots=True)
class Trouble:
    """A model that is watched cannot be looked at; the others can. Seen again, it is over."""

    model: str
    reason: str  # one sentence; empty where the trouble is over


@dataclass(frozen=True, slots=True)
class Said:
    """What people say about a version where it is registered; it may have been told before."""

    version: ModelVersion
    statement: Statement | None  # None: nothing any more


@dataclass(frozen=True, slots=True)
class Reached:
    """All that came before was told; `cursor` is where to go on once it has been noted.

    The last change of every look is one, also where there was nothing to tell.
    """

    cursor: str
    remarks: Mapping[str, str] = field(default_factory=dict)  # a status shows: rate limits, ...


Change = Seen | Gone | Renamed | Trouble | Said | Reached


class Known(Protocol):
    """What has been noted of a source: to find what is gone, and what has another name."""

    def models(self) -> Collection[str]:
        """Names of its models that have a version which is not gone."""

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """The versions of a model that are not gone, oldest first; none of an unknown model."""

    def twins(self, version: ModelVersion) -> Sequence[ModelVersion]:
        """Versions of other models, not gone, with its number, creation time and location."""

    def tagged(self) -> Sequence[ModelVersion]:
        """Versions, not gone, about which something was said that was not taken back."""


class _Nothing:
    def models(self) -> Collection[str]:
        return ()

    def versions(self, model: str) -> Sequence[ModelVersion]:  # noqa: ARG002 - as `Known` has it
        return ()

    def twins(self, version: ModelVersion) -> Sequence[ModelVersion]:  # noqa: ARG002
        return ()

    def tagged(self) -> Sequence[ModelVersion]:
        return ()


NOTHING: Known = _Nothing()  # before anything was noted


class Priority(IntEnum):
    """Which versions are audited first; the smaller number goes first."""

    ASKED = 0  # by a person, or a gate that waits
    REGISTRATION = 1  # somebody has just registered it
    NIGHTLY = 2  # found by looking around
    BACKFILL = 3  # older than what is watched
