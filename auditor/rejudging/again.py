"""An audit concluded anew from what it measured: another policy, other waivers or checks."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from typing import Any

from auditor import METRIC_SET, checks, stored
from auditor.checks.base import Case, is_change
from auditor.document import Document, document
from auditor.policy import Before, Judgement, Policy, judge
from auditor.records import Comparison, Finding, Origin, Verdict, VersionId
from auditor.rejudging.missing import Recall, Spectra, completed

JUDGED_AGAIN = re.compile(r"^judged again, as .*?: ")
WAIVER = re.compile(r"until (\d{4}-\d\d-\d\d) by ")  # as findings tell of one
Judging = Callable[..., Judgement]  # `judge` with all but `known`
GREEN = (Verdict.PASS, Verdict.REVIEW)


@dataclass(frozen=True, slots=True)
class Known:
    """What a ledger knows of a version that is judged again, and of its baseline."""

    baseline: Document | None = None  # the newest audit of its baseline
    baseline_accepted: bool = False  # by a person, whose word holds
    accepted: bool = False  # an earlier version with these very weights was


def rejudged(
    earlier: Document, policy: Policy, known: Known, *, at: datetime, recall: Recall
) -> Document:
    """The audit that the same measurements amount to now; no weights are read.

    Columns that the policy asks for and the audit lacks are computed from kept spectra, where
    they are still there. What only newer checks see does not gate, for the weights have not
    changed; and what was not read stays not read: INCOMPLETE never turns green.

    Parameters
    ----------
    earlier
        The audit, with all keys that documents have today.
    policy
        To judge by.
    known
        What was concluded about its baseline, and said by people.
    at
        Now; a waiver holds until the end of its last day.
    recall
        What was kept under a measurement key.

    Returns
    -------
    Document
        With a name of its own, `rejudged` says what it follows; `earlier` itself where it
        says that nothing could be read.
    """
    audit, day = stored.audit(earlier), at.date()
    series, analyzer = audit.version.id.series, earlier["analyzer"]
    if not audit.reading.files:
        return earlier
    spectra = Spectra(recall, audit.settings, analyzer["metric_set"])
    layers = completed(audit.layers, policy, series, spectra)
    case = replace(stored.case(earlier), layers=layers)
    before = _before(case, policy, known, audit.findings)
    newer = analyzer["checks"] != checks.VERSION
    judging = partial(judge, case, policy, before, model=series, as_of=day)
    judged = since(earlier, case.comparison, judging, newer=newer)
    if earlier["verdict"] == Verdict.INCOMPLETE and judged.verdict in GREEN:
        return earlier
    policy_hash = policy.hash(series, day)
    now = replace(
        audit,
        layers=layers,
        findings=judged.findings,
        gate=judged.gate,
        verdict=judged.verdict,
        policy=policy.name,
        policy_hash=policy_hash,
        started_at=at,
        seconds=0.0,
    )
    why = _why(earlier, judged, policy, day)
    return {
        **document(now),
        "id": _name(earlier["id"], policy_hash, at.isoformat()),
        "reason": f"judged again, as {why}: {judged.reason}",
        "analyzer": {**analyzer, "checks": checks.VERSION},
        "rejudged": {"id": earlier["id"], "verdict": earlier["verdict"], "why": why},
    }


def has_changed(earlier: Document, now: Document) -> bool:
    """Whether people have to be told: the verdict, a finding, or what fails is another one.

    A finding is another one where its level, origin or waiver is. What the version has not,
    and rows of the gate that passed and pass, are not looked at: a release with a further
    check changes no verdict.
    """
    return _conclusions(earlier) != _conclusions(now)


def differences(earlier: Document, now: Document) -> tuple[list[str], list[str]]:
    """What fails now and did not at that level, and what failed and does not, in words."""
    then, today = _failing(earlier), _failing(now)
    fails = [f"{name} ({level})" for name, level in today.items() if then.get(name) != level]
    return fails, [name for name in then if name not in today]


def own_words(reason: str) -> str:
    """A reason without how it came to be told again."""
    return JUDGED_AGAIN.sub("", reason)


def _conclusions(found: Document) -> tuple[Any, ...]:
    keys = ("check", "layer", "level", "origin", "waiver")
    here = (one for one in found["findings"] if one["origin"] != Origin.FIXED)
    findings = sorted(repr([one[key] for key in keys]) for one in here)
    failing = sorted((row["condition"], row["level"]) for row in found["gate"] if not row["passed"])
    return found["verdict"], findings, failing


def _failing(found: Document) -> dict[str, str]:
    """Check, limit or condition of the rows that failed, and their level."""
    failed = (row for row in found["gate"] if not row["passed"])
    return {row["check"] or row["condition"]: row["level"] for row in failed}


def _before(case: Case, policy: Policy, known: Known, own: Sequence[Finding]) -> Before | None:
    """What was concluded about the baseline, or about the same weights where those count."""
    if known.accepted:
        return accepted_before(case, own)
    if case.comparison is None:
        return None
    anew = checks.examine(Case([one.before for one in case.comparison.layers]), policy.checks)
    return concluded(known.baseline, anew, accepted=known.baseline_accepted)


def concluded(baseline: Document | None, anew: Sequence[Finding], *, accepted: bool) -> Before:
    """What was concluded about a baseline that has an audit, or has none.

    What today's checks see in it and its audit does not say is news of the analyzer where that
    is newer; else its policy let it off, and it is as if its audit said so.
    """
    if baseline is None:
        return Before(anew, anew, accepted)
    found, analyzer = stored.findings(baseline), baseline["analyzer"]
    if (analyzer["metric_set"], analyzer["checks"]) != (METRIC_SET, checks.VERSION):
        return Before(found, anew, accepted)
    said = {one.key for one in found if one.origin != Origin.FIXED}
    return Before((*found, *(one for one in anew if one.key not in said)), (), accepted)


def accepted_before(case: Case, own: Iterable[Finding]) -> Before:
    """What a person accepted of the same weights, by the names its baseline has."""
    pairs = case.comparison.renamed if case.comparison else ()
    names = {after: before for before, after in pairs}
    named = (replace(one, layer=names.get(one.layer or "", one.layer)) for one in own)
    return Before([one for one in named if one.origin != Origin.FIXED], accepted=True)


def since(
    earlier: Document, compared: Comparison | None, judging: Judging, *, newer: bool
) -> Judgement:
    """Judge weights that have an earlier audit.

    Where the analyzer is `newer` than that, what only today's sees in them does not gate; and
    what did not gate for that reason still does not. What only another policy sees gates, and
    so does what only the comparison with another baseline shows.
    """
    late = {one.key for one in stored.findings(earlier) if one.origin == Origin.ANALYZER}
    found = judging()
    if not newer and not late:
        return found
    if newer:
        known = _known_before(earlier)
    else:
        known = [one for one in found.findings if one.key not in late]
    if _with(compared) != _with(stored.comparison(earlier)):
        known += [one for one in found.findings if one.check in checks.EVENTS or is_change(one)]
    return judging(known=known)


def _with(found: Comparison | None) -> VersionId | None:
    """What was compared with."""
    return found.baseline.id if found else None


def _known_before(earlier: Document) -> list[Finding]:
    """What an older analyzer found in the same weights, and let count."""
    settled = {Origin.FIXED, Origin.ANALYZER}
    return [one for one in stored.findings(earlier) if one.origin not in settled]


def _why(earlier: Document, judged: Judgement, policy: Policy, day: date) -> str:
    """Why it was judged again, to be read after "as"."""
    counted = {one.key for one in judged.findings if one.origin != Origin.WAIVED}
    found = stored.findings(earlier)
    if any(one.key in counted and _has_ended(one.waiver, day) for one in found):
        return "a waiver has ended"
    if earlier["analyzer"]["checks"] != checks.VERSION:
        return "the checks are newer"
    if earlier["policy"]["name"] != policy.name:
        return "another policy holds"
    return "the policy has changed"


def _has_ended(waiver: str, day: date) -> bool:
    """Whether a waiver, as a finding tells of it, has had its last day."""
    said = WAIVER.match(waiver)
    return said is not None and said[1] < day.isoformat()


def _name(*parts: str) -> str:
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
