"""What is on file, sorted by where it comes from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from benchmarks.calibration.auditing import Outcome
from benchmarks.calibration.journal import Journal, Rows
from benchmarks.calibration.kinds import BY_NAME, Kind
from benchmarks.calibration.reference import Flags
from benchmarks.calibration.shapes import CLASSES, Dims, dims_of, num_evals, size_class

PARTS = ("ours", "reference", "alone", "compared", "flags")
SIZES = tuple(reversed(CLASSES))
DECIDED = SIZES[1:]  # those in which a layer can be called random-like


@dataclass(frozen=True, slots=True)
class Layer:
    """An outcome, with the kind and shape it belongs to."""

    kind: Kind
    dims: Dims
    outcome: Outcome

    @property
    def size(self) -> str:
        """Its class, by the shape: a layer that was skipped has no eigenvalues."""
        return size_class(num_evals(self.dims))

    def says(self, check: str) -> bool:
        """Whether a check has a finding here that counts in the gate."""
        return check in self.outcome.gates

    def names(self, check: str) -> bool:
        """Whether a check has a finding here, be it for information."""
        return check in (*self.outcome.gates, *self.outcome.informs)


@dataclass(frozen=True, slots=True)
class Same:
    """What the reference and an audit say about the same layer."""

    layer: Layer
    flags: Flags


@dataclass(frozen=True, slots=True)
class Results:
    """Layers of seeded kinds, and real models by ``set/file``."""

    layers: tuple[Layer, ...]
    same: tuple[Same, ...]
    alone: Mapping[str, tuple[Outcome, ...]]
    compared: Mapping[str, tuple[Outcome, ...]]
    flags: Mapping[str, tuple[Flags, ...]]

    def of(self, kinds: Sequence[Kind], sizes: Sequence[str] = SIZES) -> tuple[Layer, ...]:
        """Layers of some kinds in some classes of size."""
        names = {kind.name for kind in kinds}
        return tuple(one for one in self.layers if one.kind.name in names and one.size in sizes)


def sort(found: Iterable[Journal]) -> Results:
    """Put every line of the journals where it belongs."""
    parts: dict[str, dict[str, Rows]] = {part: {} for part in PARTS}
    for key, rows in chain.from_iterable(journal.found.items() for journal in found):
        part, _, rest = key.partition("|")
        parts[part][rest] = rows
    ours = {key: _layers(key, rows) for key, rows in parts["ours"].items()}
    return Results(
        layers=tuple(layer for layers in ours.values() for layer in layers),
        same=tuple(
            Same(ours[key][0], Flags(**rows[0]))
            for key, rows in parts["reference"].items()
            if rows and key in ours
        ),
        alone={key: tuple(map(Outcome.of, rows)) for key, rows in parts["alone"].items()},
        compared={key: tuple(map(Outcome.of, rows)) for key, rows in parts["compared"].items()},
        flags={key: tuple(Flags(**row) for row in rows) for key, rows in parts["flags"].items()},
    )


def _layers(key: str, rows: Rows) -> tuple[Layer, ...]:
    kind, shape, _ = key.split("|")
    return tuple(Layer(BY_NAME[kind], dims_of(shape), Outcome.of(row)) for row in rows)
