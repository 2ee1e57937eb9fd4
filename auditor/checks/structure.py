"""Checks on what a model is made of: its layers, their shapes and types, and copies of them.

What changed since the baseline is an event: it is told of the version in which it happened,
and over in the next, which is compared with that one. Only a version that was blocked or
rejected stands for no baseline, and leaves the next with the same finding.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, takewhile
from typing import Annotated, ClassVar

from auditor.checks.base import Case, Threshold
from auditor.checks.values import is_constant
from auditor.naming import listed
from auditor.records import Finding, LayerRecord, Severity

KEPT = 100  # names in evidence
FLAT = 1.0 + 1e-6  # largest over smallest singular value: an identity, a rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateLayers:
    """Two layers hold the same values, bit by bit, and are not tied."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Layers that are copies of others"
    meaning: ClassVar[str] = (
        "Two layers that train apart never end at the same values, so one was written over the "
        "other. A merge, a conversion or a loop over the wrong index does this."
    )
    advice: ClassVar[str] = (
        "Compare both with the checkpoint they come from; a copy that is meant, such as a target "
        "network or a layer shared on purpose, can be accepted."
    )
    theory: ClassVar[str] = (
        "Different initial values, places and gradients lead two layers apart with the first "
        "step, so equal values are a copy and no coincidence. Whole modules are copied on "
        "purpose: blocks to make a model deeper, a teacher, a target network; single layers are "
        "not, but for tied embeddings."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Kim et al. (2023), SOLAR 10.7B, arXiv:2312.15166",
        "Press & Wolf (2017), Using the Output Embedding to Improve Language Models, EACL",
    )
    needs: ClassVar[str] = ""

    min_values: Annotated[int, Threshold("smaller layers may well be equal", "values")] = 64

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per group of equal layers, and one about modules copied whole.

        The latter is information. No copies are zero and constant layers, identities, filters
        of one direction, and what an embedding is tied to.
        """
        is_copy = _comparing({layer.name: layer.digest for layer in case.layers})
        whole: dict[tuple[str, str], None] = {}
        for first, *others in self._groups(case.layers):
            pairs = {other: _differing(first, other) for other in others}
            copied = {other: pair for other, pair in pairs.items() if is_copy(*pair)}
            whole |= dict.fromkeys(copied.values())
            if names := [other for other in others if other not in copied]:
                yield self._finding(first, names)
        if whole:
            yield self._of_modules(list(whole))

    def _groups(self, layers: Sequence[LayerRecord]) -> Iterator[list[str]]:
        groups: dict[str, list[LayerRecord]] = defaultdict(list)
        for layer in layers:
            if layer.digest and layer.parameters >= self.min_values and not _is_by_design(layer):
                groups[layer.digest].append(layer)
        for group in groups.values():
            if len(group) > 1 and all(layer.kind != "embedding" for layer in group):
                yield [layer.name for layer in group]

    def _finding(self, first: str, others: list[str]) -> Finding:
        return Finding(
            severity=self.severity,
            layer=first,
            message=f"{first} and {listed(others)} hold the same values",
            rule="layers with the same digest",
            limit=0.0,
            value=float(len(others)),
            evidence={"equal": others[:KEPT]},
        )

    def _of_modules(self, pairs: list[tuple[str, str]]) -> Finding:
        said = [f"{copy} of {original}" for original, copy in pairs]
        return Finding(
            severity=Severity.INFO,
            message=f"modules that are copies of others, matrix by matrix: {listed(said)}",
            rule="modules all of whose layers have the digests of another's",
            limit=0.0,
            value=float(len(pairs)),
            evidence={"copies": said[:KEPT]},
        )


def _comparing(digests: Mapping[str, str]) -> Callable[[str, str], bool]:
    """Tells whether two modules have several layers, and each the values of the other's."""
    names = sorted(digests)

    @cache
    def below(module: str) -> Mapping[str, str]:
        start = f"{module}."
        behind = islice(names, bisect_left(names, start), None)
        inside = takewhile(lambda name: name.startswith(start), behind)
        return {name.removeprefix(start): digests[name] for name in inside}

    @cache
    def is_copy(one: str, other: str) -> bool:
        return len(below(one)) > 1 and below(one) == below(other)

    return is_copy


def _differing(one: str, other: str) -> tuple[str, str]:
    """Two names without the dotted parts that both end in.

    >>> _differing("h.0.attn.q.weight", "h.1.attn.q.weight")
    ('h.0', 'h.1')
    """
    parts, others = one.split("."), other.split(".")
    while parts and others and parts[-1] == others[-1]:
        parts.pop()
        others.pop()
    return ".".join(parts), ".".join(others)


