"""What a policy would say of the audits that are stored, before it is put in force.

Nothing is written and no weights are read: what was measured is judged as `auditor.pipeline`
would judge it again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from auditor.app import kept
from auditor.config import Config
from auditor.document import Document
from auditor.errors import UsageError
from auditor.ledger import Judged, Ledger
from auditor.naming import fits_model
from auditor.pipeline.rejudging import judged_now
from auditor.policies import configured
from auditor.policy import Policy
from auditor.records import VersionId
from auditor.rejudging import differences, has_changed, own_words
from auditor.single import existing_ledger
from auditor.wall.jobs import Progress


@dataclass(frozen=True, slots=True)
class Asked:
    """Which audits are judged, and by what."""

    policy: str  # a preset or a file; the configured floors stay under it
    models: str = "*"  # pattern of ``source:name``, or of the name alone
    history: bool = False  # every version, not only what would be judged again


@dataclass(frozen=True, slots=True)
class Difference:
    """A version that would be judged otherwise."""

    version: VersionId
    now: str  # verdict
    then: str
    fails: Sequence[str]  # checks and limits that do not fail now
    passes: Sequence[str]  # that fail now and would not
    reason: str  # of the verdict it would have

    @property
    def is_verdict(self) -> bool:
        """Whether the verdict is another one, not only findings."""
        return self.now != self.then


@dataclass(frozen=True, slots=True)
class Replay:
    """What a policy would change."""

    policy: str
    judged: int  # versions
    differences: Sequence[Difference]

    @property
    def totals(self) -> Mapping[str, int]:
        """How many verdicts would become which, the most frequent first."""
        moves = (f"{one.now} -> {one.then}" for one in self.differences if one.is_verdict)
        return dict(Counter(moves).most_common())


def replay(config: Config, asked: Asked, at: datetime, progress: Progress) -> Replay:
    """Judge stored audits by another policy.

    Parameters
    ----------
    config
        Names ledger, spectra and floors.
    asked
        By which policy, and which audits.
    at
        Now: for waivers and decisions that end.
    progress
        Told after each version.

    Raises
    ------
    UsageError
        If there is no ledger, or no audit in it that fits.
    ConfigError
        If the policy does not fit.
    """
    policy = configured(config, asked.policy, at.date())
    with existing_ledger(config) as ledger:
        chosen = [] if ledger is None else list(_chosen(ledger, asked))
        if ledger is None or not chosen:
            raise UsageError(
                f"there is no audit of a model called {asked.models} in the ledger "
                f"{config.ledger.rpartition('@')[2]}; audit some with: auditor once"
            )
        found = list(_differences(chosen, ledger, config, policy, at, progress))
    return Replay(policy.name, len(chosen), found)


def _chosen(ledger: Ledger, asked: Asked) -> Iterator[Judged]:
    for one in ledger.judged():
        if fits_model(one.series, asked.models) and (
            asked.history or one.is_newest or one.is_waived
        ):
            yield one


def _differences(
    chosen: Sequence[Judged],
    ledger: Ledger,
    config: Config,
    policy: Policy,
    at: datetime,
    progress: Progress,
) -> Iterator[Difference]:
    memory, made = kept(config), dict[str, Document]()
    for done, one in enumerate(chosen, start=1):
        found = ledger.audited_version(one.number)
        now = judged_now(found, ledger, policy, memory, at, made) if found else None
        progress(done, len(chosen), one.series)
        if found is None or now is None or not has_changed(found[1], now):
            continue
        version, audit = found
        made[audit["id"]] = _slim(now)
        fails, passes = differences(audit, now)
        reason = own_words(now["reason"])
        yield Difference(version.id, audit["verdict"], now["verdict"], fails, passes, reason)


def _slim(audit: Document) -> Document:
    """What of an audit is asked about as a baseline: little enough to keep thousands."""
    tensors = [{key: row[key] for key in ("name", "shape")} for row in audit["layers"]]
    kept = {key: audit[key] for key in ("id", "analyzer", "findings", "skipped")}
    return {**kept, "layers": tensors}
