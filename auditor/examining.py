"""One version, from its files to its audit: open, read pairs, measure, compare, judge."""

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from auditor import checks, stored
from auditor.checks.base import Case
from auditor.document import Document, analyzer, model, points
from auditor.errors import SourceError, UsageError
from auditor.measuring import Baseline, Bench, Measured, measure_version
from auditor.policy import Before, Policy, judge
from auditor.records import (
    Audit,
    Finding,
    LayerRecord,
    ModelVersion,
    Reading,
    SourceFile,
    Trend,
    Verdict,
)
from auditor.weights import Inventory, opened

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
class Examiner:
    """How versions are examined: the same for every version of a run."""

    bench: Bench
    policy: Policy
    clock: Callable[[], datetime]

    def examine(
        self,
        version: ModelVersion,
        inventory: Inventory,
        chosen: Chosen | None,
        trend: Sequence[Trend] = (),
    ) -> Audit:
        """Measure, compare, judge.

        The same weights, baseline and policy, with the same waivers in force on the day,
        give the same verdict.
        """
        started_at, start = self.clock(), time.perf_counter()
        with _opened(chosen) as baseline:
            measured = measure_version(inventory, baseline, self.bench)
        case = Case(measured.layers, measured.skipped, inventory.reading, measured.comparison)
        before, model, day = self._before(chosen, measured), version.id.series, started_at.date()
        judgement = judge(case, self.policy, before, model=model, as_of=day)
        return Audit(
            version=version,
            reading=inventory.reading,
            layers=measured.layers,
            skipped=measured.skipped,
            comparison=measured.comparison,
            findings=judgement.findings,
            gate=judgement.gate,
            verdict=judgement.verdict,
            reason=judgement.reason,
            policy=self.policy.name,
            policy_hash=self.policy.hash(model, day),
            settings=self.bench.settings,
            started_at=started_at,
            seconds=round(time.perf_counter() - start, 3),
            trend=tuple(trend),
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
            settings=self.bench.settings,
            started_at=started_at,
            seconds=0.0,
        )

    def _before(self, chosen: Chosen | None, measured: Measured) -> Before | None:
        if chosen is None:
            return None
        anew = checks.examine(Case(measured.before), self.policy.checks)
        known: tuple[Finding, ...] = stored.findings(chosen.document) if chosen.document else anew
        return Before(findings=known, anew=anew, accepted=chosen.accepted)


@contextmanager
def _opened(chosen: Chosen | None) -> Iterator[Baseline | None]:
    """The baseline's tensors; its stored layers where its files cannot be had any more.

    None where neither has a matrix: with nothing there is no comparing, and no verdict may
    say that there was.
    """
    with ExitStack() as stack:
        found = _baseline(chosen, stack) if chosen else None
        yield found if found and found.shapes else None


def _baseline(chosen: Chosen, stack: ExitStack) -> Baseline:
    layers: dict[str, LayerRecord] = {}
    if chosen.document:
        layers = {layer.name: layer for layer in stored.layers(chosen.document)}
    try:
        found = stack.enter_context(opened(chosen.files(), chosen.version.uri))
    except (SourceError, UsageError) as error:
        log.warning("%s", error, extra={"event": "baseline.unavailable"})
        note = f"distances between weights are missing: {chosen.version.uri}: {error}"
        return Baseline(chosen.version, {}, layers, note)
    tensors = {tensor.name: tensor for tensor in found.tensors}
    note = _unread(found.reading)
    return Baseline(chosen.version, tensors, layers, note, found.configs)


def _unread(reading: Reading) -> str:
    """What of the baseline is missing from the comparison, empty where nothing is."""
    if not reading.failures:
        return ""
    first = reading.failures[0]
    return f"the baseline could not be read whole: {first.name}: {first.reason}"


def can_stand(earlier: Document, version: ModelVersion, examiner: Examiner) -> bool:
    """Whether an earlier audit of a version's weights can be repeated as it is.

    It can if nothing it rests on has changed: policy, waivers in force today, metric set,
    settings. INCOMPLETE is never repeated: what could not be read then may be readable now.
    """
    policy_hash = examiner.policy.hash(version.id.series, examiner.clock().date())
    return bool(
        earlier["verdict"] != Verdict.INCOMPLETE
        and earlier["policy"]["hash"] == policy_hash
        and earlier["analyzer"] == analyzer(examiner.bench.settings)
    )


def repeated(
    earlier: Document, version: ModelVersion, trend: Sequence[Trend], at: datetime
) -> Document:
    """The audit of a version whose weights were audited before: the same verdict, and says so."""
    text = f"{earlier['id']}|{version.identity}"
    name = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    number = earlier["model"]["version"]
    reason = SAME_WEIGHTS.sub("", earlier["reason"])
    return {
        **earlier,
        "id": name,
        "model": model(version),
        "source": dict(version.facts),
        "reason": f"same weights as version {number}: {reason}",
        "trend": points(trend),
        "timing": {"started_at": at.isoformat(), "seconds": 0.0},
    }
