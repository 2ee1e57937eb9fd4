"""A job done: files opened, tensors measured, held against the baseline's."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from auditor.errors import SourceError, UsageError
from auditor.estimates import Speed, seconds
from auditor.executors.gpu import eigensolver
from auditor.measuring import Baseline, Bench, is_vouched_for, measure_version
from auditor.records import LayerRecord, ModelVersion, Reading
from auditor.wall.jobs import Against, Desk, Examined, Header, Job, Terms
from auditor.weights import Inventory, Tensor, opened

log = logging.getLogger(__name__)

SLOW = Speed(multiplications=1e9, hashing=50e6)  # a tenth of one core of a laptop
FITS = 10.0  # seconds for the costlier fits of a layer
TIMES = 4.0  # what is planned may take, and for other programs that keep the machine busy


def work(job: Job, desk: Desk) -> Examined:
    """Read and measure in this process.

    Raises
    ------
    UsageError
        If there is no weight file, no layer is called as the settings ask, or a GPU is asked
        for and there is none.
    SourceError
        If a file cannot be fetched.
    """
    if job.headers:
        return _headers(job, desk)
    bench = _bench(job.terms, desk)
    with opened(job.files, job.where, ranged=job.ranged) as inventory:
        desk.opened(inventory.reading)
        desk.plan(patience(inventory.tensors, job))
        with _opened(job.against) as baseline:
            return _examined(inventory, baseline, bench)


def _headers(job: Job, desk: Desk) -> Examined:
    """What the headers say; no file is held against its digest for that."""
    with opened(job.files, job.where, ranged=True, unchecked=True) as inventory:
        desk.opened(inventory.reading)
        found = (
            Header(one.name, one.shape, one.dtype, one.file, one.read_as, one.stored)
            for one in inventory.tensors
        )
        return Examined(inventory.reading, (), (), None, tuple(found))


def measured(
    inventory: Inventory, before: tuple[ModelVersion, Inventory] | None, terms: Terms, desk: Desk
) -> Examined:
    """Measure, in this process, what is open already, against what is.

    Raises
    ------
    UsageError
        As `work`.
    """
    baseline = None if before is None else _as_baseline(*before, layers={})
    return _examined(inventory, baseline, _bench(terms, desk))


def _bench(terms: Terms, desk: Desk) -> Bench:
    return Bench(
        memory=desk.memory,
        settings=terms.settings,
        budget=terms.memory,
        workers=terms.workers,
        progress=desk.progress,
        solve=eigensolver(terms.device),
        admit=desk.admit,
        build=desk.build,
        time_budget=terms.time_budget,
        added=terms.added,
    )


def _examined(inventory: Inventory, baseline: Baseline | None, bench: Bench) -> Examined:
    """With nothing to compare, there is no comparing, and no verdict may say there was."""
    found = measure_version(inventory, baseline if baseline and baseline.shapes else None, bench)
    return Examined(inventory.reading, found.layers, found.skipped, found.comparison)


def patience(tensors: Iterable[Tensor], job: Job) -> float:
    """Seconds that measuring may take: several times the plan, on a slow machine."""
    settings, pair = job.terms.settings, job.against is not None
    planned = (FITS + TIMES * seconds(one, settings, SLOW, pair=pair) for one in tensors)
    return sum(planned)


@contextmanager
def _opened(against: Against | None) -> Iterator[Baseline | None]:
    """The baseline's tensors; its stored layers where its files cannot be had any more."""
    with ExitStack() as stack:
        yield _baseline(against, stack) if against else None


def _baseline(against: Against, stack: ExitStack) -> Baseline:
    layers = {layer.name: layer for layer in against.layers}
    version = against.version
    if against.missing:
        return Baseline(version, {}, layers, _unavailable(against, against.missing))
    try:
        found = _found(against, stack)
    except (SourceError, UsageError) as error:
        if against.needed:
            raise
        log.warning("%s", error, extra={"event": "baseline.unavailable"})
        return Baseline(version, {}, layers, _unavailable(against, str(error)))
    return _as_baseline(version, found, layers)


def _found(against: Against, stack: ExitStack) -> Inventory:
    """The baseline's files, of which only what is read is fetched if its audit vouches for it.

    The audit has the digest of every tensor: what is read can be held against that, and no
    file need be hashed whole.
    """
    files, uri = against.files, against.version.uri
    if against.layers:
        with ExitStack() as trial:
            found = trial.enter_context(opened(files, uri, ranged=True, unchecked=True))
            if is_vouched_for(found.tensors, against.layers):
                stack.push(trial.pop_all())
                return found
    return stack.enter_context(opened(files, uri, ranged=against.ranged))


def _as_baseline(
    version: ModelVersion, found: Inventory, layers: Mapping[str, LayerRecord]
) -> Baseline:
    tensors = {tensor.name: tensor for tensor in found.tensors}
    return Baseline(version, tensors, layers, _unread(found.reading), found.configs)


def _unavailable(against: Against, why: str) -> str:
    return f"distances between weights are missing: {against.version.uri}: {why}"


def _unread(reading: Reading) -> str:
    """What of the baseline is missing from the comparison, empty where nothing is."""
    if not reading.failures:
        return ""
    first = reading.failures[0]
    return f"the baseline could not be read whole: {first.name}: {first.reason}"
