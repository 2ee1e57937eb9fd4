"""A look at everything that is watched on the Hub, or at one repository of it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from auditor.errors import GoneError, SourceError, UnreachableError
from auditor.hub_client.catalogue import FULL_PAGE, PAGE, Entry, repositories, repository
from auditor.hub_client.meanings import Unanswered
from auditor.hub_client.noted import NUMBER
from auditor.hub_client.repository import Restless, Round, compared
from auditor.records import Change, Reached, Trouble

log = logging.getLogger(__name__)

OVERLAP = 600.0  # seconds; changes may appear in a listing later than they are dated
STEP = 20  # changes after which a look that breaks off need not begin anew
MOST_FAILURES = 3  # repositories in a row for which the Hub has errors until it counts as down


@dataclass(slots=True)
class Look:
    """One look."""

    now: Round
    _seen: set[str] = field(default_factory=set)  # repositories that were looked at
    _failed: list[str] = field(default_factory=list)  # what the Hub said of those in a row
    _told: int = 0  # changes since the last step
    _served: bool = False  # whether the Hub answered anything

    @property
    def is_full(self) -> bool:
        """Whether everything is compared: for the first time, or because it is time again."""
        age = self.now.at - self.now.cursor.reconciled
        return not 0 <= age < self.now.watch.reconcile

    def everything(self) -> Iterator[Change]:
        """What changed, and at times also what is gone; the last change is a `Reached`.

        Raises
        ------
        SourceError
            If the Hub does not answer, does not accept the token, or allows no more requests.
        """
        newest: dict[str, float] = {}
        asked_again = list(self.now.cursor.again)
        for entry in self._listed(newest):
            yield from self._stepping(entry.id, compared(self.now, entry))
        for repo in (*self.now.watch.repos, *asked_again):
            if repo not in self._seen:
                yield from self._stepping(repo, self._asked(repo))
        if self.is_full:
            yield from self._without_any()
            yield from self._missing()
            self.now.cursor.reconciled = self.now.at
        if self._failed and not self._served:
            raise Unanswered(self._failed[-1])
        self.now.cursor.newest = newest
        yield self._reached()

    def one(self, repo: str) -> Iterator[Change]:
        """What changed of one repository; nothing of one that is not watched.

        Raises
        ------
        Restless
            If somebody is pushing to it.
        SourceError
            As `everything`.
        """
        if self.now.watch.covers(repo) or repo in self.now.noted.known.models():
            yield from self._asked(repo)

    def _without_any(self) -> Iterator[Change]:
        """Authors who have nothing: the Hub does not say whether there is one of that name."""
        for author in self.now.watch.authors:
            if not any(repo.startswith(f"{author}/") for repo in self._seen):
                reason = (
                    f"{author} has no model at {self.now.access.endpoint} that can be seen; "
                    "check `authors`, or the token"
                )
                yield from self._stepping(author, iter([Trouble(author, reason)]))

    def _missing(self) -> Iterator[Change]:
        """What is known, or was told of, and was met nowhere."""
        told = self.now.cursor.troubled
        for repo in sorted({*self.now.noted.known.models(), *told} - self._seen):
            if self.now.watch.covers(repo):
                yield from self._stepping(repo, self._asked(repo))
            elif repo in told:  # nobody looks at it any more
                yield from self._stepping(repo, iter([Trouble(repo, "")]))

    def _listed(self, newest: dict[str, float]) -> Iterator[Entry]:
        """What authors have, as far as it changed, and what searches find; each once, by name."""
        found: dict[str, Entry] = {}
        for author in self.now.watch.authors:
            found |= {entry.id: entry for entry in self._of(author, newest)}
            self._served = True
        for search in self.now.watch.searches:
            page, subject = min(search.limit, FULL_PAGE), f"the search {dict(search.query)}"
            listed = repositories(self.now.access, search.query, page, subject)
            found |= {
                entry.id: entry for _, entry in zip(range(search.limit), listed, strict=False)
            }
            self._served = True
        for repo in sorted(found):
            if not self.now.watch.leaves_out(repo):
                yield found[repo]

    def _of(self, author: str, newest: dict[str, float]) -> Iterator[Entry]:
        """The repositories of an author that changed, the last one first; or all of them.

        One that changes while pages are turned moves to the first page, later than all that
        was seen there: the next look finds it.
        """
        until = 0.0 if self.is_full else self.now.cursor.newest.get(author, 0.0) - OVERLAP
        newest[author] = self.now.cursor.newest.get(author, 0.0)
        query = {"author": author, "sort": "lastModified"}
        page = FULL_PAGE if until <= 0 else PAGE
        for entry in repositories(self.now.access, query, page, f"the repositories of {author}"):
            changed = entry.modified.timestamp() if entry.modified else until
            if changed < until:
                return
            newest[author] = max(newest[author], min(changed, self.now.at))
            yield entry

    def _asked(self, repo: str) -> Iterator[Change]:
        """What is new of a repository that is asked for by its name."""
        noted = self.now.noted
        try:
            entry = repository(self.now.access, repo)
        except GoneError as error:
            self.now.cursor.again.pop(repo, None)
            versions = noted.versions(noted.current(repo))
            yield from noted.gone(versions, str(error))
            if repo in self.now.cursor.troubled or not versions:
                yield Trouble(repo, str(error) if repo in self.now.watch.repos else "")
            return
        self._served = True
        yield from self._led_away(repo, entry)
        if entry.id not in self._seen:
            self._seen.add(entry.id)
            yield from compared(self.now, entry, redirected=entry.id != repo)

    def _led_away(self, repo: str, entry: Entry) -> Iterator[Change]:
        """A name that leads to another one: of the same repository, or not."""
        watch, versions = self.now.watch, self.now.noted.versions(repo)
        if entry.id == repo:
            return
        strangers = [one for one in versions if one.facts.get(NUMBER) != entry.number]
        if strangers:
            reason = f"{repo} leads to another repository now, {entry.id}"
            yield from self.now.noted.gone(strangers, reason)
            yield Trouble(repo, f"{reason}; name the one that is meant in `repos`")
        elif repo not in watch.repos and not watch.covers(entry.id):
            reason = f"{repo} is {entry.id} now, which nothing watches; name it in `repos`"
            yield Trouble(entry.id, reason)
        if repo in self.now.cursor.troubled and not strangers:
            yield Trouble(repo, "")

    def _stepping(self, repo: str, changes: Iterator[Change]) -> Iterator[Change]:
        """The changes of one repository, and now and then how far the look has come."""
        for change in self._apart(repo, changes):
            self._told += 1
            self.now.cursor.tell(change)
            yield change
        self._seen.add(repo)
        if self._told >= STEP:
            self._told = 0
            yield self._reached()

    def _apart(self, repo: str, changes: Iterator[Change]) -> Iterator[Change]:
        """The changes of one repository; what is wrong with it does not hide the others."""
        told = False
        try:
            for change in changes:
                told = True
                yield change
        except Restless as error:
            log.info("%s", error, extra={"event": "hub.restless", "model": repo})
            self.now.cursor.again.setdefault(repo, self.now.at)
        except SourceError as error:
            if isinstance(error, UnreachableError):
                self._must_be_its_own(error)
            self.now.cursor.again.setdefault(repo, self.now.at)
            yield Trouble(repo, str(error))
        else:
            self.now.cursor.again.pop(repo, None)
            if told:
                self._served = True
                self._failed.clear()

    def _must_be_its_own(self, error: UnreachableError) -> None:
        """The Hub may fail at one repository and serve the others; after some it is down."""
        status = error.status if isinstance(error, Unanswered) else 0
        self._failed.append(str(error))
        if status < 500 or len(self._failed) == MOST_FAILURES:
            raise error

    def _reached(self) -> Reached:
        remark = self.now.access.quota.remark
        return Reached(self.now.cursor.text, {"rate limit": remark} if remark else {})
