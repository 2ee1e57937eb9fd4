"""What a Hub holds, and what its API says of it: repositories, commits, listings."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

TEXT = {".json", ".md", ".txt", ".gitattributes", ".py"}  # what git keeps itself; all else is LFS
CHUNK = 1 << 16
FULL_PAGE = 1000  # repositories an answer has at most
SORTS = ("lastModified", "createdAt", "downloads", "likes", "trendingScore")
EXPAND = {  # what may be asked for of a repository beside its name
    *("sha", "lastModified", "createdAt", "disabled", "gated", "private", "downloads", "likes"),
    *("tags", "siblings", "cardData", "trendingScore"),
}


@dataclass(frozen=True)
class Content:
    """The bytes of one file: in memory, or of a file on disk, which may be sparse."""

    where: bytes | Path
    sha256: str
    blob: str

    @classmethod
    def of(cls, where: bytes | Path, sha256: str | None = None) -> "Content":
        """Hashed, unless a digest is given: nobody hashes 40 GB of nothing."""
        data = where if isinstance(where, bytes) else b"" if sha256 else where.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        return cls(where, sha256 or hashlib.sha256(data).hexdigest(), git)

    @property
    def size(self) -> int:
        return len(self.where) if isinstance(self.where, bytes) else self.where.stat().st_size

    def read(self, start: int, end: int) -> Iterator[bytes]:
        if isinstance(self.where, bytes):
            yield self.where[start:end]
            return
        with self.where.open("rb") as handle:
            handle.seek(start)
            while start < end and (chunk := handle.read(min(CHUNK, end - start))):
                start += len(chunk)
                yield chunk


@dataclass(frozen=True)
class Commit:
    """One state of a repository."""

    sha: str
    date: datetime  # as its author says
    files: Mapping[str, Content]
    before: "Commit | None" = None

    def history(self) -> list["Commit"]:
        """This one and those before it, newest first."""
        found: list[Commit] = []
        one: Commit | None = self
        while one is not None:
            found.append(one)
            one = one.before
        return found


@dataclass
class Repo:
    """A model repository; the last of its commits is ``main``."""

    id: str
    number: str
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, Commit] = field(default_factory=dict)  # all but `main`
    tags: dict[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()  # what a filter finds
    card: dict[str, Any] = field(default_factory=dict)
    issues: list[dict[str, str]] = field(default_factory=list)
    modified: datetime | None = None  # None: when its newest commit was made
    downloads: int = 0
    gated: str | bool = False
    private: bool = False
    disabled: bool = False

    def commit(self, revision: str) -> Commit | None:
        """The commit a branch, tag or sha stands for; shas of all that were ever pushed."""
        if revision == "main":
            return self.commits[-1] if self.commits else None
        if revision in self.branches:
            return self.branches[revision]
        sha = self.tags.get(revision, revision)
        heads = [*self.branches.values(), *self.commits[-1:]]
        found = (commit for head in heads for commit in head.history())
        return next((commit for commit in found if commit.sha == sha), None)

    @property
    def last_modified(self) -> datetime | None:
        """When it changed last, by the Hub's clock."""
        return self.modified or (self.commits[-1].date if self.commits else None)


def stamp(moment: datetime | None) -> str | None:
    """A moment as the API writes it."""
    return (
        moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
        if moment
        else None
    )


def entry(repo: Repo, expand: Sequence[str]) -> dict[str, Any]:
    """A repository as listings have it: no more of it than is asked for."""
    newest = repo.commits[-1] if repo.commits else None
    whole = {
        "sha": newest.sha if newest else None,
        "lastModified": stamp(repo.last_modified),
        "createdAt": stamp(newest.history()[-1].date if newest else None),
        "disabled": repo.disabled,
        "gated": repo.gated,
        "private": repo.private,
        "downloads": repo.downloads,
        "likes": 0,
        "trendingScore": 0,
        "tags": list(repo.topics),
        "cardData": repo.card,
        "siblings": [{"rfilename": name} for name in (newest.files if newest else ())],
    }
    asked = expand or EXPAND - {"cardData", "siblings"}
    said = {name: value for name, value in whole.items() if name in asked and value is not None}
    return {"_id": repo.number, "id": repo.id, "modelId": repo.id, **said}


def listing(
    repos: Sequence[Repo], query: Mapping[str, list[str]]
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of what a query finds, and the cursor of the next one: where this one ended."""
    asked = {name: values[-1] for name, values in query.items()}
    filters = query.get("filter", [])
    sort = asked.get("sort", "trendingScore")
    found = [
        repo
        for repo in repos
        if repo.id.startswith(f"{asked['author']}/" if "author" in asked else "")
        and asked.get("search", "").lower() in repo.id.lower()
        and set(filters) <= set(repo.topics)
    ]
    keyed = sorted(((_key(repo, sort), repo) for repo in found), key=lambda pair: pair[0])[::-1]
    if "cursor" in asked:
        keyed = [pair for pair in keyed if "|".join(pair[0]) < asked["cursor"]]
    limit = min(int(asked.get("limit", FULL_PAGE)), FULL_PAGE)
    page = keyed[:limit]
    items = [entry(repo, query.get("expand", [])) for _, repo in page]
    return items, "|".join(page[-1][0]) if len(keyed) > limit else None


def _key(repo: Repo, sort: str) -> tuple[str, str]:
    values = {"lastModified": stamp(repo.last_modified) or "", "downloads": f"{repo.downloads:012}"}
    return values.get(sort, ""), repo.number


def is_text(name: str) -> bool:
    """Whether git keeps a file of that name itself."""
    return Path(name).suffix in TEXT or "." not in name


def stated(name: str, content: Content) -> dict[str, Any]:
    """Size and digests, in the names the tree has for them."""
    said: dict[str, Any] = {"size": content.size, "oid": content.blob}
    if not is_text(name):
        said["lfs"] = {"oid": content.sha256, "size": content.size, "pointerSize": 134}
    return said


def model(repo: Repo, commit: Commit, *, blobs: bool) -> dict[str, Any]:
    """A commit of a repository with its files."""
    siblings = []
    for name, content in commit.files.items():
        sibling: dict[str, Any] = {"rfilename": name}
        if blobs:
            sibling |= {"size": content.size, "blobId": content.blob}
            if not is_text(name):
                lfs = {"sha256": content.sha256, "size": content.size, "pointerSize": 134}
                sibling |= {"lfs": lfs}
        siblings.append(sibling)
    return {
        "_id": repo.number,
        "id": repo.id,
        "modelId": repo.id,
        "sha": commit.sha,
        "lastModified": stamp(repo.last_modified),
        "private": repo.private,
        "gated": repo.gated,
        "disabled": repo.disabled,
        "cardData": repo.card,
        "siblings": siblings,
        "securityRepoStatus": {"scansDone": True, "filesWithIssues": repo.issues},
    }
