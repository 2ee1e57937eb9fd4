"""The spectrum of a layer as a drawing: text and path data, so that a template only places it.

The same `Chart` is drawn by the template (findings) and by the page's script (layer rows).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.render.text import fixed, number, ten_to

WIDTH, HEIGHT = 440, 250
CANVAS = f"0 0 {WIDTH} {HEIGHT}"
LEFT, RIGHT, TOP, BOTTOM = 40, 428, 46, 208
DECADES = 10.0  # of eigenvalues, and of density, that one drawing shows
MOST_TICKS = 7
FEWEST_BINS = 8
NAME = 95  # room for the name of a line

Point = tuple[float, float]  # log10 of eigenvalue, log10 of density
Curve = Sequence[Point | None]  # None: an empty bin, where the line breaks


@dataclass(frozen=True, slots=True)
class Label:
    """A piece of text in a drawing."""

    css: str
    x: float
    y: float
    text: str

    def compact(self) -> list[Any]:
        """What the page's script needs to place it."""
        return [self.css, self.x, self.y, self.text]


AXES = (  # the same in every drawing
    Label("mid", (LEFT + RIGHT) / 2, HEIGHT - 8, "eigenvalue λ = σ², log scale"),
    Label("start", 2, 10, "share of eigenvalues per factor of 10, log scale"),
)


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing, `WIDTH` by `HEIGHT`: paths as (CSS class, path data), labels, and its meaning."""

    label: str  # a full sentence for those who do not see it
    paths: tuple[tuple[str, str], ...]
    texts: tuple[Label, ...]

    @property
    def drawn(self) -> frozenset[str]:
        """CSS classes of its lines: what a legend beside it has to explain."""
        return frozenset(css for css, _ in self.paths)

    def compact(self) -> dict[str, Any]:
        """What the page's script needs to draw it."""
        texts = [text.compact() for text in self.texts]
        return {"label": self.label, "paths": self.paths, "texts": texts}


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic scale from data to the drawing."""

    lo: float  # log10
    hi: float  # log10
    start: float
    end: float

    def at(self, log: float) -> float:
        """Position of 10**log; what lies outside is put at the end it lies beyond."""
        share = (min(max(log, self.lo), self.hi) - self.lo) / (self.hi - self.lo)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Positions and texts of at most `MOST_TICKS` round values."""
        step = max(1, math.ceil((self.hi - self.lo) / MOST_TICKS))
        logs: list[float] = [
            power
            for power in range(math.ceil(self.lo), math.floor(self.hi) + 1)
            if not power % step
        ]
        if len(logs) < 2:  # less than two decades: 1, 2 and 5 of each
            powers = range(math.floor(self.lo), math.ceil(self.hi) + 1)
            finer = [power + math.log10(digit) for power in powers for digit in (1, 2, 5)]
            logs = [log for log in finer if self.lo <= log <= self.hi]
        return [(self.at(log), tick(log)) for log in logs]


def tick(log: float) -> str:
    """Text of 10**log, which is 1, 2 or 5 times a power of ten."""
    is_power = abs(log - round(log)) < 1e-9
    return ten_to(round(log)) if is_power and abs(log) >= 4 else number(10.0**log, 1)


