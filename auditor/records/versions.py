"""What a source announces: versions and their files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import BinaryIO

LONGEST_IDENTITY = 1000  # bytes; an index of PostgreSQL has 2704 for a text and what is beside it


@dataclass(frozen=True, slots=True, order=True)
class VersionId:
    """Which version of which model, and where it lives: ``mlflow:digits@3``."""

    source: str
    model: str
    version: str

    def __str__(self) -> str:
        return f"{self.series}@{self.version}"

    @property
    def series(self) -> str:
        """The line of versions this one belongs to: ``mlflow:digits``."""
        return f"{self.source}:{self.model}"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version as its source announced it; immutable, and no weights have been touched yet."""

    id: VersionId
    created_at: datetime  # with a time zone; orders the versions of a model
    uri: str  # how a person names it, and a REF the command line takes: models:/digits/3
    location: str  # where its source finds the files, in the source's own form
    facts: Mapping[str, str] = field(default_factory=dict)  # run_id, model_id, ...

    @property
    def identity(self) -> str:
        """Differs for every version there ever was, also when a name is deleted and reused.

        At most `LONGEST_IDENTITY` bytes in UTF-8: the digest of one that would be longer.
        """
        stamp = int(self.created_at.timestamp() * 1000)
        whole = f"{self.id}|{stamp}|{self.location}"
        text = whole.encode("utf-8", "surrogatepass")
        return whole if len(text) <= LONGEST_IDENTITY else f"sha256:{sha256(text).hexdigest()}"


class Role(StrEnum):
    """What a file of a version is for."""

    WEIGHTS = "weights"
    INDEX = "index"
    CONFIG = "config"
    CARD = "card"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a version. Name and size are known before a byte of it is read."""

    name: str  # relative to the version's root, with forward slashes; hostile input
    role: Role
    size: int
    open: Callable[[], BinaryIO]  # a fresh, seekable, read-only handle on the whole file
    sha256: str | None = None  # as the source states it
    ranges: Callable[[], BinaryIO] | None = None  # one that fetches what is read, no more of it
    staged: bool = False  # `open` fetches it, and there are no `ranges`
    discard: Callable[[], None] | None = None  # forget the copy kept here; None: `open` keeps none

    @property
    def is_elsewhere(self) -> bool:
        """Whether reading it costs a transfer: it does not lie on this machine."""
        return self.staged or self.ranges is not None
