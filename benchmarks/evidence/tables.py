"""The figures, as the tables of the page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from auditor.policy import LEVELS, PRESET_NAMES
from benchmarks.calibration.rates import Rate, share, table
from benchmarks.evidence.causes import AGAIN, WELL_TRAINED
from benchmarks.evidence.counts import CLASSES, LARGE, Figures, Row
from benchmarks.evidence.explained import LEAST, support
from benchmarks.evidence.networks import FAMILIES
from benchmarks.evidence.separation import CHECKS, bad, false_alarms, rate, told

NONE = "·"
TOGETHER = "all of these but the registered again"
NO_VERDICT = {"large_change", "frozen_layers", "no_change"}  # they are as true of good networks
TITLES = {
    "experiment": "Supported by this experiment",
    "construction": "Right by construction: they state what is there",
    "literature": "By literature only: here they tell nothing from good training",
}


def run(made: Figures) -> str:
    """What the tables rest on."""
    networks = sum(row.networks for row in made.rows)
    layers = sum(row.layers for row in made.rows)
    causes = len({row.cause for row in made.rows})
    return (
        f"{networks:,} networks, {made.seeds} seeds of each of {causes} causes in up to four "
        f"families; {layers:,} layers of {LARGE} eigenvalues and more; `metric_set` "
        f"{made.metric_set}, version {made.checks} of the checks."
    )


def accuracy(made: Figures) -> str:
    """How well the networks do on what they did not see: mean, and worst of the seeds."""
    rows = [
        [cause, *(_accuracy(_of(made, cause, family)) for family in FAMILIES)]
        for cause in _causes(made)
    ]
    return table(["cause", *FAMILIES], rows)


def silence(made: Figures) -> str:
    """Well-trained networks that pass, by preset: alone, and against what they were before."""
    rows = []
    for way in ("alone", "against"):
        causes = [row.cause for row in made.rows if row.group == WELL_TRAINED]
        for name in (*dict.fromkeys(causes), TOGETHER):
            found = [row for row in made.rows if _is_in(row, name)]
            rates = [_passed(found, way, preset) for preset in PRESET_NAMES]
            rows.append([name, way, str(rates[0].total), *map(_told, rates)])
    return table(["networks", "audited", "number", *map(_code, PRESET_NAMES)], rows)


def alone(made: Figures) -> str:
    """Networks in which a check fires, audited without a baseline."""
    return _confusion(made, "alone", _firing(made, "alone"))


def against(made: Figures) -> str:
    """The same against what they were before, where that makes a difference."""
    rows = made.rows
    changed = [
        check
        for check in _firing(made, "against")
        if any(row.hits["against"].get(check, 0) != row.hits["alone"].get(check, 0) for row in rows)
    ]
    return _confusion(made, "against", changed)


def layers(made: Figures) -> str:
    """Layers of 50 eigenvalues and more in which a check fires, against what was before."""
    columns = [
        check
        for check in _firing(made, "against")
        if any(row.layer_hits["against"].get(check) for row in made.rows)
    ]
    rows = []
    for cause in _causes(made):
        found = [row for row in made.rows if row.cause == cause]
        total = sum(row.layers for row in found)
        hits = [sum(row.layer_hits["against"].get(name, 0) for row in found) for name in columns]
        rows.append([cause, f"{total:,}", *(_told(Rate(one, total)) for one in hits)])
    return table(["cause", "layers", *map(_code, columns)], rows)


def alpha(made: Figures) -> str:
    """Median α of the layers, mean over the seeds."""
    rows = []
    for cause in _causes(made):
        known = [_of(made, cause, family) for family in FAMILIES]
        rows.append([cause, *(f"{row.alpha:.2f}" if row and row.alpha else "–" for row in known)])
    return table(["cause", *FAMILIES], rows)


def separation(made: Figures) -> str:
    """What each check tells from good training, and what it says of well-trained networks."""
    rows = []
    for check in CHECKS:
        causes = [f"{one.cause} {_percent(one.rate)}" for one in told(made, check)]
        rows.append(
            [
                _code(check),
                ", ".join(causes) or "nothing",
                _told(false_alarms(made, check)),
                support(made, check),
                ", ".join(map(str, LEVELS[check])),
            ]
        )
    head = ["check", "tells apart", "fires on well-trained", "support", "levels"]
    return table(head, rows)


def missed(made: Figures) -> str:
    """Causes that no finding names in at least half of the networks; see `NO_VERDICT`."""
    found = [one for check in CHECKS if check not in NO_VERDICT for one in told(made, check)]
    lines = []
    for cause in bad(made):
        here = [one for one in found if one.cause == cause]
        if all(2 * one.rate.hits < one.rate.total for one in here):
            some = ", ".join(f"{_code(one.check)} {_told(one.rate)}" for one in here)
            lines.append(f"- {cause}: {some or 'nothing'}")
    return "\n".join(lines) or "- none"


def supported(made: Figures) -> str:
    """What follows, check by check."""
    lines = []
    for kind, title in TITLES.items():
        names = [_code(check) for check in CHECKS if support(made, check) == kind]
        lines.append(f"- **{title}**: {', '.join(names) or 'none'}.")
    for least in sorted(set(LEAST.values())):
        names = [_code(check) for check in CHECKS if LEAST.get(check) == least]
        lines.append(f"- **Not reliable below {least} eigenvalues**: {', '.join(names)}.")
    return "\n".join(lines)


def widths(made: Figures) -> str:
    """How well α is known in well-trained layers, by their number of eigenvalues."""
    names = [f"{one} to {two - 1}" for one, two in pairwise(CLASSES)]
    rows = [
        [
            name,
            f"{one.layers:,}",
            _percent(Rate(one.defined, one.layers)),
            f"{one.width:.1f}" if one.width else "–",
            _percent(Rate(one.decided, one.layers)),
        ]
        for name, one in zip((*names, f"{CLASSES[-1]} and more"), made.widths, strict=True)
    ]
    head = ["eigenvalues", "layers", "α is defined", "width of its interval", "on one side"]
    return table(head, rows)


BLOCKS: Mapping[str, Callable[[Figures], str]] = {
    made.__name__: made
    for made in (
        *(run, silence, supported, separation, missed, accuracy),
        *(alone, against, layers, alpha, widths),
    )
}


def _causes(made: Figures) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.cause for row in made.rows))


def _of(made: Figures, cause: str, family: str) -> Row | None:
    found = (row for row in made.rows if (row.cause, row.family) == (cause, family))
    return next(found, None)


def _is_in(row: Row, name: str) -> bool:
    """Whether a row is of a cause, or of all that are good, by its title."""
    return row.cause == name or (
        name == TOGETHER and row.group == WELL_TRAINED and row.cause != AGAIN
    )


def _passed(rows: Sequence[Row], way: str, preset: str) -> Rate:
    passed = sum(row.silent[way][preset] for row in rows)
    return Rate(passed, sum(row.networks for row in rows))


def _firing(made: Figures, way: str) -> list[str]:
    return [check for check in CHECKS if any(row.hits[way].get(check) for row in made.rows)]


def _confusion(made: Figures, way: str, checks: Iterable[str]) -> str:
    columns, rows = list(checks), []
    for cause in _causes(made):
        found = [row for row in made.rows if row.cause == cause]
        total = sum(row.networks for row in found)
        rows.append([cause, str(total), *(_told(rate(found, one, way)) for one in columns)])
    return table(["cause", "networks", *map(_code, columns)], rows)


def _accuracy(row: Row | None) -> str:
    if row is None or row.unseen is None:
        return "–"
    worst, mean = row.unseen
    return f"{share(mean, digits=1)} ({share(worst, digits=1)})"


def _told(found: Rate) -> str:
    """A share with its interval; a dot where there is none at all."""
    if not found.hits:
        return NONE
    low, high = found.interval
    return f"{_percent(found)} [{100 * low:.0f}, {100 * high:.0f}]"


def _percent(found: Rate) -> str:
    return share(found.hits / found.total, digits=0) if found.total else "–"


def _code(name: str) -> str:
    return f"`{name}`"
