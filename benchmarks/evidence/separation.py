"""Which findings tell which causes from good training, and how sure that is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auditor.policy import LEVELS
from benchmarks.calibration.rates import Rate
from benchmarks.evidence.causes import AGAIN, CAUSES, WELL_TRAINED, Cause
from benchmarks.evidence.counts import Figures, Row

CHECKS = tuple(LEVELS)


@dataclass(frozen=True, slots=True)
class Found:
    """How often a check fires on a cause, and on good networks that are like it otherwise."""

    check: str
    cause: str
    rate: Rate
    reference: Rate

    @property
    def is_told(self) -> bool:
        """Whether the whole interval lies above that of the good networks."""
        return self.rate.interval[0] > self.reference.interval[1]


def bad(made: Figures) -> tuple[str, ...]:
    """Causes that are no good training, as far as there are figures."""
    return tuple(dict.fromkeys(row.cause for row in made.rows if row.group != WELL_TRAINED))


def rate(rows: Iterable[Row], check: str, way: str = "against") -> Rate:
    """Networks in which a check fires."""
    rows = tuple(rows)
    return Rate(sum(row.hits[way].get(check, 0) for row in rows), sum(row.networks for row in rows))


def false_alarms(made: Figures, check: str) -> Rate:
    """How often it fires on well-trained networks, retrained or fine-tuned."""
    return rate(
        (row for row in made.rows if row.group == WELL_TRAINED and row.cause != AGAIN), check
    )


def found(made: Figures, check: str) -> Iterator[Found]:
    """A check set against every cause."""
    for name in bad(made):
        rows = [row for row in made.rows if row.cause == name]
        families = {row.family for row in rows}
        like = [row for row in made.rows if row.family in families and _is_like(row, CAUSES[name])]
        yield Found(check, name, rate(rows, check), rate(like, check))


def told(made: Figures, check: str) -> tuple[Found, ...]:
    """The causes that a check tells from good training, the most often found first."""
    told = (one for one in found(made, check) if one.is_told)
    return tuple(sorted(told, key=lambda one: -one.rate.hits / one.rate.total))


def _is_like(row: Row, cause: Cause) -> bool:
    """Good networks that came about as those of a cause did: anew, or from a finished one."""
    return row.group == WELL_TRAINED and CAUSES[row.cause].anew == cause.anew
