"""When sources were looked at, when they are next, and which of them should have been."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.config.crontab import following
from auditor.ledger import SourceState
from auditor.records import Rhythm

MISSED = 2  # intervals without a look that came through; one may be lost to a restart
SLACK = timedelta(minutes=5)  # a look of a large registry takes a while
CRON_SLACK = timedelta(hours=1)  # a nightly look of thousands of repositories takes longer


@dataclass(frozen=True, slots=True)
class Watched:
    """A source, as it is now."""

    name: str
    rhythm: str  # in words; empty where config.yaml has no such source any more
    last_success: datetime | None  # the newest look that came through
    last_error: str | None  # why the newest look did not; None where it did
    failed_at: datetime | None  # when a look failed last
    paused: bool
    asked_at: datetime | None  # since when a person waits for a look
    next_look: datetime | None  # None: paused, or not configured
    overdue_since: datetime | None  # None: it is not
    troubles: Mapping[str, str]  # model -> why it cannot be looked at
    remarks: Mapping[str, str]  # what else the source said, such as its rate limit
    versions: Mapping[str, int]  # by state


def watched(
    states: Iterable[SourceState],
    rhythms: Mapping[str, Rhythm],
    at: datetime,
    *,
    begun: datetime | None = None,
    versions: Mapping[str, Mapping[str, int]] | None = None,
) -> list[Watched]:
    """Every source that is configured or was met, those with trouble first, then by name.

    Parameters
    ----------
    states
        What the ledger has of them.
    rhythms
        When each configured source is looked at, by its name.
    at
        Now.
    begun
        Since when the program that looks is running: a source that never answered is overdue
        from then on. None: it is not known, and such a source is not called overdue.
    versions
        How many versions of each source are in which state.
    """
    known = {state.name: state for state in states}
    found = [
        _watched(
            known.get(name) or SourceState(name, None, None, None, None),
            rhythms.get(name),
            at,
            begun,
            (versions or {}).get(name, {}),
        )
        for name in sorted({*known, *rhythms})
    ]
    return sorted(found, key=lambda one: (one.overdue_since is None, one.last_error is None))


def _watched(
    state: SourceState,
    rhythm: Rhythm | None,
    at: datetime,
    begun: datetime | None,
    versions: Mapping[str, int],
) -> Watched:
    return Watched(
        name=state.name,
        rhythm=words(rhythm) if rhythm else "",
        last_success=state.last_success,
        last_error=state.last_error,
        failed_at=state.failed_at,
        paused=state.paused,
        asked_at=state.asked_at,
        next_look=_next_look(state, rhythm, at) if rhythm else None,
        overdue_since=_overdue_since(state, rhythm, at, begun) if rhythm else None,
        troubles=state.troubles,
        remarks=state.remarks,
        versions=versions,
    )


def deadline(rhythm: Rhythm, last: datetime) -> datetime:
    """When a source that was looked at `last` is overdue.

    By interval: two intervals and five minutes later. By cron: an hour after the moment that
    follows `last`. The jitter is added to both.

    Examples
    --------
    >>> from datetime import UTC
    >>> monday = datetime(2026, 1, 5, 2, 0, 7, tzinfo=UTC)
    >>> deadline(Rhythm(every=60.0), monday).isoformat()
    '2026-01-05T02:07:07+00:00'
    >>> deadline(Rhythm(cron="0 2 * * *", timezone="UTC"), monday).isoformat()
    '2026-01-06T03:00:00+00:00'
    """
    jitter = timedelta(seconds=rhythm.jitter)
    if rhythm.cron is not None:
        return following(rhythm, last) + jitter + CRON_SLACK
    return last + MISSED * timedelta(seconds=rhythm.every or 0.0) + jitter + SLACK


def words(rhythm: Rhythm) -> str:
    """A rhythm as a person says it.

    Examples
    --------
    >>> words(Rhythm(every=60.0)), words(Rhythm(cron="0 2 * * *", timezone="Europe/Berlin"))
    ('every 60 s', 'cron 0 2 * * * Europe/Berlin')
    """
    if rhythm.cron is not None:
        return f"cron {rhythm.cron} {rhythm.timezone or ''}".rstrip()
    return f"every {rhythm.every:g} s"


def _next_look(state: SourceState, rhythm: Rhythm, at: datetime) -> datetime | None:
    """Now, where it is due already."""
    if state.asked_at is not None:
        return at
    if state.paused:
        return None
    looks = [moment for moment in (state.last_success, state.failed_at) if moment is not None]
    return max(at, following(rhythm, max(looks))) if looks else at


def _overdue_since(
    state: SourceState, rhythm: Rhythm, at: datetime, begun: datetime | None
) -> datetime | None:
    last = state.last_success or begun
    if state.paused or last is None:
        return None
    late = deadline(rhythm, last)
    return late if late < at else None