def spectrum(layer: Mapping[str, Any], change: Mapping[str, Any] | None) -> Chart | None:
    """The eigenvalue density of a layer on log-log axes; None where it has no spectrum.

    Drawn are this version, the baseline, the random twin, the edge of the Marchenko-Pastur
    bulk (``bulk_max``), the start of the tail (``xmin``), the fitted power law and the
    eigenvalues of correlation traps. Densities are shares of all eigenvalues per decade, so
    that histograms of different bins can be compared.
    """
    found = layer.get("spectrum")
    if found is None:
        return None
    curves = _curves(found, (change or {}).get("spectrum"), layer["num_evals"])
    points = [point for curve in curves.values() for point in curve if point]
    if not points:
        return None
    marks = _marks(layer)
    x = _axis([p[0] for p in points] + [log for _, log in marks], LEFT, RIGHT)
    y = _axis([p[1] for p in points], BOTTOM, TOP)
    paths = [("grid", _grid(x, y))]
    paths += [(css, _line(curve, x, y)) for css, curve in curves.items()]
    paths += [(css, _mark(css, x.at(log))) for css, log in marks]
    if (fit := _fit(layer, x, y)) is not None:
        paths.append(("fit", fit))
    return Chart(
        label=_sentence(layer, change),
        paths=tuple((css, path) for css, path in paths if path),
        texts=(*_axis_texts(x, y), *_mark_texts(layer, x), *_unseen(layer, x)),
    )


def _curves(
    found: Mapping[str, Any], baseline: Mapping[str, Any] | None, count: int
) -> dict[str, list[Point | None]]:
    """Back to front: the twin, the baseline, this version; each of `count` eigenvalues."""
    curves = {}
    if found["twin"]:
        curves["twin"] = list(_curve(found, found["twin"], count))
    if baseline is not None:
        curves["was"] = list(_curve(baseline, baseline["density"], count))
    curves["now"] = list(_curve(found, found["density"], count))
    return curves


def _curve(found: Mapping[str, Any], shares: Sequence[float], count: int) -> Iterator[Point | None]:
    """Middle of each bin and share per decade, both log10.

    Neighbouring bins are put together to about 2 √count bins: with fewer eigenvalues than
    bins a drawing of the bins as they are shows single eigenvalues and no shape.
    """
    lo, hi = math.log10(found["lo"]), math.log10(found["hi"])
    width = (hi - lo) / max(1, len(shares)) or 0.1  # a histogram of one value has no width
    together = math.ceil(max(1, len(shares)) / max(FEWEST_BINS, round(2 * math.sqrt(count))))
    for first in range(0, len(shares), together):
        bins = shares[first : first + together]
        share, wide = sum(bins), width * len(bins)
        yield (lo + first * width + wide / 2, math.log10(share / wide)) if share > 0 else None


def _unseen(layer: Mapping[str, Any], x: Axis) -> Iterator[Label]:
    """How many eigenvalues are too small to be drawn, zeros included, where there are some."""
    found, count = layer["spectrum"], layer["num_evals"]
    lo, hi = math.log10(found["lo"]), math.log10(found["hi"])
    width = (hi - lo) / max(1, len(found["density"]))
    seen = sum(share for i, share in enumerate(found["density"]) if lo + (i + 0.5) * width >= x.lo)
    if unseen := round((1 - seen) * count):
        text = f"◂ {unseen:,} of {count:,} eigenvalues are smaller"
        yield Label("start", LEFT + 5, TOP + 12, text)


def _axis(logs: Sequence[float], start: float, end: float) -> Axis:
    hi = max(logs)
    lo = max(min(logs), hi - DECADES)
    room = 0.04 * (hi - lo) + 0.05
    return Axis(lo - room, hi + room, start, end)


