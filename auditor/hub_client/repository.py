"""One repository, compared with what is known of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from auditor.errors import GoneError, RefusedError, UnreachableError
from auditor.hub_client.access import Access
from auditor.hub_client.catalogue import Entry, refs
from auditor.hub_client.commits import Way
from auditor.hub_client.cursor import Cursor
from auditor.hub_client.hub import NEWEST, Hub
from auditor.hub_client.listing import Snapshot, snapshot
from auditor.hub_client.noted import NUMBER, Noted
from auditor.hub_client.watch import Watch
from auditor.naming import is_chosen
from auditor.records import Change, Gone, ModelVersion, Renamed, Role, Seen, Trouble
from auditor.weights import role_of
from auditor.weights.choosing import wanted

MOST_OPENED = 100  # commits of a repository new to us whose files are asked for
LONGEST_PUSH = 3600.0  # seconds; whoever pushes for longer is not waited for


class Restless(UnreachableError):
    """Somebody is pushing to the repository; in a while it can be looked at."""


@dataclass(frozen=True, slots=True)
class Round:
    """A look that is under way."""

    hub: Hub
    access: Access
    watch: Watch
    cursor: Cursor
    noted: Noted
    at: float  # when it began; seconds since 1970

    @property
    def is_first(self) -> bool:
        """Whether everything is looked at for the first time with these settings."""
        return self.cursor.reconciled == 0


@dataclass(frozen=True, slots=True)
class _Head:
    """Where a branch or tag stands."""

    entry: Entry
    ref: str
    sha: str
    others: Sequence[str]  # where the other watched ones stand

    @property
    def key(self) -> str:
        return f"{self.entry.id}@{self.ref}"


def compared(now: Round, entry: Entry, *, redirected: bool = False) -> Iterator[Change]:
    """What is new of a repository, what of it is gone, and what it was called.

    Raises
    ------
    Restless
        If there is something new, and it may not be all yet.
    SourceError
        If the Hub does not answer, or in another form.
    """
    if entry.disabled or entry.sha is None:
        what = "was disabled by" if entry.disabled else "has no commit yet at"
        yield Trouble(entry.id, f"{entry.id} {what} {now.access.endpoint}")
        return
    facts: dict[str, str] = {}
    for change in _identified(now, entry, redirected=redirected):
        if isinstance(change, Gone) and change.version.id.model == entry.id:
            facts["replaced"] = "another repository had this name until now"
        yield change
    heads = _heads(now, entry)
    for ref, sha in heads.items():
        others = [other for other in heads.values() if other != sha]
        yield from _head(now, _Head(entry, ref, sha, others), facts)


def _identified(now: Round, entry: Entry, *, redirected: bool) -> Iterator[Gone | Renamed]:
    """The number tells a repository from another one that was given its name."""
    number = entry.number
    here = now.noted.versions(entry.id)
    strangers = [found for found in here if found.facts.get(NUMBER, number) != number]
    reason = f"the name {entry.id} was given to another repository"
    yield from now.noted.gone(strangers, reason)
    if number and (redirected or len(strangers) == len(here)):
        for before in sorted(now.noted.numbered(number) - {entry.id}):
            yield from now.noted.renamed(before, entry.id)


def _heads(now: Round, entry: Entry) -> Mapping[str, str]:
    """Where the watched branches and tags stand."""
    if now.watch.is_main_alone:
        return {NEWEST: entry.sha or ""}
    found = refs(now.access, entry.id)
    return {name: sha for name, sha in found.items() if is_chosen(name, now.watch.revisions)}


def _head(now: Round, head: _Head, facts: Mapping[str, str]) -> Iterator[Change]:
    """A branch or tag, compared with where it stood."""
    noted, alone, cursor = now.noted.versions(head.entry.id), now.watch.is_main_alone, now.cursor
    last = noted[-1].id.version if noted and alone else cursor.heads.get(head.key)
    to_dig = not noted or _may_dig(now, head, len(noted))
    ids = {version.id.version for version in noted}
    stood = {last, cursor.heads.get(head.key)}
    if cursor.unfit.get(head.key) == head.sha or (head.sha in stood & ids and not to_dig):
        return
    if _is_moving(now, head.entry):
        raise Restless(
            f"{head.entry.id} is being pushed to; it is looked at when nobody has for "
            f"{now.watch.settle:.0f} s"
        )
    way = Way.back(now.access, head.entry.id, head.sha, ids)
    lost = list(_lost(now, head, way, last))
    reason = f"the history of {head.ref} was rewritten, and this commit is not in it any more"
    yield from now.noted.gone(lost, reason)
    if lost and last:
        rewound = f"the history was rewritten: {last[:12]}, the last commit known, is not in it"
        facts = {**facts, "rewound": rewound}
    if to_dig or head.sha not in ids:
        yield from _new(now, head, way, facts, dig=to_dig)
    cursor.heads.pop(head.key, None)
    if not alone or now.is_first or head.sha in ids:
        cursor.heads[head.key] = head.sha


def _may_dig(now: Round, head: _Head, count: int) -> bool:
    """Whether `history` may ask for more than is known, and nobody has looked since it does."""
    fewer = now.watch.history is None or count < now.watch.history
    return now.is_first and fewer and now.cursor.heads.get(head.key) != head.sha


def before(now: Round, way: Way) -> str | None:
    """The commit that brought the weights before those of the commit a way begins with.

    Raises
    ------
    SourceError
        If the Hub does not answer, or in another form.
    """
    newest = snapshot(now.access, way.repo, way.commits[0].id)
    return next((found.commit for found in _older(now, way, newest) if _weights(found)), None)


def _is_moving(now: Round, entry: Entry) -> bool:
    """Whether somebody pushed a moment ago; a time in the future says nothing."""
    age = now.at - entry.modified.timestamp() if entry.modified else -1.0
    waited = now.at - now.cursor.again.get(entry.id, now.at)
    return 0 <= age < now.watch.settle and waited < LONGEST_PUSH


def _lost(now: Round, head: _Head, way: Way, last: str | None) -> Iterator[ModelVersion]:
    """The known versions that cannot be reached any more, if the history was rewritten."""
    noted = now.noted.versions(head.entry.id)
    reached = {commit.id for commit in way.commits}
    met = [version.id.version in reached for version in noted]
    if last is None or last in reached or not (any(met) or way.is_whole):
        return
    newer = noted[len(met) - met[::-1].index(True) :] if any(met) else noted
    for version in newer:
        if not _is_on(now, head, version.id.version):
            yield version


def _is_on(now: Round, head: _Head, sha: str) -> bool:
    """Whether a commit can be reached from another branch or tag that is watched."""
    ways = (Way.back(now.access, head.entry.id, other, {sha}) for other in head.others)
    return any(way.met({sha}) for way in ways)


def _new(
    now: Round, head: _Head, way: Way, facts: Mapping[str, str], *, dig: bool
) -> Iterator[Change]:
    """A commit not known yet, and before it those of its history that are asked for."""
    try:
        found = snapshot(now.access, head.entry.id, head.sha)
        problem = _problem(now, found)
    except RefusedError as error:
        problem = str(error)
    if problem:
        now.cursor.unfit[head.key] = head.sha
        yield Trouble(head.entry.id, problem)
        return
    now.cursor.unfit.pop(head.key, None)
    more = None if now.watch.history is None else max(0, now.watch.history - 1)
    fit = (one for one in _older(now, way, found) if not _problem(now, one))
    older = list(islice(fit, more)) if dig else []
    noted = {one.id.version: one.created_at for one in now.noted.versions(head.entry.id)}
    for one in reversed(older):
        yield Seen(now.hub.version_of(one, way.moment(one.commit, noted)))
    version = now.hub.version_of(found, way.moment(head.sha, noted))
    yield Seen(replace(version, facts={**version.facts, **facts}))


def _problem(now: Round, found: Snapshot) -> str:
    """Why a commit is no version that can be audited; empty where it is one."""
    used = wanted(now.hub.files_of(now.access, found)).used
    size, most = sum(file.size for file in used), now.watch.max_size
    if not used:
        return f"{found.repo}@{found.commit[:12]} holds no weight file"
    if size > most:
        return (
            f"{found.repo}@{found.commit[:12]} has {size / 1e9:.1f} GB of weights, more than "
            f"the {most / 1e9:.1f} GB that `max_size` of the source allows"
        )
    return ""


def _older(now: Round, way: Way, newest: Snapshot) -> Iterator[Snapshot]:
    """The commits before that brought other weights, newest first; copies are passed over."""
    run, is_newest = newest, True  # the oldest commit so far with the weights of those after it
    for sha in islice(way.before(), MOST_OPENED):
        try:
            found = snapshot(now.access, way.repo, sha)
        except (GoneError, RefusedError):  # purged since, or never fit to be read
            continue
        if _weights(found) != _weights(run):
            if not is_newest:
                yield run
            is_newest = False
        run = found
    if not is_newest:
        yield run


def _weights(found: Snapshot) -> frozenset[tuple[str, str]]:
    """What tells the weights of a commit from those of another."""
    return frozenset(
        (file.name, file.sha256 or file.blob or "")
        for file in found.files
        if role_of(file.name) is Role.WEIGHTS
    )
