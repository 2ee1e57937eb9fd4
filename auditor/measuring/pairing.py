"""Which layers of a version stand against which of its baseline, and how that adds up."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from auditor.architecture import Architecture
from auditor.changes import Sides, change, match, renames
from auditor.errors import WeightsError
from auditor.measuring.unit import Unit
from auditor.measuring.units import PART, chosen, is_wanted, units_of
from auditor.records import Comparison, LayerChange, LayerRecord, ModelVersion, Skip
from auditor.weights import Tensor
from auditor.weights.gguf_names import ggml_name, turns


@dataclass(frozen=True)
class Baseline:
    """The other side of the pairs: tensors where they are at hand, else stored layers."""

    version: ModelVersion
    tensors: Mapping[str, Tensor]
    layers: Mapping[str, LayerRecord]  # from its stored audit; used where `tensors` is empty
    note: str = ""  # why the tensors are not at hand
    configs: Mapping[str, bytes] = field(default_factory=dict)  # its JSON files, by their name

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor of two dimensions or more."""
        found: Mapping[str, Tensor | LayerRecord] = self.tensors or self.layers
        return {name: part.shape for name, part in found.items() if len(part.shape) >= 2}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is left of a unit when the work on it is done."""

    unit: Unit
    digest: str  # empty where it has no layer
    layers: tuple[LayerRecord, ...]
    skips: tuple[Skip, ...]
    changes: tuple[LayerChange, ...] = ()

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """Names before and after of layers that another tool calls otherwise."""
        pairs = ((change.before.name, change.name) for change in self.changes)
        return tuple(pair for pair in pairs if pair[0] != pair[1])


@dataclass(frozen=True, slots=True)
class _Group:
    """The layers behind one name that the baseline may have too."""

    shape: tuple[int, ...]
    digest: str
    layers: tuple[LayerRecord, ...]


@dataclass(frozen=True)
class Others:
    """The baseline, as far as it is asked for, in the units of the version."""

    baseline: Baseline
    architecture: Architecture  # of the version: what has one name and shape is cut alike
    patterns: Sequence[str]
    more: bool  # whether the distances on request are wanted
    added: bool = False  # whether what was added is

    @cached_property
    def weights(self) -> list[Unit]:
        """All of its units; none where its tensors are not at hand."""
        own = self.architecture.with_configs(self.baseline.configs)
        return units_of(tuple(self.baseline.tensors.values()), own)

    @cached_property
    def units(self) -> dict[str, Unit]:
        """The same by name; also those that nobody asked for by the baseline's name."""
        return {unit.name: unit for unit in self.weights}

    @property
    def layers(self) -> Mapping[str, LayerRecord]:
        """Those of its stored audit, by name."""
        return self.baseline.layers

    @property
    def _asked(self) -> Iterator[tuple[str, Unit | LayerRecord]]:
        """What is asked for, by name: units, or stored layers where there are none."""
        if self.units:
            yield from ((unit.name, unit) for unit in chosen(self.weights, self.patterns)[0])
            return
        yield from (pair for pair in self.layers.items() if is_wanted(pair[0], self.patterns))

    @cached_property
    def _by_ggml_name(self) -> dict[str, str]:
        """What llama.cpp calls its layers -> their names; of two that it calls alike none."""
        found: dict[str, str] = {}
        for name in self.units or self.layers:
            if known := ggml_name(name):
                found[known] = "" if known in found else name
        return found

    def called(self, name: str) -> str:
        """What the baseline calls a layer: the same, or what another tool calls it."""
        if name in self.units or name in self.layers:
            return name
        whole = PART.sub("", name)
        known = self._by_ggml_name.get(ggml_name(whole))
        return known + name.removeprefix(whole) if known else name

    def unit(self, unit: Unit) -> Unit | None:
        """The one of the same name and shape, or of the name and layout of another tool."""
        found = self.units.get(self.called(unit.name))
        return found if found and _are_one(found, unit) else None

    def moved(self, layer: LayerRecord, before: str) -> LayerChange:
        """The distance to the same weights, which the baseline has under the name `before`."""
        sides = Sides(weights=None, spectra=None)
        one = replace(layer, name=before)
        return change(one, layer, sides, more=self.more, added=self.added)

    def compared(self, outcomes: Sequence[Outcome], skipped: Iterable[Skip]) -> Comparison:
        """Put the changes together; layers without a match by name may have been renamed.

        What the version has and skips, such as a mask, neither came nor went; nor did what
        its adapters leave as it is.
        """
        here = {self.called(skip.name) for skip in skipped}
        groups, shapes = dict(self._groups(outcomes)), self._shapes(here)
        if any(outcome.unit.is_on_baseline for outcome in outcomes):
            shapes = {name: shape for name, shape in shapes.items() if name in groups}
        elsewhere = dict(self._elsewhere(groups, outcomes))
        there = set(elsewhere.values())
        matching = match(
            {name: group.shape for name, group in groups.items() if name not in elsewhere},
            {name: shape for name, shape in shapes.items() if name not in there},
        )
        wanted = {groups[name].shape for name in matching.added}
        candidates = [name for name in matching.removed if shapes[name] in wanted]
        pairs = renames(
            {name: groups[name].digest for name in matching.added},
            {name: self._digest(name) for name in candidates},
        )
        renamed = [
            (before + layer.name.removeprefix(after), layer)
            for before, after in pairs
            for layer in groups[after].layers
        ]
        old, new = {before for before, _ in pairs}, {after for _, after in pairs}
        added = [groups[name].layers for name in matching.added if name not in new]
        return Comparison(
            baseline=self.baseline.version,
            layers=(
                *(changed for outcome in outcomes for changed in outcome.changes),
                *(self.moved(layer, before) for before, layer in renamed),
            ),
            added=tuple(layer.name for layers in added for layer in layers),
            removed=tuple(name for name in matching.removed if name not in old),
            renamed=(
                *(pair for outcome in outcomes for pair in outcome.renamed),
                *((before, layer.name) for before, layer in renamed),
            ),
            note=self.baseline.note,
        )

    def _elsewhere(
        self, groups: Mapping[str, _Group], outcomes: Iterable[Outcome]
    ) -> Iterator[tuple[str, str]]:
        """Layers that were compared with one of another name, and what the baseline calls it."""
        for outcome in outcomes:
            for before, after in outcome.renamed:
                names = (
                    (PART.sub("", after), PART.sub("", before)) if self.units else (after, before)
                )
                if names[0] in groups:
                    yield names

    def _groups(self, outcomes: Iterable[Outcome]) -> Iterator[tuple[str, _Group]]:
        """By unit where the baseline has units, by layer where it has stored layers."""
        for found in outcomes:
            if not self.units:
                yield from (
                    (one.name, _Group(one.shape, one.digest, (one,))) for one in found.layers
                )
            elif found.layers:
                yield found.unit.name, _Group(found.unit.shape, found.digest, found.layers)

    def _shapes(self, skipped: Container[str]) -> dict[str, tuple[int, ...]]:
        """Of the baseline's matrices, without those that are still here and have no spectrum."""
        sides = {name: one.shape for name, one in self._asked if name not in skipped}
        return {name: shape for name, shape in sides.items() if len(shape) >= 2}

    def _digest(self, name: str) -> str:
        """Of the baseline's layer, as audited or as read; empty where it cannot be read."""
        if name in self.layers:
            return self.layers[name].digest
        try:
            return self.units[name].read().digest
        except (WeightsError, OSError):
            return ""


def heads(one: Unit, other: Unit) -> int:
    """Of the attention whose rows a tool may have put in its own order; 0 of any other layer."""
    return max(tensor.heads for tensor in (*one.tensors, *other.tensors))


def _are_one(one: Unit, other: Unit) -> bool:
    """Whether a layer's values may lie in both: in one shape, or as another tool lays them out.

    The rows of queries and keys can only be put in order where their heads are known.
    """
    if one.name == other.name:
        return one.shape == other.shape
    is_turned = bool(turns(one.name) or turns(other.name))
    return one.shape in {other.shape, other.shape[::-1]} and (
        not is_turned or heads(one, other) > 0
    )


def is_vouched_for(tensors: Iterable[Tensor], layers: Iterable[LayerRecord]) -> bool:
    """Whether an audit has a digest of every matrix, which what is read can be held against."""
    audited = {PART.sub("", layer.name) for layer in layers}
    return all(tensor.name in audited for tensor in tensors if len(tensor.shape) >= 2)
