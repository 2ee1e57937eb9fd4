"""How often the 95 % interval of alpha holds the true exponent, and how often a rule is right.

Seeded samples of a known exponent: pure power laws, and power laws above two kinds of body.
Each is fitted as in an audit. A table a kind, a row a sample size, a column an exponent.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auditor.checks.shape import PLAUSIBLE, OverTrained
from auditor.executors.machine import cores
from auditor.records import FloatArray, Settings
from auditor.spectral.powerlaw import fit_tail
from auditor.spectral.uncertainty import goodness_of_fit, interval
from benchmarks.calibration import page

SEED = 20260105
ALPHAS = (1.6, 2.0, 2.5, 3.5, 4.5)
SIZES = (50, 200, 1000)
DRAWS = 1000
EACH = 5  # one sample in so many has its goodness of fit tested whatever its interval


def pareto(rng: np.random.Generator, n: int, alpha: float) -> FloatArray:
    """Draws from ``p(x) ~ x**-alpha`` above 1, by its inverse CDF."""
    return (1.0 - rng.random(n)) ** (-1.0 / (alpha - 1.0))


def rising(rng: np.random.Generator, n: int) -> FloatArray:
    """A body U^0.7 on [0, 1]: denser towards the tail."""
    return rng.random(n) ** 0.7


def half_lognormal(rng: np.random.Generator, n: int) -> FloatArray:
    """A body on [0, 1], the lower half of a lognormal: it falls off as a tail does."""
    return np.exp(-np.abs(rng.standard_normal(n)))


@dataclass(frozen=True, slots=True)
class Kind:
    """A power law above a body."""

    title: str
    share: float  # of the values that lie in the power law
    body: Callable[[np.random.Generator, int], FloatArray] = rising


KINDS = {
    "pure": Kind("A power law and nothing else", 1.0),
    "spliced": Kind("30 % of the values in the power law, a body U^0.7 below", 0.3),
    "half-lognormal": Kind(
        "10 % in the power law, a half-lognormal body below", 0.1, half_lognormal
    ),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Samples of one kind, size and exponent: the same ones every time."""

    kind: str
    n: int
    alpha: float
    draws: int = DRAWS

    def samples(self) -> Iterator[FloatArray]:
        """Ascending values."""
        place = list(KINDS).index(self.kind)
        rng = np.random.default_rng((SEED, place, self.n, round(10 * self.alpha)))
        kind = KINDS[self.kind]
        tail = round(kind.share * self.n)
        for _ in range(self.draws):
            parts = kind.body(rng, self.n - tail), pareto(rng, tail, self.alpha)
            yield np.sort(np.concatenate(parts))


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the samples of a cell, 0..1."""

    covered: float  # whose interval holds the exponent
    below: float  # whose alpha, as a point, is below 2
    called: float  # that `over_trained` reports
    implausible: float  # whose p is below 0.1, of one in `EACH`


def rates(cell: Cell) -> Rates:
    """Fit and judge every sample of a cell."""
    found = np.array([judged(x, cell.alpha) for x in cell.samples()])
    p = [_p(x) for i, x in enumerate(cell.samples()) if i % EACH == 0]
    return Rates(*found.mean(axis=0).tolist(), float(np.mean(np.array(p) < PLAUSIBLE)))


def judged(x: FloatArray, alpha: float) -> tuple[bool, bool, bool]:
    """Whether the interval holds alpha, the point is below 2, and the layer called over-trained."""
    settings, rule = Settings(), OverTrained()
    fit = fit_tail(x, n=x.size, settings=settings)
    if fit is None:
        return False, False, False
    found = interval(x, fit, n=x.size, settings=settings)
    is_called = found.hi < rule.below and fit.size >= rule.min_tail and _p(x) >= PLAUSIBLE
    return found.lo <= alpha <= found.hi, fit.alpha < rule.below, is_called


def _p(x: FloatArray) -> float:
    """Goodness of fit; nan without a tail."""
    fit = fit_tail(x, n=x.size, settings=Settings())
    return goodness_of_fit(x, fit, n=x.size, settings=Settings()) if fit else float("nan")


def table(kind: str, found: dict[Cell, Rates]) -> str:
    """The rates of one kind as Markdown, in percent."""
    lines = [
        "| eigenvalues | | " + " | ".join(f"α = {alpha:g}" for alpha in ALPHAS) + " |",
        "|---|---|" + "---:|" * len(ALPHAS),
    ]
    rows = {
        "interval holds α": "covered",
        "point below 2": "below",
        "called over-trained": "called",
        "p < 0.1": "implausible",
    }
    for n in SIZES:
        for title, name in rows.items():
            row = [r for cell, r in found.items() if (cell.kind, cell.n) == (kind, n)]
            numbers = " | ".join(f"{100 * getattr(r, name):.1f}" for r in row)
            lines.append(f"| {n if name == 'covered' else ''} | {title} | {numbers} |")
    return f"**{KINDS[kind].title}**, % of samples:\n\n" + "\n".join(lines)


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    say = parser.add_argument
    say("--draws", type=int, default=DRAWS, help=f"samples a cell; default: {DRAWS}")
    say("--workers", type=int, default=cores(), help="processes; default: one per core")
    say("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    return parser.parse_args()


def measured(cells: Iterable[Cell], workers: int) -> dict[Cell, Rates]:
    """Rates of all cells, the slowest first."""
    ordered = sorted(cells, key=lambda cell: cell.n, reverse=True)
    with ProcessPoolExecutor(workers) as pool:
        found = dict(zip(ordered, pool.map(rates, ordered), strict=True))
    return {cell: found[cell] for cell in sorted(found, key=lambda cell: cell.alpha)}


def main() -> None:
    """Print the tables, or write them into the page."""
    asked = arguments()
    cells = [Cell(k, n, alpha, asked.draws) for k in KINDS for n in SIZES for alpha in ALPHAS]
    found = measured(cells, asked.workers)
    blocks = {f"coverage: {kind}": table(kind, found) for kind in KINDS}
    if asked.write:
        page.write(asked.write, blocks)
    print("\n\n".join(blocks.values()))


if __name__ == "__main__":
    main()
