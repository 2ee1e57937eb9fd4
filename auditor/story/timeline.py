"""One model through its versions, from what the ledger remembers; no weights are read."""

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from auditor import metrics
from auditor.config import Config
from auditor.document import Document, averages
from auditor.errors import AuditorError, UsageError
from auditor.ledger import Ledger
from auditor.naming import is_chosen
from auditor.records import Decision
from auditor.refs import find
from auditor.render.text import visible

Of = Literal["median", "mean"]
KNOWN = 2000  # names that one without a match is held against
BARS = "▁▂▃▄▅▆▇█"
NO_BAR = "·"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to tell of a model."""

    metric: str = "alpha"
    of: Of = "median"
    layers: Sequence[str] = ()  # patterns of the layers that count; none: all
    last: int | None = None  # newest versions; None: all of them


@dataclass(frozen=True, slots=True)
class Point:
    """A version on the line."""

    version: str
    created_at: datetime
    verdict: str
    decision: str  # accepted or rejected, by whom, until when; empty where nobody decided
    value: float  # of the metric, over the layers that count; nan where it is not defined
    p5: float
    p95: float
    layers: int  # where it is defined
    change: float  # against the version before that has a value
    distance: float  # mean of the relative distances of the layers that count to the baseline's
    compared_with: str  # that baseline, a version; empty where there was none
    findings_new: int
    metric_set: int  # numbers of two of them are not to be compared


@dataclass(frozen=True, slots=True)
class Timeline:
    """A metric of one model through its versions, oldest first."""

    source: str
    model: str
    wish: Wish
    points: tuple[Point, ...]

    @property
    def sparkline(self) -> str:
        """The values as bars from the smallest to the largest; a dot where there is none."""
        return bars([point.value for point in self.points])

    @property
    def metric_sets(self) -> tuple[int, ...]:
        """Those the versions were measured by."""
        return tuple(sorted({point.metric_set for point in self.points}))


def bars(values: Sequence[float]) -> str:
    """Values as bars of eight heights.

    Examples
    --------
    >>> bars([1.0, 2.0, math.nan, 8.0]), bars([3.0, 3.0])
    ('▁▂·█', '▁▁')
    """
    known = [value for value in values if math.isfinite(value)]
    low, span = (min(known), max(known) - min(known)) if known else (0.0, 0.0)

    def bar(value: float) -> str:
        if not math.isfinite(value):
            return NO_BAR
        return BARS[round((value - low) / span * (len(BARS) - 1)) if span else 0]

    return "".join(map(bar, values))


def timeline(ledger: Ledger, name: str, wish: Wish, config: Config, today: date) -> Timeline:
    """What the ledger remembers of a model.

    Parameters
    ----------
    ledger
        Where its audits are.
    name
        ``source:model``, the model's name where one source has it, or a REF of a version.
    wish
        Which metric, of which layers, how far back.
    config
        Where a REF is looked up.
    today
        Decisions are those that hold on this day.

    Raises
    ------
    UsageError
        If no model or metric is called so, or no layer.
    SourceError
        If a REF cannot be looked up.
    """
    source, model = model_called(ledger, name, config)
    more = None if wish.last is None else wish.last + 1  # what the first of them changed from
    stands = ledger.audited_of(source, model, limit=more)
    points: list[Point] = []
    known: dict[str, None] = {}
    for stand in stands:
        found = ledger.latest(stand.version)
        if found is None:  # between two questions somebody tidied up
            continue
        layers = _chosen(found, wish.layers)
        known.update(dict.fromkeys(column for layer in layers for column in _numbers(layer)))
        decision = ledger.decision(stand.version, today)
        points.append(_point(found, layers, wish, decision, points))
    _must_be_known(wish, known)
    return Timeline(source, model, wish, tuple(points[-(wish.last or len(points)) :]))


def model_called(ledger: Ledger, name: str, config: Config) -> tuple[str, str]:
    """Source and name of the model that somebody means."""
    known = ledger.models(name, limit=KNOWN)
    if not known:
        source, _, model = name.partition(":")
        known = [pair for pair in ledger.models(model, limit=KNOWN) if pair[0] == source]
    if len(known) > 1:
        choices = ", ".join(f"{source}:{name}" for source, _ in known)
        raise UsageError(f"{name} is a model of {len(known)} sources; say which: {choices}")
    return known[0] if known else _of_ref(ledger, name, config)


def _of_ref(ledger: Ledger, name: str, config: Config) -> tuple[str, str]:
    """The model of the version that a REF names."""
    try:
        of = find(name, config).version.id
    except AuditorError as error:
        if "/" in name:  # meant as a REF
            raise
        raise UsageError(_unknown(ledger, name)) from error
    if not any(of.source == source for source, _ in ledger.models(of.model, limit=KNOWN)):
        raise UsageError(_unknown(ledger, name))
    return of.source, of.model


def _unknown(ledger: Ledger, name: str) -> str:
    known = [f"{source}:{model}" for source, model in ledger.models(limit=KNOWN)]
    near = difflib.get_close_matches(name[:80], known, n=3, cutoff=0.0)
    said = f"no audited model is called {visible(name[:80])}"
    return f"{said}; there are: {', '.join(near)}" if near else f"{said}; none was audited yet"


def _chosen(document: Document, patterns: Sequence[str]) -> list[Mapping[str, Any]]:
    return [layer for layer in document["layers"] if is_chosen(layer["name"], patterns)]


def _numbers(layer: Mapping[str, Any]) -> Iterator[str]:
    """Columns of a layer that are metrics."""
    return (name for name in layer if name in COLUMNS)


COLUMNS = frozenset(metric.name for metric in metrics.ALL)


def _point(
    document: Document,
    layers: Sequence[Mapping[str, Any]],
    wish: Wish,
    decision: Decision | None,
    earlier: Sequence[Point],
) -> Point:
    nothing = {wish.of: math.nan, "p5": math.nan, "p95": math.nan, "n": 0}
    values = [{wish.metric: _number(layer.get(wish.metric))} for layer in layers]
    found = averages(values).get(wish.metric, nothing)
    before = next((p.value for p in reversed(earlier) if not math.isnan(p.value)), math.nan)
    comparison = document["comparison"]
    return Point(
        version=document["model"]["version"],
        created_at=datetime.fromisoformat(document["model"]["created_at"]),
        verdict=document["verdict"],
        decision=_told(decision),
        value=found[wish.of],
        p5=found["p5"],
        p95=found["p95"],
        layers=found["n"],
        change=found[wish.of] - before,
        distance=_distance(comparison, wish.layers),
        compared_with=comparison["baseline"]["version"] if comparison else "",
        findings_new=document["counts"]["findings"]["new"],
        metric_set=document["analyzer"]["metric_set"],
    )


def _distance(comparison: Mapping[str, Any] | None, patterns: Sequence[str]) -> float:
    rows = comparison["layers"] if comparison else ()
    known = [
        row["relative"]
        for row in rows
        if row["relative"] is not None and is_chosen(row["name"], patterns)
    ]
    return math.fsum(known) / len(known) if known else math.nan


def _told(decision: Decision | None) -> str:
    if decision is None:
        return ""
    until = f" until {decision.until}" if decision.until else ""
    return f"{'accepted' if decision.accept else 'rejected'} by {decision.by}{until}"


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _must_be_known(wish: Wish, known: Mapping[str, None]) -> None:
    """Refuse a metric that no audit has, and patterns that fit no layer of any."""
    if not known and wish.layers:
        raise UsageError(f"no layer of these audits is called as {', '.join(wish.layers)} asks")
    if wish.metric in known or not known:
        return
    if wish.metric in COLUMNS:
        raise UsageError(f"{wish.metric} was measured in none of these audits; see docs/metrics.md")
    near = difflib.get_close_matches(wish.metric[:80], list(known), n=3, cutoff=0.0)
    raise UsageError(f"no metric is called {visible(wish.metric[:80])}; nearest: {', '.join(near)}")
