r"""How localised a layer's singular vectors are, in the bulk and in the tail of its spectrum.

A column for each mean and variance, over the vectors below xmin (``bulk``) and from it on
(``tail``), of three statistics of a vector v:

- ``vec_entropy``, the entropy of a histogram of its absolute entries: 100 bins from the
  smallest to the largest, natural logarithm, 0 to ln 100. Low where few entries stand out.
- ``loc_ratio``, its localisation :math:`\lVert v \rVert_1 / \lVert v \rVert_\infty`: 1 where
  one entry is all, the number of entries where all are alike.
- ``part_ratio``, its participation :math:`\lVert v \rVert_2 / \lVert v \rVert_4`: 1 to the
  fourth root of the number of entries.

The matrix is taken with its larger side as rows, which makes the columns blind to
transposition: right vectors are those on the smaller side, as in the tool this field
compares with, and ``left_`` is in front of what is about those on the larger side; right
vectors of a square matrix are those on its rows. Scaling changes nothing. Vectors of
eigenvalues that are zero to rounding are in neither part: they are any basis of the null
space.

``nan`` without a tail, and for a bulk or tail without a vector.

References
----------
Martin & Mahoney, "Implicit self-regularization in deep neural networks", JMLR 22, 2021.
"""

import math
from itertools import product

import numpy as np

from auditor.metrics.base import Metric
from auditor.records import FloatArray
from auditor.spectral.spectrum import Spectrum
from auditor.spectral.vectors import STATISTICS

SIDES = ("", "left_")
PARTS = {"bulk": "below the tail", "tail": "of the tail"}
MOMENTS = {"mean": "Mean", "var": "Variance of the"}
WORDS = {
    "vec_entropy": ("histogram entropy", "nats"),
    "loc_ratio": ("localisation ratio", "entries"),
    "part_ratio": ("participation ratio", "1"),
}


def _column(side: str, part: str, moment: str, statistic: str) -> Metric:
    """The metric of one moment of one statistic over one part of the vectors."""
    words, unit = WORDS[statistic]
    where = "left" if side else "right"

    def compute(s: Spectrum) -> float:
        return _moment(s, side, part, moment, STATISTICS.index(statistic))

    compute.__name__ = f"{side}{part}_{moment}_{statistic}"
    compute.__doc__ = (
        f"{MOMENTS[moment]} {words} of the {where} singular vectors {PARTS[part]}.\n\n"
        "``nan`` where there is no tail, or no such vector."
    )
    label = f"{MOMENTS[moment]} {words}, {where}, {part}"
    return Metric(compute, label, f"{unit}²" if moment == "var" and unit != "1" else unit)


def _moment(s: Spectrum, side: str, part: str, moment: str, column: int) -> float:
    if s.tail is None or s.vectors is None:
        return math.nan
    of_tail = s.vectors.eigenvalues >= s.tail.xmin
    table = s.vectors.left if side else s.vectors.right
    values: FloatArray = table[of_tail if part == "tail" else ~of_tail, column]
    if not values.size:
        return math.nan
    return float(np.mean(values) if moment == "mean" else np.var(values))


METRICS = tuple(_column(*choice) for choice in product(SIDES, PARTS, MOMENTS, STATISTICS))
