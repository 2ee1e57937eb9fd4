"""The commits of a repository, newest first, and when each was made."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, AwareDatetime, TypeAdapter

from auditor.errors import SourceError
from auditor.hub_client.access import Access
from auditor.hub_client.answers import Answer, Sha1, parsed

PAGE = 50  # commits an answer has
STEP = timedelta(milliseconds=1)  # between commits that date themselves in the wrong order
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _countable(date: datetime) -> datetime:
    """A date with room before and after it: a step, or a time zone, beyond the calendar is none."""
    return min(max(date, EARLIEST), LATEST)


Date = Annotated[AwareDatetime, AfterValidator(_countable)]


class Commit(Answer):
    """One commit."""

    id: Sha1
    date: Date  # by its author's clock, which may say anything


COMMITS = TypeAdapter(list[Commit])


def pages(access: Access, repo: str, revision: str) -> Iterator[list[Commit]]:
    """A revision and the commits before it, newest first, a page at a time.

    Raises
    ------
    GoneError
        If there is no such repository or revision, or it is hidden.
    SourceError
        If the Hub does not answer, or in another form.
    """
    subject = f"the commits of {repo}@{revision}"
    path = f"/api/models/{repo}/commits/{quote(revision, safe='')}"
    for answer in access.pages(path, {"limit": str(PAGE)}, subject):
        yield parsed(COMMITS, answer, subject, access.endpoint)


def moments(
    commits: Sequence[Commit], noted: Mapping[str, datetime] | None = None
) -> dict[str, datetime]:
    """When each commit was made, in an order that is that of the history.

    A commit is dated by its author's clock, and an amended or rebased one may be older than
    the one it rests on. Such a one counts as made right after that.

    Parameters
    ----------
    commits
        Newest first.
    noted
        What was taken for the moment of a commit before.
    """
    found: dict[str, datetime] = {}
    last: datetime | None = None
    for commit in reversed(commits):
        moment = (noted or {}).get(commit.id, commit.date)
        if last is not None and moment <= last:
            moment = last + STEP
        found[commit.id] = last = moment
    return found


def committed(access: Access, repo: str, commit: str) -> datetime:
    """When a commit was made, later than the `PAGE` commits it rests on.

    The date that comes with the listing is that of the repository's last change.

    Raises
    ------
    SourceError
        As `pages`.
    """
    found = moments(next(pages(access, repo, commit)))
    if commit not in found:
        raise SourceError(f"{repo}@{commit}: {access.endpoint} does not say when it was made")
    return found[commit]
