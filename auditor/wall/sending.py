"""A job as a message, and as the child has it: with files that are opened by asking for them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, BinaryIO, Protocol

from pydantic import TypeAdapter

from auditor.records import LayerRecord, ModelVersion, Role, SourceFile
from auditor.wall.jobs import Against, Job, Terms

TERMS, VERSION = TypeAdapter(Terms), TypeAdapter(ModelVersion)
LAYERS = TypeAdapter(tuple[LayerRecord, ...])


class Shelf(Protocol):
    """Where the files of a job are had: the version's and the baseline's, by place in the list."""

    def open(self, side: str, index: int, *, ranged: bool) -> BinaryIO:
        """A handle on one."""

    def discard(self, side: str, index: int) -> None:
        """Forget the copy of one that is kept."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is announced, without the means to open it."""

    name: str
    role: Role
    size: int
    sha256: str | None
    ranges: bool
    kept: bool


FILES = TypeAdapter(tuple[_File, ...])


def of_job(job: Job) -> dict[str, Any]:
    """What a child is told of its job."""
    against = job.against
    return {
        "files": _announced(job.files),
        "where": job.where,
        "terms": asdict(job.terms),
        "ranged": job.ranged,
        "headers": job.headers,
        "against": None if against is None else _against(against),
    }


def job_of(head: Mapping[str, Any], shelf: Shelf) -> Job:
    """The job that `of_job` was given; its files are had from `shelf`."""
    against = head["against"]
    return Job(
        files=_files(head["files"], "version", shelf),
        where=head["where"],
        terms=TERMS.validate_python(head["terms"]),
        ranged=head["ranged"],
        headers=head["headers"],
        against=None if against is None else _as_against(against, shelf),
    )


def _against(against: Against) -> dict[str, Any]:
    return {
        "version": {
            **asdict(against.version),
            "created_at": against.version.created_at.isoformat(),
        },
        "files": _announced(against.files),
        "layers": LAYERS.dump_python(tuple(against.layers)),
        "missing": against.missing,
        "ranged": against.ranged,
        "needed": against.needed,
    }


def _as_against(head: Mapping[str, Any], shelf: Shelf) -> Against:
    return Against(
        version=VERSION.validate_python(head["version"]),
        files=_files(head["files"], "baseline", shelf),
        layers=LAYERS.validate_python(head["layers"]),
        missing=head["missing"],
        ranged=head["ranged"],
        needed=head["needed"],
    )


def _announced(files: Sequence[SourceFile]) -> list[dict[str, Any]]:
    return [asdict(_as_announced(file)) for file in files]


def _as_announced(file: SourceFile) -> _File:
    return _File(
        name=file.name,
        role=file.role,
        size=file.size,
        sha256=file.sha256,
        ranges=file.ranges is not None,
        kept=file.discard is not None,
    )


def _files(rows: object, side: str, shelf: Shelf) -> tuple[SourceFile, ...]:
    return tuple(
        SourceFile(
            name=file.name,
            role=file.role,
            size=file.size,
            open=partial(shelf.open, side, index, ranged=False),
            sha256=file.sha256,
            ranges=partial(shelf.open, side, index, ranged=True) if file.ranges else None,
            discard=partial(shelf.discard, side, index) if file.kept else None,
        )
        for index, file in enumerate(FILES.validate_python(rows))
    )
