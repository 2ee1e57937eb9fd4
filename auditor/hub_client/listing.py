"""What the Hub states of one commit of a repository: its files, its date, what was scanned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from auditor.errors import GoneError, RefusedError, SourceError
from auditor.hub_client.access import Access

MOST_FILES = 100_000
MOST_NAMED = 5  # files with issues that are named in a fact

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$"  # steps out of no path
Sha1 = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, lt=1 << 62, strict=True)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Large(_Answer):
    sha256: Sha256
    size: Size


class _Sibling(_Answer):
    rfilename: str
    size: Size | None = None
    blob: Annotated[Sha1 | None, Field(alias="blobId")] = None
    lfs: _Large | None = None


class _Issue(_Answer):
    path: str
    level: str = "unsafe"


class _Security(_Answer):
    done: Annotated[bool, Field(alias="scansDone")] = False
    issues: Annotated[list[_Issue], Field(alias="filesWithIssues")] = []


class _Model(_Answer):
    id: Annotated[str, Field(max_length=200, pattern=NAME)]
    sha: Sha1
    repository: Annotated[str, Field(alias="_id")] = ""
    gated: bool | str = False
    disabled: bool = False
    siblings: list[_Sibling] = []
    card: Annotated[Any, Field(alias="cardData")] = None  # YAML of the author's
    security: Annotated[_Security | None, Field(alias="securityRepoStatus")] = None


class _Commit(_Answer):
    id: Sha1
    date: AwareDatetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a commit."""

    name: str  # relative to the repository, with forward slashes; hostile input
    size: int
    sha256: str | None  # of large files
    blob: str | None  # git's SHA-1 of its content, or of the pointer to it where it is large


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A commit of a repository."""

    repo: str  # the name it has now
    commit: str  # 40 hexadecimal digits
    files: Sequence[Listed]
    facts: dict[str, str] = field(default_factory=dict)
    base_model: str = ""  # the model its card says it was made from


def snapshot(access: Access, repo: str, revision: str) -> Snapshot:
    """What the Hub states of a revision; everything in it is of one commit.

    Raises
    ------
    GoneError
        If there is no such repository or revision, or it is hidden.
    RefusedError
        If the Hub disabled it, or it lists a file outside of itself.
    SourceError
        If the Hub does not answer, or in another form.
    """
    subject = f"{repo}@{revision}"
    if ".." in revision or revision == ".":  # git allows none, and as a path it leads elsewhere
        raise GoneError(f"{subject[:300]!r}: there is no such revision")
    path = f"/api/models/{repo}/revision/{quote(revision, safe='')}"
    params = {"blobs": "true", "securityStatus": "true"}
    found = _parsed(TypeAdapter(_Model), access.json(path, params, subject), subject, access)
    if found.disabled:
        raise RefusedError(f"{subject} was disabled by {access.endpoint}")
    if len(found.siblings) > MOST_FILES:
        raise SourceError(f"{subject} lists over {MOST_FILES} files; no model does")
    return Snapshot(
        repo=found.id,
        commit=found.sha,
        files=[_listed(file, subject) for file in found.siblings],
        facts=dict(_facts(found, repo)),
        base_model=_first(found.card, "base_model"),
    )


def committed(access: Access, repo: str, commit: str) -> datetime:
    """When a commit was made, by its author's clock.

    The date that comes with the listing is that of the repository's last change.

    Raises
    ------
    SourceError
        As `snapshot`.
    """
    subject = f"{repo}@{commit}"
    answer = access.json(f"/api/models/{repo}/commits/{commit}", {"limit": "1"}, subject)
    found = _parsed(TypeAdapter(list[_Commit]), answer, subject, access)
    dates: list[datetime] = [made.date for made in found[:1] if made.id == commit]
    if not dates:
        raise SourceError(f"{subject}: {access.endpoint} does not say when it was made")
    return dates[0]


def _parsed(kind: TypeAdapter[Any], answer: object, subject: str, access: Access) -> Any:  # noqa: ANN401
    try:
        return kind.validate_python(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(key)[:40] for key in first["loc"])
        raise SourceError(
            f"{subject}: {access.endpoint} answered in another form than the Hub's: "
            f"{where}: {first['msg'][:200]}"
        ) from error


def _listed(file: _Sibling, subject: str) -> Listed:
    name, size = file.rfilename, file.lfs.size if file.lfs else file.size
    path = PurePosixPath(name)
    if not name or str(path) != name or path.is_absolute() or ".." in path.parts or "\\" in name:
        raise RefusedError(
            f"{subject} lists a file called {name[:200]!r}, which would lie outside of it; "
            "nothing of it is read"
        )
    if size is None:
        raise SourceError(f"{subject}: no size is stated for {name[:200]!r}")
    return Listed(name, size, file.lfs.sha256 if file.lfs else None, file.blob)


def _facts(found: _Model, asked: str) -> Iterator[tuple[str, str]]:
    """What else the Hub says, as a report shows it."""
    yield "security", _scanned(found.security)
    if found.gated:
        yield "gated", "yes" if found.gated is True else found.gated[:50]
    for name in ("license", "base_model"):
        if value := _first(found.card, name):
            yield name, value
    if found.repository:
        yield "repository", found.repository[:50]
    if found.id != asked:
        yield "renamed_from", asked


def _scanned(security: _Security | None) -> str:
    if security is None:
        return "not stated"
    issues = [f"{issue.level[:20]}: {issue.path[:200]!r}" for issue in security.issues]
    more = [f"and {len(issues) - MOST_NAMED} more"] if len(issues) > MOST_NAMED else []
    if issues:
        return "; ".join([*issues[:MOST_NAMED], *more])
    return "no issue found by the Hub's scans" if security.done else "the Hub's scans are not done"


def _first(card: object, name: str) -> str:
    """A field of the card, which may be a text or a list of them."""
    value = card.get(name) if isinstance(card, dict) else None
    if isinstance(value, list):
        value = value[0] if value else None
    return value[:200] if isinstance(value, str) and value.isprintable() else ""
