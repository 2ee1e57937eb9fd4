"""One version, from its files to its audit: read, measured and compared, then judged."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256

from auditor import METRIC_SET, checks, stored
from auditor.architecture.building import build
from auditor.checks.base import Case
from auditor.document import Document, analyzer, model, points
from auditor.errors import SourceError, UsageError
from auditor.policy import ABOUT_AUDIT, Before, Policy, judge
from auditor.profiles.families import Family, fitting
from auditor.records import (
    Audit,
    ModelVersion,
    Origin,
    Profile,
    Reading,
    Settings,
    SourceFile,
    Trend,
    Verdict,
)
from auditor.rejudging import Spectra, accepted_before, concluded, own_words, plausible, since
from auditor.wall.jobs import (
    Against,
    Desk,
    Examined,
    Execute,
    Job,
    Memory,
    Progress,
    Terms,
    any_weights,
    at_leisure,
)

log = logging.getLogger(__name__)

SAME_WEIGHTS = re.compile(r"^same weights as version .*?: ")
Files = Callable[[], Sequence[SourceFile]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The version to compare with, as far as it is known before its files are opened."""

    version: ModelVersion
    files: Files  # may raise SourceError: then stored spectra have to do
    document: Document | None = None  # its newest audit
    accepted: bool = False  # by a person


@dataclass(frozen=True, slots=True)
class Seen:
    """An earlier audit of the same weights, which does not stand as it is."""

    document: Document
    accepted: bool = False  # an earlier version with these weights, by a person


def never(digest: str) -> Seen | None:
    """Know of no weights that they were audited before."""


@dataclass(frozen=True, slots=True)
class Examiner:
    """How versions are examined: the same for every version of a run."""

    terms: Terms
    policy: Policy
    clock: Callable[[], datetime]
    memory: Memory
    progress: Progress
    execute: Execute  # in a process of its own, or in this one
    ranged: Callable[[Sequence[SourceFile]], bool]  # whether to fetch only what is read of them
    families: Sequence[Family] = ()  # whose profiles stand in where there is no baseline

    def examine(
        self,
        version: ModelVersion,
        files: Sequence[SourceFile],
        chosen: Chosen | None,
        trend: Sequence[Trend] = (),
        opened: Callable[[Reading], None] = any_weights,
        seen: Callable[[str], Seen | None] = never,
    ) -> Audit:
        """Read, measure, compare, judge.

        The same weights, baseline and policy, with the same waivers in force on the day,
        give the same verdict. In weights that were `seen` before, by their digest, what only
        newer metrics and checks see does not gate, nor what a person accepted.

        Raises
        ------
        UsageError, SourceError, WorkerError
            If there is no weight file, one cannot be fetched, or measuring did not end well.
            What `opened` raises, which is told what was read before anything is measured.
        """
        started_at, start = self.clock(), time.perf_counter()
        against = self._against(chosen) if chosen else None
        job = Job(files, version.uri, self.terms, against, ranged=self.ranged(files))
        found = self.execute(job, Desk(self.memory, self.progress, opened, build, at_leisure))
        before = seen(found.reading.digest)
        audit = self.judged(version, found, chosen, started_at, trend, before)
        return replace(audit, seconds=round(time.perf_counter() - start, 3))

    def judged(
        self,
        version: ModelVersion,
        found: Examined,
        chosen: Chosen | None,
        started_at: datetime,
        trend: Sequence[Trend] = (),
        seen: Seen | None = None,
    ) -> Audit:
        """The audit of what was measured, without how long that took."""
        spectra = Spectra(self.memory.recall, self.terms.settings, METRIC_SET)
        layers = plausible(found.layers, self.policy, spectra)
        case = Case(
            layers,
            found.skipped,
            found.reading,
            found.comparison,
            history=tuple(trend),
            profile=self._profile(found),
        )
        series, day = version.id.series, started_at.date()
        before = self._before(chosen, found)
        if seen and seen.accepted:
            before = accepted_before(case, stored.findings(seen.document))
        judging = partial(judge, case, self.policy, before, model=series, as_of=day)
        if seen and is_whole(seen.document):
            newer = not is_as_today(seen.document, self.terms.settings)
            judgement = since(seen.document, found.comparison, judging, newer=newer)
        else:
            judgement = judging()
        return Audit(
            version=version,
            reading=found.reading,
            layers=layers,
            skipped=found.skipped,
            comparison=found.comparison,
            profile=case.profile,
            findings=judgement.findings,
            gate=judgement.gate,
            verdict=judgement.verdict,
            reason=judgement.reason,
            policy=self.policy.name,
            policy_hash=self.policy.hash(series, day),
            settings=self.terms.settings,
            started_at=started_at,
            seconds=0.0,
            trend=tuple(trend),
            checks=checks.VERSION,
        )

    def unexamined(self, version: ModelVersion, reason: str) -> Audit:
        """The audit of a version whose files could not be had: INCOMPLETE, with the reason."""
        started_at = self.clock()
        return Audit(
            version=version,
            reading=Reading(files=(), bytes_read=0),
            layers=(),
            skipped=(),
            comparison=None,
            findings=(),
            gate=(),
            verdict=Verdict.INCOMPLETE,
            reason=reason,
            policy=self.policy.name,
            policy_hash=self.policy.hash(version.id.series, started_at.date()),
            settings=self.terms.settings,
            started_at=started_at,
            seconds=0.0,
            checks=checks.VERSION,
        )

    def _profile(self, found: Examined) -> Profile | None:
        """What stands in for a baseline where there is none."""
        if found.comparison is not None:
            return None
        return fitting(self.families, found.layers, self.terms.settings)

    def _against(self, chosen: Chosen) -> Against:
        """The baseline's files, or why there are none; its audit's layers stand in for them."""
        layers = stored.layers(chosen.document) if chosen.document else ()
        try:
            files = tuple(chosen.files())
            return Against(chosen.version, files, layers, ranged=self.ranged(files))
        except (SourceError, UsageError) as error:
            log.warning("%s", error, extra={"event": "baseline.unavailable"})
            return Against(chosen.version, (), layers, missing=str(error))

    def _before(self, chosen: Chosen | None, found: Examined) -> Before | None:
        if chosen is None:
            return None
        anew = checks.examine(Case(found.before), self.policy.checks)
        return concluded(chosen.document, anew, accepted=chosen.accepted)