def _marks(layer: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Vertical marks: (CSS class, log10 of eigenvalue)."""
    found = [("edge", layer.get("bulk_max")), ("xmin", layer.get("xmin"))]
    found += [("trap", trap["lambda"]) for trap in layer["traps"]]
    return [(css, math.log10(value)) for css, value in found if value and value > 0]


def _mark(css: str, x: float) -> str:
    if css == "trap":  # a triangle standing on the axis
        return f"M{x:g} {BOTTOM - 12}l5 12h-10z"
    top = TOP - (27 if css == "edge" else 14)  # beside its name
    return f"M{x:g} {top}V{BOTTOM}"


def _grid(x: Axis, y: Axis) -> str:
    lines = [f"M{at:g} {TOP}V{BOTTOM}" for at, _ in x.ticks()]
    lines += [f"M{LEFT} {at:g}H{RIGHT}" for at, _ in y.ticks()]
    return "".join(lines)


def _line(curve: Curve, x: Axis, y: Axis) -> str:
    """Path data in whole steps: neighbours joined, a bin on its own as a short dash."""
    path = ""
    at: tuple[int, int] | None = None  # where the line stands; None: it has to start anew
    for i, point in enumerate(curve):
        if point is None or point[0] < x.lo:
            at = None
            continue
        to = round(x.at(point[0])), round(y.at(point[1]))
        if at is not None:
            path += f"l{to[0] - at[0]} {to[1] - at[1]}"
        else:
            alone = i + 1 == len(curve) or curve[i + 1] is None
            path += f"M{to[0]} {to[1]}" + ("h2" if alone else "")
        at = to
    return path


def _fit(layer: Mapping[str, Any], x: Axis, y: Axis) -> str | None:
    """The fitted tail, a straight line on these axes.

    Of a density (α-1)/xmin (λ/xmin)^-α above xmin, the share per decade is
    tail/n · (α-1) · ln 10 · (λ/xmin)^(1-α).
    """
    alpha, xmin, tail = (layer.get(name) for name in ("alpha", "xmin", "num_pl_spikes"))
    end = layer.get("xmax") or layer.get("lambda_max")
    if alpha is None or not xmin or not tail or not end or alpha <= 1:
        return None
    top = math.log10(tail / layer["num_evals"] * (alpha - 1) * math.log(10))
    first, last = math.log10(xmin), math.log10(end)
    last = min(last, first + (top - y.lo) / (alpha - 1))  # where it leaves the drawing
    if last <= first:
        return None
    low = top - (alpha - 1) * (last - first)
    return f"M{x.at(first):g} {y.at(top):g}L{x.at(last):g} {y.at(low):g}"


def _axis_texts(x: Axis, y: Axis) -> Iterator[Label]:
    yield from (Label("mid", at, BOTTOM + 15, text) for at, text in x.ticks())
    yield from (Label("end", LEFT - 5, at + 4, text) for at, text in y.ticks())


def _mark_texts(layer: Mapping[str, Any], x: Axis) -> Iterator[Label]:
    """Names of the vertical lines, above them: each on its outer side, so that none is crossed."""
    rows = (("edge", "bulk_max", "MP edge"), ("xmin", "xmin", "tail starts"))
    found = [(row, css, words, layer.get(name)) for row, (css, name, words) in enumerate(rows)]
    lines = [(row, css, words, value) for row, css, words, value in found if value and value > 0]
    leftmost = min((value for *_, value in lines), default=0.0)
    for row, css, words, value in lines:
        at = x.at(math.log10(value))
        left = (len(lines) == 2 and value == leftmost and at > LEFT + NAME) or at > RIGHT - NAME
        y = TOP - 18 + 13 * row
        text = f"{words} {number(value)}"
        yield Label(f"{css} {'end' if left else 'start'}", at + (-4 if left else 4), y, text)


def _sentence(layer: Mapping[str, Any], change: Mapping[str, Any] | None) -> str:
    """What the drawing shows, in words and numbers."""
    parts = [f"Spectrum of {layer['name']}: {layer['num_evals']:,} eigenvalues on log-log axes"]
    if layer.get("alpha") is not None:
        tail = f"the power-law tail starts at {number(layer['xmin'])}"
        parts.append(f"{tail} with exponent α {fixed(layer['alpha'])}")
    before = change["baseline"].get("alpha") if change else None
    if before is not None:
        parts.append(f"α was {fixed(before)} in the baseline")
    if layer.get("bulk_max") is not None:
        parts.append(f"random weights would end at {number(layer['bulk_max'])}")
    if layer["traps"]:
        at = " and ".join(number(trap["lambda"]) for trap in layer["traps"])
        parts.append(f"correlation traps stand at {at}")
    return "; ".join(parts) + "."
