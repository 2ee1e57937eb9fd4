"""The phase of training that a layer's spectrum shows: five, and the collapse of its rank.

As training goes on, a spectrum leaves the random bulk: single eigenvalues come out of it,
bleeding over its edge or standing apart as spikes, then the bulk itself decays, and in the
end the whole spectrum is heavy-tailed [1].

References
----------
.. [1] Martin & Mahoney, "Implicit self-regularization in deep neural networks", JMLR 22,
       2021.
.. [2] Clauset, Shalizi & Newman, "Power-law distributions in empirical data", SIAM Review
       51(4), 2009, section 4.
"""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from auditor.records import Phase
from auditor.spectral.marchenko_pastur import Bulk, spread
from auditor.spectral.spectrum import OVERTRAINED, UNDERTRAINED, Spectrum

UNDETERMINED = "undetermined"
MIN_EVALS = 50
FULL_RANK = 0.95  # of the directions
ONE_DIRECTION = 1.5  # stable rank
MODERATE = 4.0  # α up to which a tail is moderately heavy
PLAUSIBLE = 0.1  # [2]: below it the power law is ruled out
GAP = 3.0  # in fluctuations of the bulk's edge
FEW = 0.05  # of the eigenvalues

Metrics = Mapping[str, float]


def phase_of(s: Spectrum, metrics: Metrics) -> Phase:
    """The first phase whose rule holds, with the numbers that it holds by.

    - ``rank-collapse``: rank below 95 % of the directions, or a stable rank below 1.5 and no
      power law.
    - ``random-like``: the random twin explains the layer, whatever α says.
    - ``heavy-tailed``: upper end of α's interval below 6 and a plausible power law (p at
      least 0.1): weakly from α = 4 on, moderately from 2, very below 2.
    - ``bulk+spikes``: one spike or more beyond the Marchenko-Pastur bulk, and a gap below
      the smallest of more than three fluctuations τ s² of the bulk's edge; the median over
      slices with a spike.
    - ``bleeding-out``: spikes without such a gap, at most 5 % of the eigenvalues.
    - ``bulk-decay``: anything else.

    Unchanged by scaling. The goodness of fit is computed where the third rule needs it only.

    Parameters
    ----------
    s
        In the convention ``auditor``; there are no phases in the other.
    metrics
        Of the same layer, by column name.

    Returns
    -------
    Phase
        ``undetermined`` below 50 eigenvalues, and where a rule that comes first needs what
        was not measured or could not be fitted; the reason says what.
    """
    if s.is_reference:
        return Phase(UNDETERMINED, "phases belong to the convention auditor")
    if s.eigenvalues.size < MIN_EVALS:
        few = f"{s.eigenvalues.size} eigenvalues, at least {MIN_EVALS} are needed"
        return Phase(UNDETERMINED, few)
    return next(_Evidence(s, metrics).phases())


@dataclass(frozen=True, eq=False)
class _Evidence:
    """A layer and its rules: each gives the reason why it holds, or nothing."""

    s: Spectrum
    metrics: Metrics

    def phases(self) -> Iterator[Phase]:
        """What holds, the first one first."""
        for name, option, rule in RULES:
            if self.lacks(option):
                yield Phase(UNDETERMINED, f"not decided without {option}")
            if reason := rule(self):
                yield Phase(name, reason)
        yield Phase(UNDETERMINED, "no Marchenko-Pastur bulk can be fitted")

    def lacks(self, option: str) -> bool:
        """Whether the option that measures what a rule is about is off."""
        off = {
            "randomize": not self.s.settings.randomize,
            "intervals": self.s.tail is not None and self.s.interval is None,
            "mp_fit": not self.s.settings.mp_fit,
        }
        return off.get(option, False)

    def collapsed(self) -> str:
        rank, stable = self.metrics["matrix_rank"], self.metrics["stable_rank"]
        size = self.s.eigenvalues.size
        if rank < FULL_RANK * size:
            return f"rank {rank:.0f} of {size}, below {FULL_RANK:.0%}"
        if stable < ONE_DIRECTION and self.s.tail is None:
            return f"stable rank {stable:.2f}, below {ONE_DIRECTION:g}, and no power law"
        return ""

    def random(self) -> str:
        if self.s.twin is None or not self.s.twin.random_like:
            return ""
        deviation = self.metrics["rand_deviation"]
        return f"its entries in random order explain it: deviation {deviation:.2f}, at most 1"

    def heavy(self) -> str:
        tail, ends = self.s.tail, self.s.interval
        if tail is None or ends is None or not ends.hi < UNDERTRAINED:
            return ""
        p = self.s.goodness
        if p is None or not p >= PLAUSIBLE:
            return ""
        light = "weakly" if tail.alpha >= MODERATE else "moderately"
        degree = "very" if tail.alpha < OVERTRAINED else light
        return f"{degree}, with α {tail.alpha:.2f} [{ends.lo:.2f}, {ends.hi:.2f}] and p {p:.2f}"

    def apart(self) -> str:
        return self._spikes() if self.gap > GAP else ""

    def bleeding(self) -> str:
        bulk = self.s.bulk
        few = bulk is not None and 0 < bulk.num_spikes <= FEW * self.s.eigenvalues.size
        return self._spikes() if few else ""

    def decaying(self) -> str:
        if self.s.bulk is None:
            return ""
        return self._spikes() if self.s.bulk.num_spikes else "no spike, and no twin explains it"

    @cached_property
    def gap(self) -> float:
        """Below the smallest spike, in fluctuations of the edge; 0 without spikes."""
        bulk = self.s.bulk
        gaps = list(_gaps(self.s, bulk)) if bulk else []
        return statistics.median(gaps) if gaps else 0.0

    def _spikes(self) -> str:
        count, size = self.metrics["num_spikes"], self.s.eigenvalues.size
        name = "spike" if count == 1.0 else "spikes"
        return f"{count:.0f} {name}, {count / size:.1%} of the eigenvalues, gap {self.gap:.3g} τ"


def _gaps(s: Spectrum, bulk: Bulk) -> Iterator[float]:
    """Below the smallest spike of every slice that has one, over τ s²."""
    for values, sigma, count in zip(s.slices, bulk.sigma, bulk.spikes, strict=True):
        if count:
            gap = float(values[-count] - values[-count - 1])
            yield gap / (sigma * sigma * spread(s.n - count, s.m - count))


RULES = (  # name, the option it rests on, the rule
    ("rank-collapse", "", _Evidence.collapsed),
    ("random-like", "randomize", _Evidence.random),
    ("heavy-tailed", "intervals", _Evidence.heavy),
    ("bulk+spikes", "mp_fit", _Evidence.apart),
    ("bleeding-out", "mp_fit", _Evidence.bleeding),
    ("bulk-decay", "mp_fit", _Evidence.decaying),
)
PHASES = (*(name for name, _, _ in RULES), UNDETERMINED)
