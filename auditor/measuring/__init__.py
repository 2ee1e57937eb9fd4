"""The station between bytes and numbers: read pairs, measure what is not known yet, compare.

`units` says what is read together, with the help of `adapters` and `quantised`; `station`
reads and measures it, `pairing` sets it against the baseline. One pair (a tensor and the
baseline's tensor of the same name and shape) is in memory per worker. What was measured
before, in any version or model, is remembered and not decomposed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from auditor.architecture import Architecture, understand
from auditor.errors import UsageError
from auditor.measuring.bench import Bench, Memory, Progress, quiet
from auditor.measuring.pairing import Baseline, Others, Outcome, is_vouched_for
from auditor.measuring.station import Station
from auditor.measuring.units import chosen, no_match, selected, units_of
from auditor.records import Comparison, LayerRecord, Skip
from auditor.spectral.kinds import is_embedding, is_head
from auditor.weights import Inventory

__all__ = [
    "Baseline",
    "Bench",
    "Measured",
    "Memory",
    "Progress",
    "is_vouched_for",
    "measure_version",
    "quiet",
]


@dataclass(frozen=True, slots=True)
class Measured:
    """A version, measured and compared."""

    layers: tuple[LayerRecord, ...]
    skipped: tuple[Skip, ...]
    comparison: Comparison | None
    before: tuple[LayerRecord, ...] = ()  # the baseline's layers, for what stood there already


def measure_version(inventory: Inventory, baseline: Baseline | None, bench: Bench) -> Measured:
    """Measure every tensor of `inventory`, and its distance to the baseline's, if there is one.

    Layers come in model order: that of the architecture where a configuration tells it, else
    embeddings, blocks by number, head. What does not fit into the bench's memory or time is
    skipped, as not read.

    Raises
    ------
    UsageError
        If no layer is called as ``bench.settings.layers`` asks.
    """
    architecture, patterns = understand(inventory, bench.build), bench.settings.layers
    more, added = bench.settings.more_distances, bench.added
    others = Others(baseline, architecture, patterns, more, added) if baseline else None
    bases = others.weights if others else ()
    wanted, left_out = chosen(units_of(inventory.tensors, architecture, bases), patterns)
    if inventory.tensors and not wanted:
        raise UsageError(no_match([tensor.name for tensor in inventory.tensors], patterns))
    verified = frozenset(file.name for file in inventory.reading.files if file.verified)
    places = {tensor.name: place for place, tensor in enumerate(inventory.tensors)}
    found = Station(bench, architecture, verified, others, places).outcomes(wanted)
    outcomes = [_unless_tied(outcome, found, architecture) for outcome in found]
    layers = [layer for outcome in outcomes for layer in outcome.layers]
    skipped = (
        *(skip for outcome in outcomes for skip in outcome.skips),
        *(selected(skip, patterns) for skip in inventory.skipped),
        *architecture.absent,
        *left_out,
    )
    comparison = others.compared(outcomes, skipped) if others else None
    return Measured(
        layers=tuple(replace(layer, index=index) for index, layer in enumerate(layers)),
        skipped=skipped,
        comparison=comparison,
        before=tuple(changed.before for changed in comparison.layers) if comparison else (),
    )


def _unless_tied(
    outcome: Outcome, outcomes: Sequence[Outcome], architecture: Architecture
) -> Outcome:
    """The same; or, of a head that only is the embedding again, that it is."""
    if not outcome.layers or not is_head(outcome.unit.name):
        return outcome
    one = outcome.unit.tensors[0]
    for other in outcomes:
        two = other.unit.tensors[0]
        is_same = other.digest == outcome.digest and is_embedding(other.unit.name)
        if is_same and architecture.may_be_tied(one, two):
            skip = Skip(one.name, one.shape, f"tied to {two.name}", one.dtype)
            return Outcome(outcome.unit, "", (), (skip,))
    return outcome
