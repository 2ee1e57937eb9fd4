"""One version, from the claim to the audit that is saved, whichever way it ends."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

from structlog.contextvars import bound_contextvars

from auditor.baselines import Choice, choose
from auditor.document import Document, document
from auditor.errors import (
    AuditorError,
    GoneError,
    LedgerError,
    RefusedError,
    SourceError,
    StoppedError,
    UnreachableError,
)
from auditor.examining import can_stand, is_measured, repeated
from auditor.ledger import Claim
from auditor.pipeline.heartbeat import LEASE, beating
from auditor.pipeline.parts import App, Outcome
from auditor.pipeline.rejudging import known_of, seen_before
from auditor.records import ModelVersion, Reading, SourceFile
from auditor.rejudging import rejudged
from auditor.weights.choosing import stated_digest

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=1)  # doubled after every attempt
MAX_ATTEMPTS = 3
PATIENCE = timedelta(days=3)  # with a place that does not answer: a long weekend
MAX_LOST = 5  # processes a version may take with it before it is given up
TREND = 12  # earlier versions a report shows


class _KnownError(Exception):
    """The weights were audited before: they need not be measured."""

    def __init__(self, audit: Document) -> None:
        super().__init__(audit["id"])
        self.audit = audit


def claim(app: App) -> Claim | None:
    """The next version to examine; those of sources no longer configured wait."""
    sources = list(app.sources)
    return app.ledger.claim(app.clock(), lease=LEASE, owner=app.owner, sources=sources)


def visit(claim: Claim, app: App, outcome: Outcome) -> None:
    """Examine one version and save the outcome, whichever it is.

    Every line that is logged meanwhile says which version it is about.
    """
    about = claim.version.id
    with bound_contextvars(
        source=about.source, model=about.model, version=about.version, attempt=claim.attempts + 1
    ):
        _visit(claim, app, outcome)


def _visit(claim: Claim, app: App, outcome: Outcome) -> None:
    version = claim.version
    if claim.lost > MAX_LOST:
        reason = f"the process that examined it died {claim.lost} times, out of memory perhaps"
        _quarantine(version, reason, app, outcome)
        return
    try:
        with beating(version, app):
            audit = examine(version, app)
        if _save(version, audit, app, outcome):
            log.info("%s: %s", version.id, audit["verdict"], extra=_about(audit, "audit.done"))
    except AuditorError as error:
        _troubled(claim, error, app, outcome)
    except Exception as error:  # a bug ends this version's audit, not the run
        log.exception("%s: a bug", version.id, extra={"event": "audit.crashed"})
        reason = f"an error in auditor itself, {type(error).__name__}: {error}; please report it"
        _failed(claim, reason, app, outcome)
    except BaseException:
        app.ledger.release(version, app.owner)  # interrupted: nothing is the version's fault
        raise


def examine(version: ModelVersion, app: App) -> Document:
    """Read, measure, compare and judge a version, or repeat the audit of the same weights.

    Where its source states what its weights are, the same ones are not even opened again.
    Where another policy or newer checks judge than then, they judge what was measured then.
    """
    files = app.sources[version.id.source].files(version)
    examiner, trend, day = app.examiner, app.ledger.trend(version, TREND), app.clock().date()

    def standing(digest: str) -> Document | None:
        earlier = app.ledger.same_weights(version, digest)
        return earlier if earlier and is_measured(earlier, examiner) else None

    def must_be_new(reading: Reading) -> None:
        if (earlier := standing(reading.digest)) is not None:
            raise _KnownError(earlier)

    try:
        stated = stated_digest(files)
        earlier = standing(stated)
        if earlier is None:
            chosen = choose(version, _choice(version, app), stated)
            seen = partial(seen_before, app.ledger, version, day)
            found = examiner.examine(version, files, chosen, trend, must_be_new, seen)
            return document(found)
    except _KnownError as known:
        earlier = known.audit
    return repeated(_today(earlier, version, app), version, trend, app.clock())


def _today(earlier: Document, version: ModelVersion, app: App) -> Document:
    """An earlier audit of the same weights, as they are judged today."""
    examiner, at = app.examiner, app.clock()
    known = known_of(app.ledger, version, earlier, at.date())
    if can_stand(earlier, version, examiner) and not known.accepted:
        return earlier
    return rejudged(earlier, examiner.policy, known, at=at, recall=examiner.memory.recall)


def _choice(version: ModelVersion, app: App) -> Choice:
    """Where the baselines of a version are looked for."""
    return Choice(
        selectors=app.selectors,
        source=app.sources[version.id.source],
        ledger=app.ledger,
        as_of=app.clock().date(),
        files=partial(_files, app),
    )


def _files(app: App, version: ModelVersion) -> Sequence[SourceFile]:
    """The files of any version of a configured source."""
    source = app.sources.get(version.id.source)
    if source is None:
        raise SourceError(f"{version.uri}: its source {version.id.source} is not configured now")
    return source.files(version)


def _troubled(claim: Claim, error: AuditorError, app: App, outcome: Outcome) -> None:
    """What a failure means for the version."""
    if isinstance(error, StoppedError):
        app.ledger.release(claim.version, app.owner)
    elif isinstance(error, GoneError | RefusedError):
        _settle(claim.version, error, app, outcome)
    elif isinstance(error, UnreachableError):
        _postponed(claim, str(error), app, outcome)
    elif isinstance(error, LedgerError):  # this machine's fault, not the version's
        with suppress(LedgerError):
            app.ledger.release(claim.version, app.owner)
        raise error
    else:
        _failed(claim, str(error), app, outcome)


def _settle(version: ModelVersion, error: SourceError, app: App, outcome: Outcome) -> None:
    """A version that is gone or refused is not tried again."""
    if isinstance(error, GoneError):
        app.ledger.gone(version, str(error), app.owner)
        log.info("%s: %s", version.id, error, extra={"event": "version.gone"})
        return
    app.ledger.refused(version, str(error), app.owner)
    outcome.refused.append((version, str(error)))
    log.warning("%s: %s", version.id, error, extra={"event": "version.refused"})


def _postponed(claim: Claim, reason: str, app: App, outcome: Outcome) -> None:
    """Its place is away: waited for, but not for ever, since later versions wait with it."""
    version, waited = claim.version, claim.waited(app.clock())
    if waited > PATIENCE:
        _quarantine(version, f"{reason}; tried for {waited.days} days", app, outcome)
        return
    log.warning("%s: %s", version.id, reason, extra={"event": "audit.postponed"})
    app.ledger.postpone(version, app.owner, reason, app.clock())
    outcome.attempts.append((version, reason))


def _failed(claim: Claim, reason: str, app: App, outcome: Outcome) -> None:
    """One attempt failed: tried again later, or given up after the last."""
    version = claim.version
    log.warning("%s: %s", version.id, reason, extra={"event": "audit.failed"})
    if claim.attempts + 1 >= MAX_ATTEMPTS:
        _quarantine(version, reason, app, outcome)
        return
    app.ledger.failed(
        version, app.owner, reason, app.clock(), max_attempts=MAX_ATTEMPTS, pause=PAUSE
    )
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
) -> bool:
    """Keep an audit; False where the version was given to another process in the meantime."""
    sinks, at = list(app.sinks), app.clock()
    saved = app.ledger.save(
        version, audit, sinks=sinks, at=at, quarantine=quarantine, owner=app.owner
    )
    if saved:
        outcome.audited.append(audit)
    else:
        log.warning(
            "%s: examined by another process too, whose audit counts",
            version.id,
            extra={"event": "audit.lost"},
        )
    return saved


def _about(audit: Document, event: str) -> dict[str, object]:
    """What a log line says of an audit besides its text."""
    model = audit["model"]
    return {
        "event": event,
        "audit": audit["id"],
        "source": model["source"],
        "model": model["name"],
        "version": model["version"],
        "verdict": audit["verdict"],
        "seconds": audit["timing"]["seconds"],
    }
