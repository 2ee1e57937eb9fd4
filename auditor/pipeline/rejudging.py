"""What a change of the policy, or the end of a waiver, makes of verdicts that were given.

The newest audited version of each model is judged again, and every version of which a waiver
covers a finding; with ``retroactive: true`` all of them. No weights are read. A verdict is
never taken back: where it is another one now, an audit is added, delivered and announced.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType

from auditor.document import Document
from auditor.examining import Seen
from auditor.ledger import Judged, Ledger
from auditor.pipeline.parts import App, Outcome
from auditor.policy import Policy
from auditor.records import ModelVersion
from auditor.rejudging import Known, has_changed, rejudged
from auditor.wall.jobs import Memory

log = logging.getLogger(__name__)

NOTED = 100  # versions between two times that it is written down how far it came


@dataclass(frozen=True, slots=True)
class Hashes:
    """Hashes of a policy on a day; models that it treats alike are looked at once."""

    policy: Policy
    day: date
    _found: dict[tuple[object, ...], str] = field(default_factory=dict)

    def of(self, series: str) -> str:
        """For a model, given as ``source:name``."""
        key = tuple(self._part(part, series) for part in self.policy.parts)
        if key not in self._found:
            self._found[key] = self.policy.hash(series, self.day)
        return self._found[key]

    def _part(self, part: Policy, series: str) -> tuple[object, ...]:
        rules = tuple(i for i, rule in enumerate(part.rules) if rule.is_for(series))
        return rules, part.in_force(series, self.day)


def rejudge(app: App, outcome: Outcome | None = None) -> int:
    """Judge again what a change of the policy touches; how many audits were added.

    Cheap where nothing has changed. A process that ends in the middle is continued by the
    next: what is done is noted.

    Raises
    ------
    LedgerError
        If the ledger cannot be used now.
    """
    day, added = app.clock().date(), 0
    unchanged: dict[str, list[int]] = defaultdict(list)
    for one, under in due(app.ledger, app.examiner.policy, day):
        if app.stop.is_set():
            break
        made = _rejudge(one, app)
        if made is None:
            unchanged[under].append(one.number)
        elif _save(one, made, app):
            added += 1
            if outcome is not None:
                outcome.audited.append(made)
        if sum(map(len, unchanged.values())) >= NOTED:
            _note(app.ledger, unchanged)
    _note(app.ledger, unchanged)
    return added


def due(ledger: Ledger, policy: Policy, day: date) -> Iterator[tuple[Judged, str]]:
    """What was last judged under another policy than it is today, with today's hash."""
    hashes = Hashes(policy, day)
    for one in ledger.judged():
        if one.is_newest or one.is_waived or policy.retroactive:
            under = hashes.of(one.series)
            if under != one.under:
                yield one, under


def known_of(ledger: Ledger, version: ModelVersion, audit: Document, day: date) -> Known:
    """What a ledger knows of a version that is judged again, and of its baseline."""
    baseline, accepted = ledger.baseline_of(audit, day)
    same = ledger.is_accepted(version, audit["weights"]["digest"], day)
    return Known(baseline, accepted, accepted=same)


def seen_before(ledger: Ledger, version: ModelVersion, day: date, digest: str) -> Seen | None:
    """The newest audit of weights with a digest, of an earlier version or of this one."""
    earlier = ledger.same_weights(version, digest) if digest else None
    own = ledger.latest(version) if digest and earlier is None else None
    if own is not None and own["weights"]["digest"] == digest:
        earlier = own
    return Seen(earlier, ledger.is_accepted(version, digest, day)) if earlier else None


def _rejudge(one: Judged, app: App) -> Document | None:
    """The audit to add; None where there is no news, or nothing to judge."""
    found, at = app.ledger.audited_version(one.number), app.clock()
    if found is None:
        return None
    now = judged_now(found, app.ledger, app.examiner.policy, app.examiner.memory, at)
    if now is None or not has_changed(found[1], now):
        return None
    return now


def _save(one: Judged, now: Document, app: App) -> bool:
    """Keep an audit; False where another came in between, which the next run looks at."""
    sinks, at = list(app.sinks), app.clock()
    if not app.ledger.save_again(one.number, now, sinks=sinks, at=at):
        return False
    number, was = now["model"]["version"], now["rejudged"]["verdict"]
    told = (f"{one.series}@{number}", now["verdict"], was, now["reason"])
    log.info("%s: %s, it was %s: %s", *told, extra=_about(now, "audit.rejudged"))
    return True


def judged_now(
    found: tuple[ModelVersion, Document],
    ledger: Ledger,
    policy: Policy,
    memory: Memory,
    at: datetime,
    made: Mapping[str, Document] = MappingProxyType({}),
) -> Document | None:
    """An audit as it is concluded now; None where its document cannot be read.

    What was `made` of others, by the id that they had, is what a ledger does not have yet.
    """
    version, audit = found
    known = known_of(ledger, version, audit, at.date())
    if known.baseline is not None:
        known = replace(known, baseline=made.get(known.baseline["id"], known.baseline))
    try:
        return rejudged(audit, policy, known, at=at, recall=memory.recall)
    except Exception:  # one document that was changed by hand, or a bug, ends no run
        log.exception("%s: cannot be judged again", version.id, extra={"event": "audit.unjudged"})
        return None


def _about(now: Document, event: str) -> dict[str, object]:
    model = now["model"]
    return {
        "event": event,
        "audit": now["id"],
        "source": model["source"],
        "model": model["name"],
        "version": model["version"],
        "verdict": now["verdict"],
        "was": now["rejudged"]["verdict"],
    }


def _note(ledger: Ledger, unchanged: dict[str, list[int]]) -> None:
    for under, numbers in unchanged.items():
        ledger.judged_as(numbers, under)
    unchanged.clear()
