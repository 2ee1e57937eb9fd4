"""What was found, added up: the figures that every table and sentence is made from."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean, median
from typing import Any, Self

from auditor import METRIC_SET
from auditor.checks import VERSION
from auditor.policy import PRESET_NAMES
from auditor.records import Verdict
from benchmarks.evidence.auditing import Outcome, Said
from benchmarks.evidence.causes import CAUSES, WELL_TRAINED

WAYS = ("alone", "against")
LARGE = 50  # eigenvalues, from which on every check judges
CLASSES = (8, 20, 50, 100)  # the least number of eigenvalues of each class


@dataclass(frozen=True, slots=True)
class Row:
    """All networks of a family that something was done to."""

    family: str
    cause: str
    networks: int
    layers: int  # of at least `LARGE` eigenvalues
    learned: float | None  # mean accuracy
    unseen: tuple[float, float] | None  # worst and mean accuracy
    alpha: float | None  # mean over networks of the median over layers
    silent: Mapping[str, Mapping[str, int]]  # way -> preset -> networks that pass
    hits: Mapping[str, Mapping[str, int]]  # way -> check -> networks
    layer_hits: Mapping[str, Mapping[str, int]]  # way -> check -> large layers

    @property
    def group(self) -> str:
        """What kind of thing was done."""
        return CAUSES[self.cause].group


@dataclass(frozen=True, slots=True)
class Width:
    """How well α is known in well-trained layers of some size."""

    least: int  # eigenvalues
    layers: int
    defined: int
    width: float | None  # median of the 95 % interval's
    decided: int  # layers whose interval has neither 2 nor 6 in it


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that the page says, in numbers."""

    seeds: int
    metric_set: int
    checks: int
    rows: tuple[Row, ...]
    widths: tuple[Width, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file that `write` made."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(_row(one) for one in stored["rows"])
        widths = tuple(Width(**one) for one in stored["widths"])
        return cls(**{**stored, "rows": rows, "widths": widths})

    def write(self, path: Path) -> None:
        """As JSON, a row a line."""
        said = asdict(self)
        parts = [f'"{name}": {said[name]}' for name in ("seeds", "metric_set", "checks")]
        for name in ("rows", "widths"):
            lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in said[name])
            parts.append(f'"{name}": [\n{lines}\n]')
        path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


def _row(stored: Mapping[str, Any]) -> Row:
    unseen = stored["unseen"]
    return Row(**{**stored, "unseen": tuple(unseen) if unseen else None})


def figures(found: Mapping[str, Sequence[Outcome]], seeds: int) -> Figures:
    """Add up outcomes by ``family|cause``, in the order of the causes."""
    order = list(CAUSES)
    keys = sorted(found, key=lambda key: order.index(key.partition("|")[2]))
    well = [one for key in keys if _is_well(key) for one in found[key]]
    return Figures(
        seeds=seeds,
        metric_set=METRIC_SET,
        checks=VERSION,
        rows=tuple(_added(key, found[key]) for key in keys),
        widths=tuple(_widths(well)),
    )


def _is_well(key: str) -> bool:
    cause = CAUSES[key.partition("|")[2]]
    return cause.group == WELL_TRAINED and cause.anew


def _added(key: str, found: Sequence[Outcome]) -> Row:
    family, _, cause = key.partition("|")
    unseen = [one.unseen for one in found if one.unseen is not None]
    learned = [one.learned for one in found if one.learned is not None]
    alphas = [median(known) for one in found if (known := _known(one))]
    return Row(
        family=family,
        cause=cause,
        networks=len(found),
        layers=sum(evals >= LARGE for one in found for evals in one.evals.values()),
        learned=_rounded(fmean(learned)) if learned else None,
        unseen=(_rounded(min(unseen)), _rounded(fmean(unseen))) if unseen else None,
        alpha=_rounded(fmean(alphas)) if alphas else None,
        silent={way: _silent(getattr(one, way) for one in found) for way in WAYS},
        hits={way: _counted(found, way, _checks) for way in WAYS},
        layer_hits={way: _counted(found, way, _large) for way in WAYS},
    )


def _known(one: Outcome) -> list[float]:
    return [alpha[1] for name, alpha in one.alphas.items() if alpha and one.evals[name] >= LARGE]


def _silent(said: Iterable[Said]) -> dict[str, int]:
    passed = Counter(
        name for one in said for name in PRESET_NAMES if one.verdicts[name] == Verdict.PASS
    )
    return {name: passed[name] for name in PRESET_NAMES}


def _counted(
    found: Iterable[Outcome], way: str, hits: Callable[[Outcome, Said], Iterable[str]]
) -> dict[str, int]:
    counted = Counter(chain.from_iterable(hits(one, getattr(one, way)) for one in found))
    return dict(sorted(counted.items()))


def _checks(_: Outcome, said: Said) -> Iterable[str]:
    return {check for check, _ in said.hits}


def _large(one: Outcome, said: Said) -> Iterable[str]:
    return [check for check, name in said.hits if name and one.evals.get(name, 0) >= LARGE]


def _widths(found: Sequence[Outcome]) -> Iterable[Width]:
    layers = [(evals, one.alphas[name]) for one in found for name, evals in one.evals.items()]
    for least, beyond in zip(CLASSES, (*CLASSES[1:], 10**9), strict=True):
        here = [alpha for evals, alpha in layers if least <= evals < beyond]
        known = [alpha for alpha in here if alpha]
        yield Width(
            least=least,
            layers=len(here),
            defined=len(known),
            width=_rounded(median(high - low for low, _, high in known)) if known else None,
            decided=sum(
                not any(low <= end <= high for end in (2.0, 6.0)) for low, _, high in known
            ),
        )


def _rounded(value: float) -> float:
    return round(value, 4)
