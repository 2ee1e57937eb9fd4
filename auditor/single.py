"""One version on request, as ``auditor audit REF`` asks for it.

Nothing is noted in a ledger: where one is configured and exists, it lends what it
remembers (verdicts, decisions), and only ``--deliver`` writes to it. Where the folder `data`
is there, what was measured is kept in it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from auditor.app import assemble, examiner, kept, now, tidy
from auditor.baselines import Choice, as_baseline, choose
from auditor.config import Config
from auditor.document import Document, document
from auditor.errors import UsageError
from auditor.examining import Chosen, never
from auditor.ledger import Ledger
from auditor.memory import Passing
from auditor.pipeline import Outcome, deliver
from auditor.pipeline.rejudging import seen_before
from auditor.pipeline.visiting import TREND
from auditor.policies import configured
from auditor.records import ModelVersion, SourceFile
from auditor.refs import Named, files_of, find
from auditor.wall.jobs import Execute, Memory, Progress
from auditor.wall.process import apart
from auditor.weights.choosing import stated_digest

SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for."""

    ref: str
    config: Config
    baseline: str | None = None  # a REF, "none", or None for the configured selectors
    policy: str | None = None
    time_budget: float | None = None  # seconds of measuring


def audit(
    request: Request, progress: Progress, execute: Execute = apart
) -> tuple[ModelVersion, Document]:
    """Audit one version now: which one the reference named, and its audit document.

    It is read and measured in a process of its own, unless `execute` says otherwise.

    Raises
    ------
    UsageError
        If the reference names nothing, or there is no weight file in it; or the baseline that
        was asked for holds nothing to compare with.
    SourceError
        If its files cannot be had.
    WorkerError
        If the process that reads and measures ends before it is done.
    """
    config = request.config
    named = find(request.ref, config)
    policy = configured(config, request.policy)
    with existing_ledger(config) as ledger:
        memory, time_budget = _memory(config), request.time_budget
        examine = examiner(config, policy, memory, progress, execute, time_budget).examine
        files = named.files()
        chosen = _chosen(request, named, files, ledger)
        trend = ledger.trend(named.version, TREND) if ledger else ()
        seen = partial(seen_before, ledger, named.version, now().date()) if ledger else never
        found = examine(named.version, files, chosen, trend, seen=seen)
        said = ledger.decision(named.version, now().date()) if ledger else None
    tidy(config)
    if request.baseline not in {None, "none"} and found.comparison is None:
        raise UsageError(
            f"baseline {request.baseline}: no matrix could be read from it, so there is nothing "
            "to compare with; audit it alone to see why, or name another baseline"
        )
    return named.version, document(replace(found, decision=said))


def record(version: ModelVersion, document: Document, config: Config) -> list[str]:
    """Save an audit in the ledger and give it to every sink; which of them failed, and why."""
    outcome = Outcome()
    with assemble(config) as app:
        app.ledger.save(version, document, sinks=list(app.sinks), at=app.clock())
        deliver(app, outcome)
    return [f"{sink}: {reason}" for sink, reason in outcome.undelivered]


@contextmanager
def existing_ledger(config: Config) -> Iterator[Ledger | None]:
    """The configured ledger if there is one already; None, and nothing is made, if not."""
    path = config.ledger.removeprefix(SQLITE)
    if path != config.ledger and not Path(path).is_file():
        yield None
        return
    ledger = Ledger.open(config.ledger)
    try:
        yield ledger
    finally:
        ledger.close()


def _memory(config: Config) -> Memory:
    """Kept where there is a place for it; nothing is left behind in a folder of anybody's."""
    return kept(config) if config.data.is_dir() else Passing()


def _chosen(
    request: Request, named: Named, files: Sequence[SourceFile], ledger: Ledger | None
) -> Chosen | None:
    """The baseline that was asked for, else the first configured one that may be one."""
    as_of = now().date()
    if request.baseline == "none":
        return None
    if request.baseline is not None:
        found = find(request.baseline, request.config)
        if found.version.identity == named.version.identity:
            raise UsageError(f"{request.baseline} is the version itself; name another baseline")
        return as_baseline(found.version, found.files, ledger, as_of)
    choice = Choice(
        selectors=request.config.baseline,
        source=named.source,
        ledger=ledger,
        as_of=as_of,
        files=partial(_files, named, request.config),
        unaudited=True,
    )
    return choose(named.version, choice, stated_digest(files))


def _files(named: Named, config: Config, version: ModelVersion) -> Sequence[SourceFile]:
    """The files of a version in the same place as the one that was named, or elsewhere."""
    if version.id.source == named.version.id.source:
        return files_of(version, named.source)
    return find(version.uri, config).files()
