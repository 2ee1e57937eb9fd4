"""The way of a version through the house: noted, claimed, examined, saved, delivered.

Every step is a committed row or a renamed file, so a process that dies at any moment is
continued by the next one: what is claimed by nobody alive is claimed again, finished layers
are remembered, deliveries are rows of their own.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from auditor.baselines import as_baseline, may_be_one
from auditor.document import Document, document
from auditor.errors import (
    AuditorError,
    GoneError,
    LedgerError,
    RefusedError,
    SinkError,
    SourceError,
)
from auditor.examining import Chosen, Examiner, can_stand, repeated
from auditor.ledger import Claim, Ledger
from auditor.records import ModelVersion, Reading
from auditor.sinks import Sink
from auditor.sources import Source

log = logging.getLogger(__name__)

LEASE = timedelta(hours=2)  # renewed with finished layers; one layer takes less
PAUSE = timedelta(minutes=1)  # doubled after every attempt
MAX_ATTEMPTS = 3
MAX_LOST = 5  # processes a version may take with it before it is given up
TREND = 12  # earlier versions a report shows


@dataclass(frozen=True, slots=True)
class App:
    """Everything a run needs, already built."""

    sources: Mapping[str, Source]
    sinks: Mapping[str, Sink]
    selectors: Sequence[str]  # baselines in order of preference: alias:champion, previous
    examiner: Examiner
    ledger: Ledger
    clock: Callable[[], datetime]
    owner: str  # who claims: this process
    tidy: Callable[[], object]  # keep what was fetched within its quota


class _KnownError(Exception):
    """The weights were audited before: they need not be measured."""

    def __init__(self, audit: Document) -> None:
        super().__init__(audit["id"])
        self.audit = audit


@dataclass(slots=True)
class Outcome:
    """What one run came to."""

    audited: list[Document] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)  # source -> why
    attempts: list[tuple[ModelVersion, str]] = field(default_factory=list)  # tried again later
    quarantined: list[tuple[ModelVersion, str]] = field(default_factory=list)
    refused: list[tuple[ModelVersion, str]] = field(default_factory=list)
    undelivered: list[tuple[str, str]] = field(default_factory=list)  # sink, why

    @property
    def exit_code(self) -> int:
        """2 if a source was unreachable, 3 if a version was quarantined, else 0."""
        if self.unreachable:
            return 2
        return 3 if self.quarantined else 0


def once(app: App) -> Outcome:
    """Look at every source, audit what is waiting, deliver what is due."""
    outcome = Outcome()
    sweep(app, outcome)
    while claim := _claim(app):
        visit(claim, app, outcome)
        deliver(app, outcome)
        app.tidy()
    deliver(app, outcome)
    return outcome


def _claim(app: App) -> Claim | None:
    """The next version to examine; those of sources no longer configured wait."""
    sources = list(app.sources)
    return app.ledger.claim(app.clock(), lease=LEASE, owner=app.owner, sources=sources)


def sweep(app: App, outcome: Outcome) -> None:
    """Note what every source has; one that cannot be reached does not hide the others."""
    for name, source in app.sources.items():
        try:
            seen = list(source.changes(app.ledger.cursor(name)))
        except SourceError as error:
            app.ledger.unreachable(name, str(error), app.clock())
            outcome.unreachable[name] = str(error)
            log.warning("%s", error, extra={"event": "source.unreachable"})
            continue
        cursor = seen[-1].cursor if seen else None
        versions = [found.version for found in seen]
        new = app.ledger.note(name, versions, cursor, source.history, app.clock())
        log.info("%s: %d new versions", name, new, extra={"event": "source.swept"})


def visit(claim: Claim, app: App, outcome: Outcome) -> None:
    """Examine one version and save the outcome, whichever it is."""
    version = claim.version
    if claim.lost > MAX_LOST:
        reason = f"the process that examined it died {claim.lost} times, out of memory perhaps"
        _quarantine(version, reason, app, outcome)
        return
    try:
        audit = examine(version, app)
    except (GoneError, RefusedError) as error:
        _settle(version, error, app, outcome)
        return
    except LedgerError:  # this machine's fault, not the version's: the run ends
        with suppress(LedgerError):
            app.ledger.release(version)
        raise
    except AuditorError as error:
        _failed(claim, str(error), app, outcome)
        return
    except Exception as error:  # a bug ends this version's audit, not the run
        log.exception("%s: a bug", version.id, extra={"event": "audit.crashed"})
        reason = f"an error in auditor itself, {type(error).__name__}: {error}; please report it"
        _failed(claim, reason, app, outcome)
        return
    except BaseException:
        app.ledger.release(version)  # interrupted: nothing of it is the version's fault
        raise
    _save(version, audit, app, outcome)
    log.info("%s: %s", version.id, audit["verdict"], extra={"event": "audit.done"})


def examine(version: ModelVersion, app: App) -> Document:
    """Read, measure, compare and judge a version, or repeat the audit of the same weights."""
    files = app.sources[version.id.source].files(version)
    examiner, trend = beating(version, app), app.ledger.trend(version, TREND)

    def must_be_new(reading: Reading) -> None:
        earlier = app.ledger.same_weights(version, reading.digest)
        if earlier and can_stand(earlier, version, examiner):
            raise _KnownError(earlier)

    try:
        audit = examiner.examine(version, files, choose(version, app), trend, must_be_new)
    except _KnownError as known:
        return repeated(known.audit, version, trend, app.clock())
    return document(audit)


def beating(version: ModelVersion, app: App) -> Examiner:
    """The examiner, renewing the lease on the version with the layers it finishes."""
    examiner, renewed = app.examiner, app.clock()

    def beat(done: int, total: int, name: str) -> None:
        nonlocal renewed
        if app.clock() - renewed > LEASE / 4:
            renewed = app.clock()
            app.ledger.renew(version, renewed, LEASE)
        examiner.progress(done, total, name)

    return replace(examiner, progress=beat)


def choose(version: ModelVersion, app: App) -> Chosen | None:
    """The first configured baseline that exists, is earlier and may be one; else None."""
    source = app.sources[version.id.source]
    for selector in app.selectors:
        if selector == "previous":
            found = app.ledger.previous(version)
        else:
            found = source.resolve(selector, version)
        if found and found.created_at < version.created_at:
            chosen = as_baseline(found, partial(source.files, found), app.ledger)
            if may_be_one(chosen, app.ledger):
                return chosen
    return None


def deliver(app: App, outcome: Outcome) -> None:
    """Give every due audit to its sink; one that fails is tried again later, alone."""
    for delivery in app.ledger.due(app.clock()):
        audit, sink = app.ledger.audit(delivery.audit_id), app.sinks.get(delivery.sink)
        if audit is None or sink is None:
            continue
        if (reason := _write(sink, audit)) is None:
            app.ledger.delivered(delivery.id, app.clock())
        else:
            app.ledger.undelivered(delivery.id, reason, app.clock(), PAUSE)
            outcome.undelivered.append((delivery.sink, reason))


def _write(sink: Sink, audit: Document) -> str | None:
    """None once the sink has the audit, else why it has not."""
    try:
        sink.write(audit)
    except SinkError as error:
        log.warning("%s", error, extra={"event": "delivery.failed"})
        return str(error)
    except Exception as error:  # a bug keeps this audit from this sink, and nothing else
        log.exception("sink %s: a bug", sink.name, extra={"event": "delivery.crashed"})
        return f"an error in auditor itself, {type(error).__name__}: {error}; please report it"
    return None


def _settle(version: ModelVersion, error: SourceError, app: App, outcome: Outcome) -> None:
    """A version that is gone or refused is not tried again."""
    if isinstance(error, GoneError):
        app.ledger.gone(version, str(error))
        log.info("%s: %s", version.id, error, extra={"event": "version.gone"})
        return
    app.ledger.refused(version, str(error))
    outcome.refused.append((version, str(error)))
    log.warning("%s: %s", version.id, error, extra={"event": "version.refused"})


def _failed(claim: Claim, reason: str, app: App, outcome: Outcome) -> None:
    """One attempt failed: tried again later, or given up after the last."""
    version = claim.version
    log.warning("%s: %s", version.id, reason, extra={"event": "audit.failed"})
    if claim.attempts + 1 >= MAX_ATTEMPTS:
        _quarantine(version, reason, app, outcome)
        return
    app.ledger.failed(version, reason, app.clock(), max_attempts=MAX_ATTEMPTS, pause=PAUSE)
    outcome.attempts.append((version, reason))


def _quarantine(version: ModelVersion, reason: str, app: App, outcome: Outcome) -> None:
    """Not tried again by itself; its INCOMPLETE audit says why."""
    log.warning("%s: %s", version.id, reason, extra={"event": "version.quarantined"})
    audit = document(app.examiner.unexamined(version, reason))
    _save(version, audit, app, outcome, quarantine=reason)
    outcome.quarantined.append((version, reason))


def _save(
    version: ModelVersion,
    audit: Document,
    app: App,
    outcome: Outcome,
    quarantine: str | None = None,
) -> None:
    sinks = list(app.sinks)
    app.ledger.save(version, audit, sinks=sinks, at=app.clock(), quarantine=quarantine)
    outcome.audited.append(audit)
