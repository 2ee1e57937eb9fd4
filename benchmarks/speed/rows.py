"""The lines of the table."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from auditor import analyze
from auditor.records import Settings
from auditor.spectral.eigenvalues import eigenvalues
from auditor.spectral.spectrum import Spectrum
from benchmarks.speed import floor, reference
from benchmarks.speed.weights import matrices, weights

Timer = Callable[[], float]  # does the work once and gives its seconds

AUDIT = {"intervals": True, "mp_fit": True}
OURS = "import sys, numpy, auditor; auditor.analyze(dict(numpy.load(sys.argv[1])))"
RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Timers:
    """What is timed in turn for one row; the fastest way of the floor counts."""

    ours: Timer
    floor: tuple[Timer, ...] = ()
    reference: Timer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: work on a model, and what it must reach."""

    name: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    solves: int = 1  # of each matrix in the floor
    floor: float | None = None  # at most so many times the floor
    faster: float | None = None  # at least so many times as fast as the reference
    fits: float | None = None  # at most so many times one power-law fit of the reference
    times: int = 99  # at most so many repeats


ROWS = (
    Row(name="analyze", model="GPT-2 small", floor=1.15, faster=4.0),
    Row(name="intervals", model="4 blocks of GPT-2", options=AUDIT, floor=3.0),
    Row(name="intervals-4096", model="one 4096×4096", options=AUDIT, floor=1.6, times=2),
    Row(
        name="randomize",
        model="4 blocks of GPT-2",
        options={"randomize": True, "mp_fit": True},
        solves=2,
        floor=1.25,
        faster=16.0,
    ),
    Row(name="import-minilm", model="MiniLM", faster=1.0),
    Row(name="import-resnet20", model="ResNet20", faster=1.0),
    Row(name="analyze-4096", model="one 4096×4096", faster=2.5, times=1),
    Row(name="bootstrap", model="4 blocks of GPT-2", fits=60.0),
)


def timers(row: Row, tool: reference.Reference, folder: Path) -> Timers:
    """What a row times, on weights written to `folder`."""
    tensors = weights(row.model)
    if row.fits:
        return _bootstrap(next(iter(tensors.values())), tool, folder / "values.npy")
    path = folder / "weights.npz"
    np.savez(path, **tensors)  # type: ignore[arg-type]  # the stub takes a tensor for a flag
    if row.name.startswith("import"):
        command = [sys.executable, "-c", OURS, str(path)]
        ours = partial(subprocess.run, command, check=True)
        return Timers(_timer(ours), reference=_timer(partial(reference.from_nothing, path)))
    parts = matrices(tensors) * row.solves
    ways = (floor.with_a_thread_per_core, floor.with_one_thread)
    return Timers(
        ours=_timer(partial(analyze, tensors, **row.options)),
        floor=tuple(_timer(partial(way, parts)) for way in ways if row.floor),
        reference=partial(tool.seconds, path, row.options) if row.faster else None,
    )


def _bootstrap(weight: np.ndarray, tool: reference.Reference, path: Path) -> Timers:
    """The interval of α of one spectrum, and one fit of the reference to it."""
    values = eigenvalues(weight)
    np.save(path, values)
    settings = Settings(bootstrap=RESAMPLES)

    def ours() -> object:
        n, m = max(weight.shape), min(weight.shape)
        return Spectrum((values,), n, m, roundoff=0.0, settings=settings).interval

    return Timers(_timer(ours), reference=partial(tool.seconds, path, {}))


def _timer(work: Callable[[], object]) -> Timer:
    def seconds() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return seconds


@dataclass(frozen=True, slots=True)
class Best:
    """The shortest times, in seconds; ``nan`` for what was not timed."""

    ours: float
    floor: float
    reference: float


def best(timers: Timers, repeat: int) -> Best:
    """Time everything in turn, `repeat` times, so that a busy machine slows all of it."""
    found = np.array([list(_once(timers)) for _ in range(repeat)]).min(axis=0)
    ours, ref, *ways = found.tolist()
    return Best(ours, min(ways, default=float("nan")), ref)


def _once(timers: Timers) -> Iterator[float]:
    yield timers.ours()
    yield timers.reference() if timers.reference else float("nan")
    for way in timers.floor:
        yield way()
