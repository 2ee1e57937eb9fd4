"""Which version another one is compared with, and whether it may be."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from auditor.config.models import PINNED, PREVIOUS, PROFILE
from auditor.examining import Chosen, Files
from auditor.ledger import Ledger
from auditor.ledger.order import position_of
from auditor.records import ModelVersion, SourceFile
from auditor.sources import Finder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Where the baselines of a version are looked for."""

    selectors: Sequence[str]  # in order of preference
    source: Finder | None  # of the version; None for a path, of which nothing else is known
    ledger: Ledger | None
    as_of: date  # for decisions that end
    files: Callable[[ModelVersion], Sequence[SourceFile]]
    unaudited: bool = False  # whether `previous` may be a version the ledger has no audit of


def choose(version: ModelVersion, choice: Choice, stated: str = "") -> Chosen | None:
    """The first configured baseline that exists, is earlier and may be one; else None.

    Parameters
    ----------
    version
        What is compared.
    choice
        Where to look.
    stated
        The digest of the version's weights, where its source states it.
    """
    for selector in choice.selectors:
        chosen = _chosen(selector, version, choice, stated)
        if chosen is not None:
            return chosen
    return None


def as_baseline(version: ModelVersion, files: Files, ledger: Ledger | None, as_of: date) -> Chosen:
    """The version with its newest audit and the decision on it, as far as a ledger has them."""
    decision = ledger.decision(version, as_of) if ledger else None
    return Chosen(
        version=version,
        files=files,
        document=ledger.latest(version) if ledger else None,
        accepted=decision is not None and decision.accept,
    )


def _chosen(selector: str, version: ModelVersion, choice: Choice, stated: str) -> Chosen | None:
    """What a selector finds, where that may be a baseline."""
    if selector.startswith(PINNED):
        pinned = _pinned(selector, version, choice)
        return _as_baseline(pinned, choice) if pinned else None
    if selector.startswith(PROFILE):  # stands in for a version, see `auditor.profiles`
        return None
    found = _named(selector, version, choice, stated)
    if found is None or not _is_earlier(found, version):
        return None
    chosen = _as_baseline(found, choice)
    return chosen if _may_be_one(chosen, choice) else None


def _pinned(selector: str, version: ModelVersion, choice: Choice) -> ModelVersion | None:
    """The newest audited version with the weights that a selector names, whatever its verdict.

    None where the digest fits nothing, or the weights of two versions that differ.
    """
    digest = selector.removeprefix(PINNED)
    found = choice.ledger.with_weights(digest) if choice.ledger else []
    if len({weights for _, weights in found}) > 1:
        told = "baseline %s fits weights that differ; give more of their digest"
        log.warning(told, selector, extra={"event": "baseline.ambiguous"})
        return None
    return next((one for one, _ in found if one.identity != version.identity), None)


def _named(
    selector: str, version: ModelVersion, choice: Choice, stated: str
) -> ModelVersion | None:
    """The version that a selector names."""
    if choice.source is None:
        return None
    if selector == PREVIOUS and choice.ledger is not None:
        previous = choice.ledger.previous(version, choice.as_of, other_than=stated)
        if previous is not None or not choice.unaudited:
            return previous
    return choice.source.resolve(selector, version)


def _as_baseline(version: ModelVersion, choice: Choice) -> Chosen:
    return as_baseline(version, partial(choice.files, version), choice.ledger, choice.as_of)


def _may_be_one(chosen: Chosen, choice: Choice) -> bool:
    """A version never audited may be a baseline; a bad one only if a person accepted it."""
    ledger = choice.ledger
    if ledger is None or chosen.document is None:
        return True
    return ledger.may_be_baseline(chosen.version, choice.as_of)


def _is_earlier(found: ModelVersion, version: ModelVersion) -> bool:
    """Whether one is not after the other; versions of different models have no order."""
    return found.id.series != version.id.series or position_of(found) < position_of(version)
