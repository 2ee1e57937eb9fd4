"""What was found, as the tables of the page."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from auditor import METRIC_SET
from auditor.checks import VERSION
from auditor.policy import LEVELS
from auditor.records import Level
from benchmarks.calibration import reference
from benchmarks.calibration.auditing import POLICY, Outcome
from benchmarks.calibration.kinds import BY_NAME, KINDS, SHIFTED, Kind
from benchmarks.calibration.rates import Rate, rate, share, table
from benchmarks.calibration.results import DECIDED, SIZES, Layer, Results

T = TypeVar("T")
Hit = Callable[[Layer], bool]

GATING = tuple(name for name in LEVELS if POLICY.level(name) != Level.OFF)
ALARMS = tuple(name for name in GATING if name not in {"random_like", "unsafe_pickle"})
LARGE = "50 and more"
SYMPTOMS = ("correlation_traps", "random_like", "over_trained", "rank_collapse", "scale_collapse")
NULL = tuple(kind for kind in KINDS if kind.group == "null")


def run(results: Results) -> str:
    """What the tables rest on."""
    real = sum(map(len, results.alone.values()))
    return (
        f"{len(results.layers):,} layers of seeded kinds, {len(results.same)} of them shown to "
        f"the reference tool, and {real} layers of {len(results.alone)} real models; "
        f"`metric_set` {METRIC_SET}, version {VERSION} of the checks."
    )


def null(results: Results) -> str:
    """False alarms on null matrices, a check a row."""
    hits: dict[str, Hit] = {name: _says(name) for name in ALARMS}
    hits["any of these"] = lambda layer: any(layer.says(name) for name in ALARMS)
    rows = [
        [_code(name), *_by_size(results, NULL, hit), *_at_most(_large(results, NULL, hit))]
        for name, hit in hits.items()
    ]
    return table(["check", *SIZES, LARGE, "rate", "at most"], rows)


def spikes(results: Results) -> str:
    """Layers with an eigenvalue beyond the bulk that the mean does not explain."""

    def found(layer: Layer) -> bool:
        explained = math.prod(layer.dims[2:]) if layer.kind.name == SHIFTED else 0
        return layer.outcome.spikes > explained

    rows = [
        [kind.name, *_by_size(results, [kind], found), *_at_most(_large(results, [kind], found))]
        for kind in NULL
    ]
    return table(["layers", *SIZES, LARGE, "rate", "at most"], rows)


def untrained(results: Results) -> str:
    """Untrained layers that are called so."""
    hit = _says("random_like")
    every = {kind.name: (kind,) for kind in KINDS if kind.expects == "random_like"}
    rows = [
        [
            name,
            *(str(rate(results.of(kinds, (size,)), hit)) for size in DECIDED),
            *_at_least(_large(results, kinds, hit)),
        ]
        for name, kinds in {**every, "all of these": NULL}.items()
    ]
    return table(["layers", *DECIDED, "rate", "at least"], rows)


def planted(results: Results) -> str:
    """Planted faults that are found."""
    kinds = [kind for kind in KINDS if kind.group in {"trap", "rank", "scale", "values"}]
    rows = [
        [
            kind.name,
            _code(kind.expects),
            *_by_size(results, [kind], _says(kind.expects)),
            *_at_least(_large(results, [kind], _says(kind.expects))),
        ]
        for kind in kinds
        if kind.expects
    ]
    return table(["fault", "check", *SIZES, "rate", "at least"], rows)


def traps(results: Results) -> str:
    """Planted traps: seen, named, warned about; and their strength."""
    rows = []
    for kind in (kind for kind in KINDS if kind.group == "trap"):
        layers = results.of([kind], DECIDED)
        strengths = sorted(layer.outcome.strength for layer in layers)
        rows.append(
            [
                kind.name,
                str(len(layers)),
                *(
                    _percent(rate(layers, hit))
                    for hit in (
                        lambda layer: layer.names("correlation_traps"),
                        lambda layer: layer.outcome.named,
                        _says("correlation_traps"),
                    )
                ),
                *(_quantile(strengths, part) for part in (0.05, 0.5, 0.95)),
            ]
        )
    strength = [f"strength, {part}" for part in ("5 %", "median", "95 %")]
    return table(["entries", "layers", "seen", "all named", "warned", *strength], rows)


def others(results: Results) -> str:
    """What every check says about layers that are neither null nor planted with its fault."""
    shown = ("over_trained", "under_trained", "implausible_power_law", *SYMPTOMS[:2])
    shown = (*shown, "rank_collapse", "scale_collapse", "scale_explosion", "alpha_shift")
    kinds = [kind for kind in KINDS if kind.group in {"other", "learned", "heavy"}]
    kinds += [kind for kind in KINDS if kind.group in {"rank", "scale"} and not kind.expects]
    rows = []
    for kind in kinds:
        layers = results.of([kind], DECIDED)
        rows.append(
            [kind.name, str(len(layers)), *(_percent(rate(layers, _fires(name))) for name in shown)]
        )
    return table(["layers", "number", *map(_code, shown)], rows)


def power(results: Results) -> str:
    """How often a heavy tail of known exponent is called over-trained."""
    kinds = [kind for kind in KINDS if kind.name in {"α = 1.5", "α = 2", "α = 3"}]
    rows = [[kind.name, *_by_size(results, [kind], _says("over_trained"))] for kind in kinds]
    return table(["layers", *SIZES], rows)


def alone(results: Results) -> str:
    """What is found in real models, a set a row, beside what the reference flags."""
    shown = (*SYMPTOMS, "scale_explosion", "all_zero")
    sets = dict.fromkeys(path.partition("/")[0] for path in results.alone)
    rows = []
    for title, prefix in {**{name: f"{name}/" for name in sets}, "all": ""}.items():
        layers = _below(results.alone, prefix)
        flags = _below(results.flags, prefix)
        said = (
            len(flags),
            sum(one.over_trained for one in flags),
            sum(one.over_trained and one.failed for one in flags),
            sum(one.under_trained for one in flags),
            sum(one.traps > 0 for one in flags),
        )
        counts = [_counts(layers, check) for check in shown]
        rows.append([title, str(len(layers)), *counts, *map(str, said)])
    told = ("reference: layers", "over-trained", "of these no fit", "under-trained", "traps")
    return table(["set", "layers", *map(_code, shown), *told], rows)


def _below(found: Mapping[str, tuple[T, ...]], prefix: str) -> list[T]:
    """Everything about the models whose path begins so."""
    return [one for path, part in found.items() if path.startswith(prefix) for one in part]


def _counts(layers: Sequence[Outcome], check: str) -> str:
    """Findings of a check that count in the gate, and those that are information."""
    gates = sum(check in one.gates for one in layers)
    informs = sum(check in one.informs for one in layers)
    return f"{gates} + {informs}" if informs else str(gates)


def compared(results: Results) -> str:
    """What is found in real models against a version they came from."""
    rows = []
    for path, layers in results.compared.items():
        counts = {name: sum(name in one.gates for one in layers) for name in GATING}
        found = ", ".join(f"{_code(name)} {count}" for name, count in counts.items() if count)
        rows.append([path.partition("/")[2], str(len(layers)), found or "–"])
    return table(["version", "layers", "findings that gate"], rows)


def beside(results: Results) -> str:
    """The reference and an audit on the same matrices of 50 eigenvalues and more."""
    rows = []
    for name in reference.KINDS:
        same = [one for one in results.same if _is_large(one.layer, BY_NAME[name])]
        flags = [one.flags for one in same]
        layers = [one.layer for one in same]
        rows.append(
            [
                name,
                str(len(same)),
                str(sum(one.over_trained for one in flags)),
                str(sum(one.under_trained for one in flags)),
                str(sum(one.traps > 0 for one in flags)),
                *(str(sum(one.says(check) for one in layers)) for check in SYMPTOMS[:4]),
            ]
        )
    told = ["reference: over-trained", "under-trained", "traps"]
    return table(["layers", "number", *told, *map(_code, SYMPTOMS[:4])], rows)


BLOCKS: Mapping[str, Callable[[Results], str]] = {
    made.__name__: made
    for made in (
        run,
        null,
        spikes,
        untrained,
        planted,
        traps,
        power,
        others,
        alone,
        compared,
        beside,
    )
}


def _says(check: str) -> Hit:
    return lambda layer: layer.says(check)


def _fires(check: str) -> Hit:
    """Counts in the gate, or is information because its policy is off."""
    if check in GATING:
        return _says(check)
    return lambda layer: layer.names(check)


def _is_large(layer: Layer, kind: Kind) -> bool:
    return layer.kind is kind and layer.size in DECIDED


def _by_size(results: Results, kinds: Sequence[Kind], hit: Hit) -> Iterable[str]:
    return [str(rate(results.of(kinds, (size,)), hit)) for size in SIZES]


def _large(results: Results, kinds: Sequence[Kind], hit: Hit) -> Rate:
    return rate(results.of(kinds, DECIDED), hit)


def _at_most(found: Rate) -> tuple[str, ...]:
    return str(found), _percent(found), share(found.at_most)


def _at_least(found: Rate) -> tuple[str, ...]:
    return _percent(found), share(found.at_least)


def _percent(found: Rate) -> str:
    return share(found.hits / found.total) if found.total else "–"


def _quantile(values: Sequence[float], part: float) -> str:
    return f"{values[round(part * (len(values) - 1))]:.2f}" if values else "–"


def _code(name: str) -> str:
    return f"`{name}`" if name in LEVELS else name