def is_measured(earlier: Document, examiner: Examiner) -> bool:
    """Whether an earlier audit of a version's weights has the numbers they would have now.

    One that is not whole has not: what could not be read then may be readable now.
    """
    return is_whole(earlier) and _has_numbers(earlier, examiner.terms.settings)


def is_whole(audit: Document) -> bool:
    """Whether all was read that an audit needs; a BLOCK may have been said without it."""
    failed = {row["condition"] for row in audit["gate"] if not row["passed"]}
    return audit["verdict"] != Verdict.INCOMPLETE and not failed & ABOUT_AUDIT


def is_as_today(audit: Document, settings: Settings) -> bool:
    """Whether today's analyzer, with these settings, sees what that of an audit saw."""
    return _has_numbers(audit, settings) and audit["analyzer"]["checks"] == checks.VERSION


def _has_numbers(audit: Document, settings: Settings) -> bool:
    now = analyzer(settings)
    return all(audit["analyzer"][key] == now[key] for key in now.keys() - {"version"})


def can_stand(earlier: Document, version: ModelVersion, examiner: Examiner) -> bool:
    """Whether an earlier audit of a version's weights can be repeated as it is.

    It can if nothing it rests on has changed: policy, waivers in force today, checks, metric
    set, settings; and if nothing of it rests on what a person said, which may have ended.
    """
    if any(one["origin"] == Origin.ACCEPTED for one in earlier["findings"]):
        return False
    policy_hash = examiner.policy.hash(version.id.series, examiner.clock().date())
    is_judged = earlier["policy"]["hash"] == policy_hash  # the checks' version is part of it
    return is_judged and is_measured(earlier, examiner)


def repeated(
    earlier: Document, version: ModelVersion, trend: Sequence[Trend], at: datetime
) -> Document:
    """The audit of a version whose weights were audited before: the same verdict, and says so.

    Whatever else the version has beside its weights, such as another ``config.json``.
    """
    text = f"{earlier['id']}|{version.identity}"
    name = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    number = earlier["model"]["version"]
    reason = SAME_WEIGHTS.sub("", own_words(earlier["reason"]))
    return {
        **earlier,
        "id": name,
        "model": model(version),
        "source": dict(version.facts),
        "reason": f"same weights as version {number}: {reason}",
        "decision": None,
        "trend": points(trend),
        "rejudged": None,
        "timing": {"started_at": at.isoformat(), "seconds": 0.0},
    }
