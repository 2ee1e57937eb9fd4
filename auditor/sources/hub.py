"""Commits of model repositories on the Hugging Face Hub, by name, by author, by search."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from auditor import hub_client
from auditor.config.service import Duration, Pause, Size
from auditor.errors import ConfigError
from auditor.hub_client.access import PAUSES, SILENCE
from auditor.hub_client.answers import NAME
from auditor.hub_client.commits import Way
from auditor.hub_client.cursor import Cursor, read
from auditor.hub_client.hub import parse
from auditor.hub_client.looking import Look
from auditor.hub_client.noted import Noted
from auditor.hub_client.repository import Round, before
from auditor.hub_client.watch import Search, Watch
from auditor.records import (
    NOTHING,
    Change,
    Known,
    ModelVersion,
    Priority,
    Rhythm,
    SourceFile,
)

AUTHOR = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"


@dataclass(frozen=True, slots=True)
class Hub:
    """Commits of model repositories on the Hugging Face Hub.

    A version is a commit, named by its 40 hexadecimal digits; a branch is looked up once, and
    nothing is ever fetched by its name. All watched branches and tags of a repository are one
    line of versions.
    """

    repos: tuple[str, ...] = ()  # org/name
    authors: tuple[str, ...] = ()  # users and organisations, with all they have
    searches: tuple[Search, ...] = ()
    revisions: tuple[str, ...] = ("main",)  # patterns of branches and tags
    exclude: tuple[str, ...] = ()  # patterns of repositories that authors and searches find
    history: int | None = 1  # versions of a repository new to us; None: all
    max_size: Size = 20 * 10**9  # bytes of the weights of a version
    settle: Pause = 120.0  # seconds nobody must have pushed to it
    reconcile: Duration = 86_400.0  # seconds between two comparisons of everything
    endpoint: str | None = None  # None: HF_ENDPOINT, else the public Hub
    token: str | None = field(default=None, repr=False)  # None: HF_TOKEN or who is logged in
    webhook_secret: str | None = field(default=None, repr=False)  # what its webhooks send
    timeout: Duration = SILENCE  # seconds without a byte until the Hub counts as gone
    cache: Path = Path(".auditor/files")
    name: str = "hub"

    usual: ClassVar[Rhythm] = Rhythm(every=3600)
    priority: ClassVar[Priority] = Priority.NIGHTLY

    def __post_init__(self) -> None:
        """Refuse settings that watch nothing, or what cannot be there.

        Raises
        ------
        ConfigError
            If nothing is to be watched, or a name is none.
        """
        if not (self.repos or self.authors or self.searches):
            raise ConfigError("watches nothing: name repos, authors or searches")
        for repo in self.repos:
            if not re.fullmatch(NAME, repo):
                raise ConfigError(f"repos: found {repo[:200]!r}: expected org/name")
        for author in self.authors:
            if not re.fullmatch(AUTHOR, author):
                raise ConfigError(f"authors: found {author[:200]!r}: expected a user or an org")
        if self.endpoint is not None and not self.endpoint.startswith(("https://", "http://")):
            raise ConfigError("endpoint: expected an address such as https://huggingface.co")

    def changes(self, cursor: str | None, known: Known = NOTHING) -> Iterator[Change]:
        """The newest commits that are not known yet, and what became of those that are.

        What an author has is listed by the time of its last change, down to where the last
        look began: one request where nothing changed. Repositories that are named are asked
        for one by one, a request each; a search is listed anew each time, a request per
        thousand. Commits are compared, not dates. Every `reconcile` all that an author has is
        compared, which finds what is gone, renamed, or rewound to an older date.

        A repository new to us costs two requests, one more for each commit that `history`
        has to look at, up to a hundred.

        Raises
        ------
        SourceError
            If the Hub does not answer, does not accept the token, or allows no more requests.
        """
        marked = read(cursor, (self.endpoint, self._watch))
        yield from Look(self._round(marked, known)).everything()

    def look(self, model: str, known: Known = NOTHING) -> Iterator[Change]:
        """What changed of one repository.

        Raises
        ------
        UnreachableError
            If somebody is pushing to it: asked again in a while, it will have come to rest.
        SourceError
            As `changes`.
        """
        marked = Cursor(settings="", reconciled=time.time())
        yield from Look(self._round(marked, known)).one(model)

    def resolve(self, ref: str, of: ModelVersion | None) -> ModelVersion | None:
        """Find a version.

        Understood is ``hf://org/name@revision``, and given `of`: ``previous`` (the commit that
        brought the weights before), ``base_model`` (which the card names), ``latest``, and
        the name of a branch, a tag or a commit.
        """
        if ref != "previous":
            return self._hub.resolve(ref, of)
        return self._previous(of) if of is not None else None

    def files(self, version: ModelVersion) -> Sequence[SourceFile]:
        """Every file of a commit, with the size and digest that the Hub states."""
        return self._hub.files(version)

    def _previous(self, of: ModelVersion) -> ModelVersion | None:
        here = parse(of.location)
        now = self._round(Cursor(settings=""), NOTHING)
        way = Way.back(now.access, here.repo, here.revision, ())
        found = before(now, way)
        return self._hub.find(f"hf://{here.repo}@{found}") if found is not None else None

    def _round(self, cursor: Cursor, known: Known) -> Round:
        access = self._hub.access()
        return Round(self._hub, access, self._watch, cursor, Noted(known), time.time())

    @property
    def _hub(self) -> hub_client.Hub:
        return hub_client.Hub(
            endpoint=self.endpoint,
            token=self.token,
            name=self.name,
            cache=self.cache,
            pauses=PAUSES,
            silence=self.timeout,
        )

    @property
    def _watch(self) -> Watch:
        return Watch(
            repos=self.repos,
            authors=self.authors,
            searches=self.searches,
            revisions=self.revisions,
            exclude=self.exclude,
            history=self.history,
            max_size=self.max_size,
            settle=self.settle,
            reconcile=self.reconcile,
        )
