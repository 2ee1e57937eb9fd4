"""What there is to do, in pieces that a process can take, largest first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.calibration import reference, trained
from benchmarks.calibration.auditing import draw, outcomes
from benchmarks.calibration.journal import Journal, Rows
from benchmarks.calibration.kinds import BY_NAME, KINDS, LAYER, Kind
from benchmarks.calibration.shapes import CLASSES, Dims, num_evals, size_class, title

DRAWS = dict(zip(CLASSES, (32, 60, 100, 100), strict=True))  # of a kind with share 1 and a shape
AT_ONCE = 10  # draws a piece
REFERENCE_DRAWS = 1  # of a kind and shape: it is slow

Found = dict[str, Rows]


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work, how long it takes in any unit, and the keys that it finds."""

    effort: float
    keys: tuple[str, ...]
    work: Callable[[], Found]


def synthetic(shapes: Sequence[Dims], scale: float) -> Iterator[Job]:
    """Every kind in every shape; `scale` times the usual number of draws, at least one."""
    for kind in KINDS:
        for dims in filter(kind.fits, shapes):
            count = max(1, round(scale * kind.share * DRAWS[size_class(num_evals(dims))]))
            for first in range(0, count, AT_ONCE):
                numbers = range(first, min(count, first + AT_ONCE))
                yield Job(
                    effort=len(numbers) * min(dims[:2]) * num_evals(dims) * max(dims[:2]),
                    keys=tuple(trial_key(kind, dims, number) for number in numbers),
                    work=partial(_audited, kind.name, dims, tuple(numbers)),
                )


def referred(shapes: Sequence[Dims], scale: float) -> Iterator[Job]:
    """The reference on the first draws of its kinds."""
    for kind in map(BY_NAME.__getitem__, reference.KINDS):
        fitting = tuple(filter(kind.fits, shapes))
        for number in range(max(1, round(scale * REFERENCE_DRAWS))):
            keys = tuple(reference_key(kind, dims, number) for dims in fitting)
            yield Job(1e9, keys, partial(_referred, kind.name, fitting, number))


def real(data: Path) -> Iterator[Job]:
    """Every real model alone, and against its baseline."""
    for name in trained.models(data):
        yield Job(1e9, (f"alone|{name}",), partial(_alone, data, name))
        if name in trained.BASELINES:
            yield Job(1e9, (f"compared|{name}",), partial(_compared, data, name))


def real_referred(data: Path) -> Iterator[Job]:
    """The reference on every real model."""
    for name in trained.models(data):
        yield Job(1e9, (f"flags|{name}",), partial(_flagged, data, name))


def missing(jobs: Iterator[Job], journal: Journal) -> list[Job]:
    """Those of which something is not on file yet, the longest first."""
    left = (job for job in jobs if not journal.found.keys() >= set(job.keys))
    return sorted(left, key=lambda job: job.effort, reverse=True)


def trial_key(kind: Kind, dims: Dims, number: int) -> str:
    """Where the journal keeps a trial."""
    return f"ours|{kind.name}|{title(dims)}|{number}"


def reference_key(kind: Kind, dims: Dims, number: int) -> str:
    """Where the journal keeps what the reference says about it."""
    return f"reference|{kind.name}|{title(dims)}|{number}"


def _audited(kind: str, dims: Dims, numbers: tuple[int, ...]) -> Found:
    made = BY_NAME[kind]
    return {
        trial_key(made, dims, number): [asdict(one) for one in outcomes(draw(made, dims, number))]
        for number in numbers
    }


def _referred(kind: str, shapes: tuple[Dims, ...], number: int) -> Found:
    made = BY_NAME[kind]
    drawn = {
        reference_key(made, dims, number): draw(made, dims, number).after[LAYER] for dims in shapes
    }
    found = reference.flags(drawn, number)
    return {key: [asdict(found[key])] if key in found else [] for key in drawn}


def _alone(data: Path, name: str) -> Found:
    return {f"alone|{name}": [asdict(one) for one in trained.audit(data, name)]}


def _compared(data: Path, name: str) -> Found:
    return {f"compared|{name}": [asdict(one) for one in trained.compare(data, name)]}


def _flagged(data: Path, name: str) -> Found:
    found = trained.flags(data, name)
    return {f"flags|{name}": [asdict(one) for one in found.values()]}
