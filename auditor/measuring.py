"""The station between bytes and numbers: read pairs, measure what is not known yet, compare.

One pair (a tensor and the baseline's tensor of the same name and shape) is in memory per
worker. What was measured before, in any version or model, is remembered and not decomposed
again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from typing import Protocol

from auditor import METRIC_SET
from auditor.audit import measure
from auditor.changes import Sides, change, match, renames
from auditor.errors import WeightsError
from auditor.estimates import effort, peak_bytes
from auditor.executors.threads import Job, run
from auditor.records import (
    Comparison,
    FloatArray,
    Layer,
    LayerChange,
    LayerRecord,
    Measurement,
    ModelVersion,
    Settings,
    Skip,
)
from auditor.spectral.eigenvalues import Eigensolver, lapack
from auditor.spectral.kinds import block, order
from auditor.spectral.matrices import cut
from auditor.weights import Inventory
from auditor.weights.tensors import Tensor, decode, digest

Progress = Callable[[int, int, str], None]  # done, total, name of what was just done


def quiet(done: int, total: int, name: str) -> None:
    """Show no progress."""


class Memory(Protocol):
    """Where measurements and spectra are kept, by measurement key."""

    def known(self, key: str) -> Measurement | None:
        """The numbers measured under this key before, if any."""

    def remember(self, key: str, digest: str, measurement: Measurement) -> None:
        """Keep numbers."""

    def spectrum(self, key: str) -> tuple[FloatArray, ...] | None:
        """Eigenvalues by slice, if they are still there."""

    def keep_spectrum(self, key: str, eigenvalues: Sequence[FloatArray]) -> None:
        """Keep eigenvalues."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What measuring needs besides the weights."""

    memory: Memory
    settings: Settings
    budget: int  # bytes all pairs at work may need together
    workers: int | None = None
    progress: Progress = quiet
    solve: Eigensolver = lapack


@dataclass(frozen=True)
class Baseline:
    """The other side of the pairs: tensors where they are at hand, else stored layers."""

    version: ModelVersion
    tensors: Mapping[str, Tensor]
    layers: Mapping[str, LayerRecord]  # from its stored audit; used where `tensors` is empty
    note: str = ""  # why the tensors are not at hand

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor of two dimensions or more."""
        found: Mapping[str, Tensor | LayerRecord] = self.tensors or self.layers
        return {name: part.shape for name, part in found.items() if len(part.shape) >= 2}


@dataclass(frozen=True, slots=True)
class Measured:
    """A version, measured and compared."""

    layers: tuple[LayerRecord, ...]
    skipped: tuple[Skip, ...]
    comparison: Comparison | None
    before: tuple[LayerRecord, ...] = ()  # the baseline's layers, for what stood there already


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A tensor that became a layer, with its matrices and eigenvalues while a job lasts."""

    record: LayerRecord
    layer: Layer
    eigenvalues: tuple[FloatArray, ...]


def measure_version(inventory: Inventory, baseline: Baseline | None, bench: Bench) -> Measured:
    """Measure every tensor of `inventory`, and its distance to the baseline's, if there is one.

    Layers come in model order whatever order they finished in.
    """
    tensors = {tensor.name: tensor for tensor in inventory.tensors}
    names = order(list(tensors))
    verified = {file.name: file.verified for file in inventory.reading.files}
    jobs = [
        Job(
            work=partial(
                _pair, index, tensor, baseline, bench, verified=verified.get(tensor.file, False)
            ),
            bytes=peak_bytes(tensor, bench.settings, pair=_is_paired(tensor, baseline)),
            effort=effort(tensor),
        )
        for index, tensor in enumerate(tensors[name] for name in names)
    ]
    results: dict[str, tuple[LayerRecord | Skip, LayerChange | None]] = {}
    for done, (record, changed) in enumerate(
        run(jobs, budget=bench.budget, workers=bench.workers), start=1
    ):
        results[record.name] = (record, changed)
        bench.progress(done, len(jobs), record.name)
    parts = [results[name] for name in names]
    layers = tuple(
        replace(record, index=index)
        for index, record in enumerate(part for part, _ in parts if isinstance(part, LayerRecord))
    )
    skips = tuple(part for part, _ in parts if isinstance(part, Skip))
    changes = tuple(changed for _, changed in parts if changed)
    comparison = _comparison(layers, changes, baseline, bench) if baseline else None
    return Measured(
        layers,
        skipped=(*skips, *inventory.skipped),
        comparison=comparison,
        before=tuple(changed.before for changed in comparison.layers) if comparison else (),
    )


def measurement_key(layer: Layer, tensor_digest: str, settings: Settings) -> str:
    """Same tensor, same cut, same settings, same metric set: same numbers."""
    rows, cols = layer.slices[0].shape
    text = f"{tensor_digest}|{len(layer.slices)}:{rows}x{cols}|{METRIC_SET}|{settings!r}"
    return sha256(text.encode()).hexdigest()


