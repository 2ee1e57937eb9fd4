"""Which repositories are watched, and how closely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from auditor.naming import is_chosen

Sort = Literal["created_at", "downloads", "last_modified", "likes", "trending_score"]
SORTS: Mapping[Sort, str] = {  # the names people know from the client, and those of the API
    "created_at": "createdAt",
    "downloads": "downloads",
    "last_modified": "lastModified",
    "likes": "likes",
    "trending_score": "trendingScore",
}


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Search:
    """The first `limit` repositories that the Hub finds."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    filter: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()  # tags they all have
    search: str = ""  # text in their name
    author: str = ""
    sort: Sort = "downloads"  # the most, or the newest, first
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100

    @property
    def query(self) -> Mapping[str, str | Sequence[str]]:
        """As the API takes it."""
        given = {"filter": self.filter, "search": self.search, "author": self.author}
        return {name: value for name, value in given.items() if value} | {"sort": SORTS[self.sort]}


@dataclass(frozen=True, slots=True)
class Watch:
    """What is looked at, as it is configured."""

    repos: tuple[str, ...]
    authors: tuple[str, ...]
    searches: tuple[Search, ...]
    revisions: tuple[str, ...]  # patterns of branches and tags
    exclude: tuple[str, ...]  # patterns of repositories
    history: int | None  # versions of a repository new to us; None: all
    max_size: int  # bytes of the weights of one version
    settle: float  # seconds nobody must have pushed to a repository
    reconcile: float  # seconds from one comparison of everything to the next

    @property
    def is_main_alone(self) -> bool:
        """Whether no other branch and no tag is looked at."""
        return self.revisions == ("main",)

    def leaves_out(self, repo: str) -> bool:
        """Whether a repository is not looked at although somebody found it."""
        return repo not in self.repos and bool(self.exclude) and is_chosen(repo, self.exclude)

    def covers(self, repo: str) -> bool:
        """Whether a repository is watched by its name or its author's."""
        owner, slash, _ = repo.partition("/")
        owned = bool(slash) and owner in self.authors and not self.leaves_out(repo)
        return repo in self.repos or owned
