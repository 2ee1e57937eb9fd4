"""A profile from the audits in a ledger."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from auditor import METRIC_SET, stored
from auditor.checks.family import headlines
from auditor.document import Document
from auditor.errors import UsageError
from auditor.ledger import Ledger
from auditor.naming import fits_model, listed
from auditor.profiles.families import Family, Member, family
from auditor.records import Band, LayerRecord, ModelVersion, Profile

MIN_AUDITS = 5  # by default
SHOWN = 4  # modules, and models, of a group that is named
Values = Mapping[str, Mapping[str, Sequence[float]]]  # kind -> column -> of every layer


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which audits a profile is built from."""

    name: str
    as_of: date  # for decisions that end
    convention: str
    models: tuple[str, ...] = ()  # patterns of ``source:name`` or the name; none: all
    source: str | None = None
    min_audits: int = MIN_AUDITS


@dataclass(frozen=True, slots=True)
class Built:
    """A profile, and what was left out of it."""

    family: Family
    copies: int  # audits of weights that are in it already
    others: int  # audits by another metric set or convention


def build(ledger: Ledger, wanted: Wanted) -> Built:
    """Percentiles by kind of layer, over the newest audits that passed or were accepted.

    Each set of weights counts once.

    Raises
    ------
    UsageError
        If they are of several architectures, which are named, or too few.
    """
    groups: dict[tuple[str, ...], list[Member]] = defaultdict(list)
    values: dict[tuple[str, ...], Values] = {}
    met, copies, others = set[str](), 0, 0
    for version, audit in _audits(ledger, wanted):
        digest = audit["weights"]["digest"]
        if not _is_like(audit, wanted):
            others += 1
        elif digest in met:
            copies += 1
        else:
            met |= {digest} - {""}
            layers = stored.layers(audit)
            modules = family(layers)
            groups[modules].append(_member(version, audit))
            _collect(values.setdefault(modules, defaultdict(lambda: defaultdict(list))), layers)
    modules = _only(groups, wanted, others)
    bands = {kind: _bands(columns) for kind, columns in sorted(values[modules].items())}
    members = tuple(groups[modules])
    profile = Profile(wanted.name, "", len(members), bands)
    return Built(Family(profile, modules, METRIC_SET, wanted.convention, members), copies, others)


def _audits(ledger: Ledger, wanted: Wanted) -> Iterator[tuple[ModelVersion, Document]]:
    """The audits to build from, one document in memory at a time."""
    for version, audit_id in ledger.passed(wanted.as_of, wanted.source):
        if _is_wanted(version, wanted.models):
            audit = ledger.audit(audit_id)
            if audit is not None and audit["layers"]:
                yield version, audit


def _is_wanted(version: ModelVersion, patterns: Sequence[str]) -> bool:
    return not patterns or any(fits_model(version.id.series, one) for one in patterns)


def _is_like(audit: Document, wanted: Wanted) -> bool:
    made = audit["analyzer"]
    return (made["metric_set"], made["convention"]) == (METRIC_SET, wanted.convention)


def _member(version: ModelVersion, audit: Document) -> Member:
    of = version.id
    return Member(of.source, of.model, of.version, audit["id"], audit["weights"]["digest"])


def _collect(values: Values, layers: Iterable[LayerRecord]) -> None:
    for layer in layers:
        for name, value in headlines(layer.metrics, layer.measured.m).items():
            if np.isfinite(value):
                values[layer.kind][name].append(value)  # type: ignore[attr-defined]


def _bands(columns: Mapping[str, Sequence[float]]) -> dict[str, Band]:
    return {name: _band(values) for name, values in sorted(columns.items())}


def _band(values: Sequence[float]) -> Band:
    low, middle, high = (float(one) for one in np.percentile(values, (5, 50, 95)))
    return Band(len(values), low, middle, high)


def _only(
    groups: Mapping[tuple[str, ...], Sequence[Member]], wanted: Wanted, others: int
) -> tuple[str, ...]:
    """The one architecture there is."""
    if len(groups) > 1:
        largest = sorted(groups.items(), key=lambda pair: -len(pair[1]))
        named = "; ".join(_named(modules, members) for modules, members in largest)
        raise UsageError(
            f"these models are of {len(groups)} architectures, and a profile is for one; "
            f"choose with --model: {named}"
        )
    count = sum(map(len, groups.values()))
    if count < max(wanted.min_audits, 1):
        left = f", besides {others} of another metric set or convention" if others else ""
        raise UsageError(
            f"found {count} audits of different weights that passed or were accepted{left}; "
            f"expected {wanted.min_audits} or more, see --min-audits"
        )
    return next(iter(groups))


def _named(modules: Sequence[str], members: Sequence[Member]) -> str:
    models = list(dict.fromkeys(f"{one.source}:{one.model}" for one in members))
    return f"{listed(models, SHOWN)} ({len(members)} audits: {listed(modules, SHOWN)})"
