"""What the Hub states of one commit of a repository: its files, its card, what was scanned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, TypeAdapter

from auditor.errors import GoneError, RefusedError, SourceError
from auditor.hub_client.access import Access
from auditor.hub_client.answers import Answer, RepoName, Sha1, Sha256, Size, parsed

MOST_FILES = 100_000
MOST_NAMED = 5  # files with issues that are named in a fact


class _Large(Answer):
    sha256: Sha256
    size: Size


class _Sibling(Answer):
    rfilename: str
    size: Size | None = None
    blob: Annotated[Sha1 | None, Field(alias="blobId")] = None
    lfs: _Large | None = None


class _Issue(Answer):
    path: str
    level: str = "unsafe"


class _Security(Answer):
    done: Annotated[bool, Field(alias="scansDone")] = False
    issues: Annotated[Sequence[_Issue], Field(alias="filesWithIssues")] = ()


class _Model(Answer):
    id: RepoName
    sha: Sha1
    repository: Annotated[str, Field(alias="_id")] = ""
    gated: bool | str = False
    disabled: bool = False
    siblings: Sequence[_Sibling] = ()
    card: Annotated[Any, Field(alias="cardData")] = None  # YAML of the author's
    security: Annotated[_Security | None, Field(alias="securityRepoStatus")] = None


MODEL = TypeAdapter(_Model)


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
    found = parsed(MODEL, access.json(path, params, subject), subject, access.endpoint)
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
