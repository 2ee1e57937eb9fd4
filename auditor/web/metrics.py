"""What Prometheus asks for; docs/operations.md says what each name means.

Numbers come from the ledger when they are asked for. Counters begin at zero with the
process, as Prometheus expects. Labels are names from config.yaml, verdicts, states and
priorities: their number does not grow with the models.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from auditor import METRIC_SET, __version__
from auditor.errors import LedgerError
from auditor.ledger import Ledger, State
from auditor.ledger.standing import Outbox, Tally
from auditor.records import Verdict
from auditor.status import Status, Watched, status
from auditor.status.standing import KINDS
from auditor.web.house import House

Rows = Iterable[tuple[str, float]]


def router(house: House) -> APIRouter:
    """The route that is scraped."""
    routes = APIRouter(tags=["health"])
    registry = CollectorRegistry()
    registry.register(Standing(house))
    ProcessCollector(registry=registry)

    @routes.get("/metrics", response_class=Response)
    def metrics(request: Request) -> Response:
        """All numbers, as Prometheus or OpenMetrics have them."""
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": kind})

    return routes


class Totals:
    """What was audited while this process ran, by whichever process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._last: int | None = None
        self.audits: Counter[str] = Counter()
        self.bytes_read = self.layers = 0
        self.seconds = 0.0
        with suppress(LedgerError):  # it begins with the first scrape that comes through
            self.advance()

    def advance(self) -> None:
        """Add what came since the last time.

        Raises
        ------
        LedgerError
            If the ledger cannot be read now; nothing is lost.
        """
        with self._lock:
            found: Tally = self._ledger.tally(self._last)
            self._last = found.last
            self.audits.update(found.audits)
            self.bytes_read += found.bytes_read
            self.layers += found.layers
            self.seconds += found.seconds


class Standing(Collector):
    """The status of the ledger, as metrics."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._totals = Totals(house.ledger)
        self._sinks = [str(sink.settings.get("name", sink.kind)) for sink in house.config.sinks]

    def describe(self) -> Iterator[Metric]:
        """Nothing: a registry would otherwise ask the ledger for the names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Everything there is; only that the ledger is away where it is."""
        build = {"version": __version__, "metric_set": str(METRIC_SET)}
        yield InfoMetricFamily("auditor_build", "Which program this is.", build)
        house = self._house
        try:
            found = status(house.ledger, house.rhythms, house.clock(), begun=house.begun)
            self._totals.advance()
        except LedgerError:
            yield _gauge("auditor_ledger_up", "Whether the ledger answers.", 0)
            return
        yield _gauge("auditor_ledger_up", "Whether the ledger answers.", 1)
        yield from _totals(self._totals)
        yield from _queue(found)
        yield from _sources([source for source in found.sources if source.rhythm], found.at)
        yield from _verdicts(found)
        yield from _out(found, self._sinks, [target.name for target in house.config.notify])


def _totals(totals: Totals) -> Iterator[Metric]:
    audits = CounterMetricFamily("auditor_audits", "Audits saved.", labels=["verdict"])
    for verdict in Verdict:
        audits.add_metric([str(verdict)], totals.audits[str(verdict)])
    yield audits
    yield CounterMetricFamily(
        "auditor_bytes_read", "Bytes of weight files read for audits.", totals.bytes_read
    )
    yield SummaryMetricFamily(
        "auditor_layer_seconds",
        "Seconds that audits took, by the layers measured in them.",
        count_value=totals.layers,
        sum_value=totals.seconds,
    )


def _queue(found: Status) -> Iterator[Metric]:
    queue = found.queue
    oldest = (found.at - queue.oldest).total_seconds() if queue.oldest else 0.0
    states = {str(state): found.versions.get(state, 0) for state in State}
    yield _gauges("auditor_versions", "Versions by state.", "state", states.items())
    yield _gauges("auditor_queue_waiting", "Versions that wait.", "priority", queue.waiting.items())
    yield _gauge(
        "auditor_queue_oldest_seconds",
        "How long the oldest version waits for its first audit, backfill left out; 0: none does.",
        max(0.0, oldest),
    )
    yield _gauge("auditor_queue_failing", "Versions that are tried again.", queue.failing)
    latency = found.latency
    quantiles = (("0.5", latency.p50), ("0.95", latency.p95))
    yield _gauges(
        "auditor_registration_to_verdict_seconds",
        f"From registration to the first verdict, over the last {latency.days} days.",
        "quantile",
        ((share, value) for share, value in quantiles if value is not None),
    )
    yield _gauge(
        "auditor_registration_to_verdict_versions", "Versions of which that is.", latency.count
    )


def _sources(sources: Sequence[Watched], at: datetime) -> Iterator[Metric]:
    def gauges(name: str, text: str, rows: Rows) -> Metric:
        return _gauges(f"auditor_source_{name}", text, "source", rows)

    reached = [(one.name, one.last_success) for one in sources if one.last_success]
    yield gauges(
        "up", "Whether the newest look came through.", _flags(sources, lambda s: not s.last_error)
    )
    yield gauges(
        "overdue", "Whether its look was missed.", _flags(sources, lambda s: bool(s.overdue_since))
    )
    yield gauges("paused", "Whether somebody paused it.", _flags(sources, lambda s: s.paused))
    yield gauges(
        "last_success_timestamp_seconds",
        "When a look came through last, as Unix time.",
        ((name, moment.timestamp()) for name, moment in reached),
    )
    yield gauges(
        "last_success_seconds",
        "How long ago that was.",
        ((name, max(0.0, (at - moment).total_seconds())) for name, moment in reached),
    )
    yield gauges(
        "troubles",
        "Models that cannot be looked at: gated, private, gone.",
        ((one.name, len(one.troubles)) for one in sources),
    )


def _verdicts(found: Status) -> Iterator[Metric]:
    yield _gauges(
        "auditor_version_verdicts", "Versions by newest verdict.", "verdict", found.verdicts.items()
    )
    yield _gauges(
        "auditor_model_verdicts",
        "Models by the verdict of their newest audited version.",
        "verdict",
        found.models.items(),
    )
    kinds = Counter(alarm.kind for alarm in found.alarms)
    yield _gauges(
        "auditor_alarms",
        "What a person has to see to, as auditor status lists it.",
        "kind",
        ((kind, kinds[kind]) for kind in KINDS),
    )


def _out(found: Status, sinks: Sequence[str], targets: Sequence[str]) -> Iterator[Metric]:
    for name, label, names, boxes in (
        ("deliveries", "sink", sinks, found.sinks),
        ("messages", "target", targets, found.targets),
    ):
        there: Mapping[str, Outbox] = {box.name: box for box in boxes}
        some = [(one, there.get(one)) for one in dict.fromkeys(names)]
        yield _gauges(
            f"auditor_{name}_waiting",
            f"What has not reached the {label} yet.",
            label,
            ((one, box.waiting if box else 0) for one, box in some),
        )
        yield _gauges(
            f"auditor_{name}_failing",
            f"What the {label} has refused so far.",
            label,
            ((one, box.failing if box else 0) for one, box in some),
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _gauges(name: str, text: str, label: str, rows: Rows) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for row, value in rows:
        family.add_metric([row], value)
    return family


def _flags(sources: Sequence[Watched], holds: Callable[[Watched], bool]) -> Rows:
    return ((one.name, float(holds(one))) for one in sources)