def _is_by_design(layer: LayerRecord) -> bool:
    """Whether it may be equal to another without a copy: nothing in it was learned."""
    measured, metrics = layer.measured, layer.metrics
    if measured.status == "zero" or measured.m < 2 or is_constant(layer):
        return True
    is_flat = metrics.get("sv_max", 1.0) <= FLAT * metrics.get("sv_min", 0.0)
    return is_flat or metrics.get("matrix_rank", 2.0) * measured.m <= measured.num_evals


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersChanged:
    """Layers appeared or vanished since the baseline."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Changes of the set of layers"
    meaning: ClassVar[str] = (
        "The version does not have the layers its baseline has. What has no counterpart cannot "
        "be compared."
    )
    advice: ClassVar[str] = "Expected after a change of architecture; a surprise otherwise."
    theory: ClassVar[str] = (
        "Fine-tuning, quantising and saving again leave the names of layers alone. A layer that "
        "is gone was pruned or lost on the way, and a new one is an adapter, a head or another "
        "architecture."
    )
    sources: ClassVar[tuple[str, ...]] = ("docs/distances.md",)
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding naming what came and what went, but for another shape."""
        reshaped = _reshaped(case)
        came, went = _unmatched(case)
        added = [name for name in came if name not in reshaped]
        matched = set(reshaped.values())
        removed = [name for name in went if name not in matched]
        if added or removed:
            yield Finding(
                severity=self.severity,
                message=f"{len(added)} layer{'s' * (len(added) != 1)} added{_in_brackets(added)}, "
                f"{len(removed)} removed{_in_brackets(removed)}",
                rule="layers without a counterpart of the same name",
                limit=0.0,
                value=float(len(added) + len(removed)),
                evidence={"added": added, "removed": removed},
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeChanged:
    """Layers have another shape than in the baseline."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Changes of the shape of layers"
    meaning: ClassVar[str] = (
        "The layer has the name of one of the baseline and another shape, so no distance between "
        "them exists. Vocabularies and classes grow like this; a width that changed is another "
        "model under the old name."
    )
    advice: ClassVar[str] = (
        "Expected of embeddings and heads after new tokens or classes, and after channels were "
        "pruned away; a surprise otherwise."
    )
    theory: ClassVar[str] = (
        "Training leaves shapes alone; only a change of architecture does not. Weights of "
        "another shape are fresh or cut out of the old, and what was known of the layer does "
        "not carry over."
    )
    sources: ClassVar[tuple[str, ...]] = ("docs/distances.md",)
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding naming all of them, with the shapes that they have now."""
        reshaped = _reshaped(case)
        names = list(dict.fromkeys(reshaped.values()))
        if not names:
            return
        shapes = {reshaped.get(layer.name): _times(layer.shape) for layer in case.layers}
        now = [f"{name} is {shapes[name]}" if name in shapes else name for name in names]
        yield Finding(
            severity=self.severity,
            message=f"{len(names)} layer{'s' * (len(names) > 1)} of another shape: {listed(now)}",
            rule="layers of the same name and another shape",
            limit=0.0,
            value=float(len(names)),
            evidence={"layers": names[:KEPT]},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DtypeChanged:
    """Layers are stored in another type than in the baseline."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Changes of the type that layers are stored in"
    meaning: ClassVar[str] = (
        "The weights were converted: their values are those of the baseline rounded, or were "
        "trained in another precision. Rounding alone moves a layer by about half the spacing of "
        "the new type."
    )
    advice: ClassVar[str] = (
        "Expected after an export or quantisation; else look for a cast in the training script, "
        "and evaluate again."
    )
    theory: ClassVar[str] = (
        "A type's spacing bounds what rounding does to a weight: a relative 2⁻⁸ in bfloat16, "
        "2⁻¹¹ in float16, 2⁻²⁴ in float32. Values beyond a type's range become infinite or zero; "
        "float16 begins at 6 × 10⁻⁸."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Kalamkar et al. (2019), A Study of BFLOAT16 for Deep Learning Training, arXiv:1905.12322",
        "IEEE 754-2019, section 3.6",
    )
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding, saying of each change how many layers it concerns."""
        pairs = [(case.change(layer), layer) for layer in case.layers]
        changed = {
            layer.name: f"{change.before.dtype} to {layer.dtype}"
            for change, layer in pairs
            if change and change.before.dtype != layer.dtype
        }
        if not changed:
            return
        counted = Counter(changed.values()).most_common()
        said = [f"{number:,} from {change}" for change, number in counted]
        total = sum(change is not None for change, _ in pairs)
        yield Finding(
            severity=self.severity,
            message=f"{len(changed):,} of {total:,} layers changed their type: {listed(said)}",
            rule="layers stored in another type",
            limit=0.0,
            value=float(len(changed)),
            evidence={"changes": said[:KEPT], "layers": list(changed)[:KEPT]},
        )


def _unmatched(case: Case) -> tuple[Sequence[str], Sequence[str]]:
    """What came and what went."""
    change = case.comparison
    return (change.added, change.removed) if change else ((), ())


def _reshaped(case: Case) -> dict[str, str]:
    """What came and went under one name, so has another shape: its name here and there."""
    added, removed = _unmatched(case)
    gone = set(removed)
    called = ((name, name if name in gone else _whole(name)) for name in added)
    return {name: before for name, before in called if before in gone}


def _whole(name: str) -> str:
    """Of a tensor that is shown in parts, ``conv[0]``, its own name."""
    return name.rpartition("[")[0] if name.endswith("]") and "[" in name else name


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{side:,}" for side in shape)


def _in_brackets(names: Sequence[str]) -> str:
    return f" ({listed(names)})" if names else ""


CHANGES = (LayersChanged, ShapeChanged, DtypeChanged)
CHECKS = (DuplicateLayers, *CHANGES)