def _pair(
    index: int, tensor: Tensor, baseline: Baseline | None, bench: Bench, *, verified: bool
) -> tuple[LayerRecord | Skip, LayerChange | None]:
    part = _part(index, tensor, bench, verified=verified)
    if isinstance(part, Skip):
        return part, None
    if baseline is None or not _is_paired(tensor, baseline):
        return part.record, None
    return part.record, _against(part, baseline, bench)


def _is_paired(tensor: Tensor, baseline: Baseline | None) -> bool:
    return baseline is not None and baseline.shapes.get(tensor.name) == tensor.shape


def _against(part: _Part, baseline: Baseline, bench: Bench) -> LayerChange | None:
    """The distances to the baseline's layer of the same name."""
    after, name, more = part.record, part.record.name, bench.settings.more_distances
    stored = baseline.layers.get(name)
    if stored and stored.digest == after.digest:
        return _moved(after, name, more=more)  # the same weights: nothing else need be read
    if name not in baseline.tensors:
        before = baseline.layers[name]
        key = measurement_key(part.layer, before.digest, bench.settings)
        spectrum = bench.memory.spectrum(key)
        spectra = (spectrum, part.eigenvalues) if spectrum else None
        return change(before, after, Sides(weights=None, spectra=spectra), more=more)
    other = _part(after.index, baseline.tensors[name], bench, verified=True)
    if isinstance(other, Skip):
        return None
    sides = Sides(
        weights=lambda: (other.layer.slices, part.layer.slices),
        spectra=(other.eigenvalues, part.eigenvalues),
    )
    return change(other.record, after, sides, more=more)


def _part(index: int, tensor: Tensor, bench: Bench, *, verified: bool) -> _Part | Skip:
    try:
        data = tensor.read()
    except (WeightsError, OSError) as error:
        return Skip(tensor.name, tensor.shape, f"unreadable: {error}", tensor.dtype, read=False)
    layer = cut(tensor.name, decode(tensor.dtype, tensor.shape, data), tensor.dtype)
    if isinstance(layer, Skip):
        return layer
    made = digest(tensor.dtype, tensor.shape, data)
    measurement, eigenvalues = _numbers(layer, made, bench)
    record = LayerRecord(
        name=tensor.name,
        index=index,
        block=block(tensor.name),
        kind=layer.kind,
        dtype=tensor.dtype,
        shape=tensor.shape,
        digest=made,
        measured=measurement,
        verified=verified,
    )
    return _Part(record, layer, eigenvalues)


def _numbers(
    layer: Layer, tensor_digest: str, bench: Bench
) -> tuple[Measurement, tuple[FloatArray, ...]]:
    """Numbers and eigenvalues, from memory where both are there."""
    key = measurement_key(layer, tensor_digest, bench.settings)
    known = bench.memory.known(key)
    if known and (eigenvalues := bench.memory.spectrum(key)):
        return known, eigenvalues
    found = measure(layer, bench.settings, bench.solve)
    bench.memory.keep_spectrum(key, found.eigenvalues)
    bench.memory.remember(key, tensor_digest, found.measurement)
    return found.measurement, found.eigenvalues


def _comparison(
    layers: Sequence[LayerRecord],
    changes: tuple[LayerChange, ...],
    baseline: Baseline,
    bench: Bench,
) -> Comparison:
    """Put the changes together; layers without a match by name may have been renamed."""
    by_name = {layer.name: layer for layer in layers}
    matching = match({layer.name: layer.shape for layer in layers}, baseline.shapes)
    wanted = {by_name[name].shape for name in matching.added}
    candidates = [name for name in matching.removed if baseline.shapes[name] in wanted]
    pairs = renames(
        {name: by_name[name].digest for name in matching.added},
        {name: _digest_of(baseline, name) for name in candidates},
    )
    more = bench.settings.more_distances
    moved = tuple(_moved(by_name[after], before, more=more) for before, after in pairs)
    old, new = {before for before, _ in pairs}, {after for _, after in pairs}
    return Comparison(
        baseline=baseline.version,
        layers=(*changes, *moved),
        added=tuple(name for name in matching.added if name not in new),
        removed=tuple(name for name in matching.removed if name not in old),
        renamed=pairs,
        note=baseline.note,
    )


def _digest_of(baseline: Baseline, name: str) -> str:
    tensor = baseline.tensors.get(name)
    if tensor is None:
        return baseline.layers[name].digest
    try:
        return digest(tensor.dtype, tensor.shape, tensor.read())
    except (WeightsError, OSError):
        return ""


def _moved(layer: LayerRecord, before: str, *, more: bool) -> LayerChange:
    """The distance to the same weights, which the baseline has under the name `before`."""
    sides = Sides(weights=None, spectra=None)
    return change(replace(layer, name=before), layer, sides, more=more)
