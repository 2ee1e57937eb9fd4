"""What an audit is going to fetch, to need and to take, known before a weight is read."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from auditor.architecture import Architecture
from auditor.architecture.building import build
from auditor.errors import UsageError, WeightsError
from auditor.estimates import Speed, effort, seconds
from auditor.executors.machine import cores
from auditor.executors.threads import Job, at_once
from auditor.fetching import Space, is_partial, missing, mode, ranged, total, why
from auditor.measuring.station import needed
from auditor.measuring.unit import Unit
from auditor.measuring.units import chosen, no_match, units_of
from auditor.memory import Passing
from auditor.records import Settings
from auditor.wall import jobs
from auditor.wall.jobs import Terms
from auditor.wall.process import apart
from auditor.weights import Tensor, configs, wanted

SHOWN = 5  # files and layers that are named


@dataclass(frozen=True, slots=True)
class Named:
    """A file or a layer, and its bytes."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """An audit that has not been made. Bytes, and seconds on this machine."""

    uri: str
    files: int
    bytes: int  # of all weight files
    largest_files: tuple[Named, ...]
    failures: tuple[str, ...]  # files that cannot be read, and why
    tensors: int
    matrices: int
    parameters: int  # of matrices
    mode: str  # local, whole, ranges
    reason: str  # of that mode
    fetched: int
    disk: int  # what of it is kept
    memory: int  # at the peak: of all layers at work at one time
    memory_limit: int
    at_once: int  # layers side by side
    pairs: bool  # each beside the baseline's
    largest_layers: tuple[Named, ...]
    too_large: tuple[Named, ...]  # layers that need more than the limit each
    seconds: float
    time_budget: float | None
    coverage: float  # part of the parameters that fit into memory and time


def plan(
    job: jobs.Job, space: Space, speed: Speed, *, pairs: bool, execute: jobs.Execute = apart
) -> Plan:
    """Plan an audit from the headers of its files; values are neither read nor fetched.

    Parameters
    ----------
    job
        What is to be audited, how, and within which limits.
    space
        Where files would be kept.
    speed
        Of this machine.
    pairs
        Whether there is a baseline; it is taken to have every layer in the same shape.
    execute
        Reads the headers: in a process of its own, or in this one.

    Raises
    ------
    UsageError
        If there is no weight file, or no layer is called as the settings ask.
    SourceError
        If a header cannot be fetched.
    """
    files, terms = job.files, job.terms
    found = execute(replace(job, ranged=True, headers=True), _desk())
    units = _units(found.headers, dict(configs(files)), terms.settings)
    layers = _Layers(units, terms, pairs)
    weights = wanted(files).used
    absent = missing(files)
    in_parts = ranged(files, terms, space)
    fetched = layers.stored({file.name for file in absent}) if in_parts else total(absent)
    hashed = 0 if in_parts else total(weights)
    estimate = hashed / speed.hashing + layers.seconds(speed)
    return Plan(
        uri=job.where,
        files=len(weights),
        bytes=total(weights),
        largest_files=_largest(Named(file.name, file.size) for file in weights),
        failures=tuple(f"{one.name}: {one.reason}" for one in found.reading.failures),
        tensors=len(found.headers),
        matrices=sum(len(unit.shape) >= 2 for unit in units),
        parameters=layers.parameters,
        mode=mode(absent, in_parts=in_parts),
        reason=why(absent, space, some=is_partial(terms)),
        fetched=fetched,
        disk=0 if in_parts else fetched,
        memory=layers.peak,
        memory_limit=terms.memory,
        at_once=layers.at_once,
        pairs=pairs,
        largest_layers=_largest(layers.fitting),
        too_large=tuple(sorted(layers.too_large, key=lambda one: -one.bytes)),
        seconds=estimate if terms.time_budget is None else min(estimate, terms.time_budget),
        time_budget=terms.time_budget,
        coverage=layers.coverage(speed),
    )


@dataclass(frozen=True)
class _Layers:
    """What measuring the layers takes."""

    units: Sequence[Unit]
    terms: Terms
    pairs: bool

    @cached_property
    def fitting(self) -> list[Named]:
        return [need for need in self._needs if need.bytes <= self.terms.memory]

    @cached_property
    def too_large(self) -> list[Named]:
        return [need for need in self._needs if need.bytes > self.terms.memory]

    @cached_property
    def parameters(self) -> int:
        return sum(map(parameters, self.units))

    @cached_property
    def at_once(self) -> int:
        jobs = [self._job(unit, need.bytes) for unit, need in self._measured]
        return at_once(jobs, self.terms.memory, self.terms.workers)

    @cached_property
    def peak(self) -> int:
        """Bytes of the largest layers that may be at work together."""
        total = count = 0
        for need in sorted((need.bytes for need in self.fitting), reverse=True):
            if count < self.at_once and total + need <= self.terms.memory:
                total, count = total + need, count + 1
        return total

    def seconds(self, speed: Speed) -> float:
        """On all cores; one layer alone has them all for its matrix products."""
        return sum(self._taken(unit, speed) for unit, _ in self._measured) / self._cores

    def coverage(self, speed: Speed) -> float:
        """Part of the parameters that fit into memory and time."""
        found = [(self._taken(unit, speed), parameters(unit)) for unit, _ in self._measured]
        left = (self.terms.time_budget or math.inf) * self._cores
        covered = 0
        for taken, count in sorted(found, key=lambda one: one[0] / max(one[1], 1)):
            if taken <= left:
                left, covered = left - taken, covered + count
        return covered / self.parameters if self.parameters else 0.0

    def stored(self, files: Container[str]) -> int:
        """Bytes that the tensors take in some of the files."""
        tensors = (tensor for unit in self.units for tensor in unit.tensors)
        return sum(t.nbytes if t.stored is None else t.stored for t in tensors if t.file in files)

    @cached_property
    def _cores(self) -> int:
        return min(self.terms.workers or cores(), cores())

    @cached_property
    def _needs(self) -> list[Named]:
        return [Named(unit.name, self._needed(unit)) for unit in self.units]

    def _needed(self, unit: Unit) -> int:
        """Beside the baseline's where both fit, else alone."""
        alone, pair = (needed(unit, self.terms.settings, pair=pair) for pair in (False, True))
        return pair if self.pairs and pair <= self.terms.memory else alone

    @cached_property
    def _measured(self) -> list[tuple[Unit, Named]]:
        both = zip(self.units, self._needs, strict=True)
        return [(unit, need) for unit, need in both if need.bytes <= self.terms.memory]

    def _job(self, unit: Unit, bytes_: int) -> Job[None]:
        return Job(lambda: None, bytes_, effort(unit.like))

    def _taken(self, unit: Unit, speed: Speed) -> float:
        return seconds(unit.like, self.terms.settings, speed, pair=self.pairs)


def parameters(unit: Unit) -> int:
    """Of its matrix; 0 where it has none."""
    return (unit.values or math.prod(unit.shape)) if len(unit.shape) >= 2 else 0


def _desk() -> jobs.Desk:
    return jobs.Desk(Passing(), jobs.quiet, jobs.any_weights, build, jobs.at_leisure)


def _units(
    headers: Iterable[jobs.Header], configurations: Mapping[str, bytes], settings: Settings
) -> list[Unit]:
    """What is measured, as far as it can be told without making the model."""
    tensors = [
        Tensor(one.name, one.shape, one.dtype, one.file, _unread, one.read_as, one.stored)
        for one in headers
    ]
    architecture = Architecture().with_configs(configurations)
    units, _ = chosen(units_of(tensors, architecture), settings.layers)
    if tensors and not units:
        raise UsageError(no_match([tensor.name for tensor in tensors], settings.layers))
    return units


def _unread() -> bytes:
    raise WeightsError("only the header of this tensor was read")


def _largest(found: Iterable[Named]) -> tuple[Named, ...]:
    return tuple(sorted(found, key=lambda one: -one.bytes)[:SHOWN])
