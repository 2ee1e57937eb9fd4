"""The way back from a commit, as far as it has to be gone."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from auditor.errors import SourceError
from auditor.hub_client.access import Access
from auditor.hub_client.history import Commit, moments, pages

MOST = 1000  # commits that are gone back; beyond, nothing is said of what came before


@dataclass(slots=True)
class Way:
    """A commit and those before it, newest first, as far as they were asked for."""

    repo: str
    commits: list[Commit] = field(default_factory=list)
    is_whole: bool = False  # whether they reach back to the first one
    is_over: bool = False  # whether they do, or there are too many
    _pages: Iterator[list[Commit]] = field(default_factory=lambda: iter(()))

    @classmethod
    def back(cls, access: Access, repo: str, sha: str, until: Collection[str]) -> "Way":
        """From a commit to the first of `until` on the way, or to the beginning."""
        way = cls(repo, _pages=pages(access, repo, sha))
        way.extend()
        while not (way.is_over or way.met(until)):
            way.extend()
        return way

    def met(self, commits: Collection[str]) -> bool:
        """Whether one of these is on the way; of none there is nothing to look for."""
        return not commits or any(commit.id in commits for commit in self.commits)

    def extend(self) -> None:
        """Go a page further."""
        if len(self.commits) >= MOST:
            self.is_over = True
            return
        found = next(self._pages, None)
        self.commits += found or ()
        self.is_whole = self.is_over = found is None

    def before(self) -> Iterator[str]:
        """The commits before the first one, going further where that is needed."""
        at = 1
        while True:
            while at < len(self.commits):
                yield self.commits[at].id
                at += 1
            if self.is_over:
                return
            self.extend()

    def moment(self, sha: str, noted: Mapping[str, datetime]) -> datetime:
        """When one of them was made, in the order of the history."""
        found = moments(self.commits, noted)
        if sha not in found:
            raise SourceError(f"{self.repo}@{sha}: the Hub does not say when it was made")
        return found[sha]
