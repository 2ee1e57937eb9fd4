"""One unit at a time: read, measured where that was not done before, and compared."""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

from auditor.amounts import as_size, as_time
from auditor.architecture import Architecture
from auditor.audit import measure
from auditor.changes import Sides, change
from auditor.errors import WeightsError
from auditor.estimates import Speed, effort, peak_bytes, seconds, speed
from auditor.executors.threads import Job, at_peak, run
from auditor.measuring.bench import Bench
from auditor.measuring.keys import measurement_key
from auditor.measuring.layouts import nearest
from auditor.measuring.pairing import Others, Outcome, heads
from auditor.measuring.unit import Read, Unit
from auditor.records import (
    UNTIMELY,
    FloatArray,
    Layer,
    LayerChange,
    LayerRecord,
    Matrix,
    Measurement,
    Settings,
    Skip,
)
from auditor.spectral.fused import Split, find_split
from auditor.spectral.kinds import block, is_fused, order
from auditor.spectral.matrices import divide

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A layer with its matrices and eigenvalues, while the work on it lasts."""

    record: LayerRecord
    layer: Layer
    eigenvalues: tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """What a unit became: its layers, or why it has none."""

    digest: str
    parts: tuple[_Part, ...]
    skips: tuple[Skip, ...]


@dataclass(frozen=True, slots=True)
class Station:
    """Where the units of a version are worked on."""

    bench: Bench
    architecture: Architecture
    verified: frozenset[str]  # files whose digest was checked or computed
    others: Others | None
    places: Mapping[str, int]  # of every tensor, counted through the files

    def outcomes(self, wanted: Sequence[Unit]) -> list[Outcome]:
        """Every unit measured and compared, in model order whatever order they finished in.

        A unit that needs more memory than there is, or more time than is left, is not
        started: its tensors are skipped, as not read.
        """
        named = {unit.name: unit for unit in wanted}
        names = order(named, self.architecture.positions)
        found = {unit.name: out for unit in wanted if (out := self._too_large(unit))}
        limit = self.bench.time_budget
        rate = None if limit is None else speed(self.bench.solve)
        placed = [
            self._job(index, named[name], rate)
            for index, name in enumerate(names)
            if name not in found
        ]
        jobs = [job for _, job in sorted(placed, key=lambda pair: pair[0])]
        among = self.bench.admit(at_peak(jobs, self.bench.budget, self.bench.workers))
        for outcome in run(
            jobs,
            budget=self.bench.budget,
            workers=self.bench.workers,
            deadline=None if limit is None else time.monotonic() + limit,
            among=among,
        ):
            found[outcome.unit.name] = outcome
            self.bench.progress(len(found), len(names), outcome.unit.name)
        return [found[name] for name in names]

    def _too_large(self, unit: Unit) -> Outcome | None:
        """That it does not fit into memory, if it does not."""
        if (needed := self._bytes(unit)) <= self.bench.budget:
            return None
        limit = as_size(self.bench.budget)
        reason = f"needs {as_size(needed)} to be measured, the memory limit is {limit}; raise it"
        return Outcome(unit, "", (), unit.unread(reason))

    def _job(self, index: int, unit: Unit, rate: Speed | None) -> tuple[float, Job[Outcome]]:
        """The work on a unit, and what jobs are sorted by.

        The longest start first, so that no core is idle in the end; with a limit of time
        those that have most parameters for it; and what is fetched in parts comes in the
        order of its file.
        """
        taken = 0.0
        place = -effort(unit.like)
        if rate is not None:
            taken = seconds(unit.like, self.bench.settings, rate, pair=self._is_pair(unit))
            place = -(unit.values or math.prod(unit.shape)) / max(taken, 1e-9)
        elif not unit.files <= self.verified:
            place = float(self.places.get(unit.tensors[0].name, 0))
        return place, Job(
            work=partial(self._outcome, index, unit),
            bytes=self._bytes(unit),
            effort=effort(unit.like),
            seconds=taken,
            late=partial(self._untimely, unit),
        )

    def _untimely(self, unit: Unit) -> Outcome:
        reason = f"{UNTIMELY} of {as_time(self.bench.time_budget or 0.0)}"
        return Outcome(unit, "", (), unit.unread(reason))

    def _is_pair(self, unit: Unit) -> bool:
        """Whether the baseline has it too, and both fit into memory together."""
        if not (self.others and self.others.unit(unit)):
            return False
        return self._needed(unit, pair=True) <= self.bench.budget

    def _bytes(self, unit: Unit) -> int:
        return self._needed(unit, pair=self._is_pair(unit))

    def _needed(self, unit: Unit, *, pair: bool) -> int:
        settings = self.bench.settings
        more = settings.more_distances or self.bench.added
        return needed(unit, replace(settings, more_distances=more), pair=pair)

    def _outcome(self, index: int, unit: Unit) -> Outcome:
        made = self._made(index, unit, verified=unit.files <= self.verified)
        layers = tuple(part.record for part in made.parts)
        changes = self._changes(unit, made.parts, self.others) if self.others else ()
        return Outcome(unit, made.digest, layers, made.skips, tuple(changes))

    def _made(self, index: int, unit: Unit, *, verified: bool) -> _Made:
        try:
            read = unit.read()
        except (WeightsError, OSError) as error:
            return _Made("", (), unit.unread(f"unreadable: {error}"))
        if read.layer is None:
            return _Made("", (), read.skips)
        layers = divide(read.layer, self.bench.settings, self._split(unit, read.layer))
        parts = (self._part(index, unit, read, layer, verified=verified) for layer in layers)
        return _Made(read.digest, tuple(parts), read.skips)

    def _split(self, unit: Unit, layer: Layer) -> Split | None:
        """Where query, key and value lie, if that is asked for and known."""
        if not self.bench.settings.split_qkv or not is_fused(unit.name):
            return None
        heads = self.architecture.heads(unit.tensors[0])
        found = find_split(unit.name, layer.shape, heads)
        if found is None:
            text = "%s is not split: how its heads lie is not known"
            log.info(text, unit.name[:200], extra={"event": "layer.unsplit"})
        return found

    def _part(self, index: int, unit: Unit, read: Read, layer: Layer, *, verified: bool) -> _Part:
        digest = _of_part(read.digest, layer.part) if layer.part else read.digest
        measurement, eigenvalues = self._numbers(layer, digest)
        record = LayerRecord(
            name=layer.name,
            index=index,
            block=block(layer.name),
            kind=layer.kind,
            dtype=layer.dtype,
            shape=layer.slices[0].shape if layer.part else layer.shape,
            digest=digest,
            measured=measurement,
            verified=verified,
            values=unit.values,
        )
        return _Part(record, layer, eigenvalues)

    def _numbers(self, layer: Layer, digest: str) -> tuple[Measurement, tuple[FloatArray, ...]]:
        """Numbers and eigenvalues, from memory where both are there."""
        memory, key = self.bench.memory, measurement_key(layer, digest, self.bench.settings)
        found = memory.recall(key)
        if found is None:
            found = measure(layer, self.bench.settings, self.bench.solve)
            memory.keep(key, found)
        return found.measurement, found.eigenvalues

    def _changes(self, unit: Unit, parts: Sequence[_Part], others: Others) -> Iterator[LayerChange]:
        """The distances of a unit's layers to the baseline's of the same name and shape."""
        pair = others.unit(unit)
        if others.units and pair is None:
            return
        records = [part.record for part in parts]
        stored = [others.layers.get(others.called(record.name)) for record in records]
        if all(old and old.digest == new.digest for old, new in zip(stored, records, strict=True)):
            # the same weights: nothing else need be read
            named = ((record, others.called(record.name)) for record in records)
            yield from (others.moved(record, name) for record, name in named)
        elif pair is not None and self._is_pair(unit):
            yield from self._held_against(unit, pair, stored, parts)
        else:
            known = zip(stored, parts, strict=True)
            yield from (self._since(old, part) for old, part in known if old)

    def _held_against(
        self,
        unit: Unit,
        pair: Unit,
        stored: Sequence[LayerRecord | None],
        parts: Sequence[_Part],
    ) -> Iterator[LayerChange]:
        """The distances to what is read of the baseline, if it is what its audit measured."""
        made = self._made(parts[0].record.index, pair, verified=True) if parts else None
        before = {part.record.name: part for part in made.parts} if made else {}
        for old, part in zip(stored, parts, strict=True):
            one = before.get(pair.name + part.record.name.removeprefix(unit.name))
            if old and (one is None or one.record.digest != old.digest):
                text = "%s of the baseline is not what was audited"
                log.warning(text, old.name[:200], extra={"event": "baseline.changed"})
                yield self._since(old, part)
            elif one:
                yield self._between(
                    one, part, None if pair.name == unit.name else heads(unit, pair)
                )

    def _between(self, before: _Part, after: _Part, heads: int | None) -> LayerChange:
        """The distances where both tensors are at hand.

        `heads` is None where one tool named both; else of the attention they belong to, or 0.
        """

        def weights() -> tuple[Sequence[Matrix], Sequence[Matrix]]:
            one, two = before.layer.matrices, after.layer.matrices
            return one if heads is None else nearest(one, two, heads), two

        sides = Sides(
            weights=weights,
            spectra=(before.eigenvalues, after.eigenvalues),
        )
        more, added = self.bench.settings.more_distances, self.bench.added
        return change(before.record, after.record, sides, more=more, added=added)

    def _since(self, before: LayerRecord, after: _Part) -> LayerChange:
        """The distances to a layer of which only the numbers and perhaps the spectrum are left."""
        key = measurement_key(after.layer, before.digest, self.bench.settings)
        kept = self.bench.memory.recall(key)
        spectra = (kept.eigenvalues, after.eigenvalues) if kept else None
        sides = Sides(weights=None, spectra=spectra)
        more, added = self.bench.settings.more_distances, self.bench.added
        return change(before, after.record, sides, more=more, added=added)


def needed(unit: Unit, settings: Settings, *, pair: bool) -> int:
    """Bytes that a unit needs while it is measured, or with `pair` it and the baseline's."""
    products = 16 * math.prod(unit.shape) if pair and unit.values else 0
    return peak_bytes(unit.like, settings, pair=pair) + products


def _of_part(digest: str, part: str) -> str:
    return sha256(f"{digest}{part}".encode()).hexdigest()
