"""What of a layer is empty, told from its entries and not from its spectrum.

The counts are over all matrices of a layer: rows and columns of every expert and every group
are counted, the positions of a kernel are one matrix together. They are those of the tensor
as it is stored, so a transposed layer has them swapped; scaling changes none of them. Each is
``nan`` for a pair of factors, whose product is stored nowhere.
"""

import math

from auditor.metrics.base import Metric
from auditor.spectral.spectrum import Spectrum


def dead_rows(s: Spectrum) -> float:
    """Number of rows that are zero in every entry.

    Rows are outputs where a weight is stored as (out, in), as by PyTorch's ``Linear`` and
    convolutions, and inputs where it is (in, out), as by the ``Conv1D`` of GPT-2 and by
    transposed convolutions. Of an embedding they are its entries. A row of a kernel counts
    where it is zero at every position.
    """
    return math.nan if s.entries is None else float(s.entries.dead_rows)


def dead_columns(s: Spectrum) -> float:
    """Number of columns that are zero in every entry: the other side of `dead_rows`."""
    return math.nan if s.entries is None else float(s.entries.dead_columns)


def constant(s: Spectrum) -> float:
    """Number of matrices of which every entry is the same, and not zero.

    1 or 0, but of experts and groups as many as there are. A single entry is no such matrix.
    """
    return math.nan if s.entries is None else float(s.entries.constant)


METRICS = (
    Metric(dead_rows, "Rows of zeros", "rows"),
    Metric(dead_columns, "Columns of zeros", "columns"),
    Metric(constant, "Matrices of a single value", "matrices"),
)
