"""What an audit is going to fetch, to need and to take, known before a weight is read."""

import math
import shutil
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from auditor.amounts import as_size
from auditor.architecture import Architecture
from auditor.errors import SourceError, UsageError
from auditor.estimates import Speed, effort, seconds
from auditor.executors.threads import Job, at_once, cores
from auditor.measuring.station import needed
from auditor.measuring.unit import Unit
from auditor.measuring.units import chosen, no_match, units_of
from auditor.records import ModelVersion, Settings, SourceFile
from auditor.wall.jobs import Terms
from auditor.weights import Inventory, opened, wanted

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where fetched files are kept, and how many bytes of them."""

    folder: Path  # there already or not
    limit: int

    @property
    def room(self) -> int:
        """Bytes there is room for: within the limit, and on the disk."""
        folder = self.folder.absolute()
        there = next(path for path in (folder, *folder.parents) if path.exists())
        return min(self.limit, shutil.disk_usage(there).free)


def ranged(files: Sequence[SourceFile], *, disk: int, folder: Path, partial: bool) -> bool:
    """Whether to fetch only the parts of a version's files that are read.

    Whole files are preferred, for only those can be held against their digests: they are
    fetched where they fit, unless only some of the tensors are wanted.

    Parameters
    ----------
    files
        Every file of the version.
    disk
        Bytes that fetched files may take, ``limits.disk``.
    folder
        Where they would be kept, there already or not: it has to have the space, too.
    partial
        Only some of the tensors are wanted.

    Raises
    ------
    SourceError
        If they do not fit, and their place hands out whole files only.
    """
    missing = _missing(files)
    staged, room = _sum(file for file in missing if file.staged), Place(folder, disk).room
    if staged > room:
        raise SourceError(
            f"{as_size(staged)} are to be fetched, from a place that hands out no parts of files, "
            f"and {as_size(room)} are the less of limits.disk and of what is free; make room, or "
            "raise limits.disk"
        )
    return len(missing) > 0 and (partial or _sum(missing) > room)


def plan(
    version: ModelVersion,
    files: Sequence[SourceFile],
    terms: Terms,
    place: Place,
    speed: Speed,
    *,
    pairs: bool,
) -> Plan:
    """Plan an audit from the headers of its files; values are neither read nor fetched.

    Parameters
    ----------
    version, files
        What is to be audited.
    terms, place
        How, and within which limits.
    speed
        Of this machine.
    pairs
        Whether there is a baseline; it is taken to have every layer in the same shape.

    Raises
    ------
    UsageError
        If there is no weight file, or no layer is called as the settings ask.
    SourceError
        If a header cannot be fetched.
    """
    with opened(files, version.uri, ranged=True, unchecked=True) as inventory:
        units = _units(inventory, terms.settings)
    layers = _Layers(units, terms, pairs)
    weights = wanted(files).used
    missing = _missing(files)
    some = bool(terms.settings.layers) or terms.time_budget is not None
    in_parts = ranged(files, disk=place.limit, folder=place.folder, partial=some)
    fetched = layers.stored({file.name for file in missing}) if in_parts else _sum(missing)
    hashed = 0 if in_parts else sum(file.size for file in weights)
    estimate = hashed / speed.hashing + layers.seconds(speed)
    return Plan(
        uri=version.uri,
        files=len(weights),
        bytes=_sum(weights),
        largest_files=_largest(Named(file.name, file.size) for file in weights),
        failures=tuple(f"{one.name}: {one.reason}" for one in inventory.reading.failures),
        tensors=len(inventory.tensors),
        matrices=sum(len(unit.shape) >= 2 for unit in units),
        parameters=layers.parameters,
        mode=_mode(missing, in_parts=in_parts),
        reason=_why(missing, place, some=some),
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


def _units(inventory: Inventory, settings: Settings) -> list[Unit]:
    """What is measured, as far as it can be told without making the model."""
    architecture = Architecture().with_configs(inventory.configs)
    units, _ = chosen(units_of(inventory.tensors, architecture), settings.layers)
    if inventory.tensors and not units:
        raise UsageError(no_match([tensor.name for tensor in inventory.tensors], settings.layers))
    return units


def _missing(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Weight files that are needed and not on this machine."""
    return [file for file in wanted(files).used if file.is_elsewhere]


def _sum(files: Iterable[SourceFile]) -> int:
    return sum(file.size for file in files)


def _mode(missing: Sequence[SourceFile], *, in_parts: bool) -> str:
    if not missing:
        return "local"
    return "ranges" if in_parts else "whole"


def _why(missing: Sequence[SourceFile], place: Place, *, some: bool) -> str:
    """Why files are fetched as they are."""
    if not missing:
        return "they are on this machine"
    total, room = as_size(_sum(missing)), as_size(place.room)
    if some:
        return "only some of the tensors are wanted; they cannot be held against digests then"
    if _sum(missing) > place.room:
        return (
            f"{total} do not fit into {room}, the less of limits.disk and of what is free; "
            "what is read in parts cannot be held against digests"
        )
    return f"{total} fit into {room}, so that they can be held against their digests"


def _largest(found: Iterable[Named]) -> tuple[Named, ...]:
    return tuple(sorted(found, key=lambda one: -one.bytes)[:SHOWN])
