"""One number per layer and metric.

To add a metric: write a function ``Spectrum -> float`` in the file of its family, add its
line to the ``METRICS`` table at the end of that file, and test it in
``tests/metrics/test_<family>.py``. Reports, MLflow and the ledger pick it up from there;
raise ``auditor.METRIC_SET`` when a number changes. An undefined number is ``nan``.

A new family is a file with such a table, and one line in `ALL` here. A table whose numbers
cost much or exist in one convention only is chosen in `columns`.
"""

from auditor.metrics import (
    capacity,
    determinant,
    entries,
    norms,
    randomness,
    rank,
    tail,
    vectors,
)
from auditor.metrics.base import Metric
from auditor.records import Settings

ALL: tuple[Metric, ...] = (
    *tail.METRICS,
    *norms.METRICS,
    *rank.METRICS,
    *entries.METRICS,
    *randomness.METRICS,
    *determinant.METRICS,
    *vectors.METRICS,
    *capacity.METRICS,
)


def columns(settings: Settings) -> tuple[Metric, ...]:
    """The metrics that these settings ask for, in the order of reports.

    Intervals need a bootstrap, and a power law that is not truncated. Likelihood ratios, which
    cost more than all the rest of a small layer, are there with `goodness_of_fit` only. The
    Marchenko-Pastur bulk and the random twin are there where they are switched on; what is
    read off the twin differs between the conventions.
    """
    ours = settings.convention == "auditor"
    tables = (
        (tail.FIT_METRICS, True),
        (tail.INTERVAL_METRICS, settings.bootstrap > 0 and settings.fit == "PL"),
        (tail.RATIO_METRICS, settings.goodness_of_fit),
        (tail.TRUNCATION_METRICS, settings.fit == "TPL"),
        (tail.FINGER_METRICS, settings.fix_fingers == "clip_xmax"),
        (norms.METRICS, True),
        (rank.METRICS, True),
        (entries.METRICS, True),
        (randomness.BULK_METRICS, settings.mp_fit),
        (randomness.TWIN_METRICS, settings.randomize),
        (randomness.OWN_TWIN_METRICS, ours and settings.randomize),
        (randomness.REFERENCE_TWIN_METRICS, settings.randomize and not ours),
        (determinant.METRICS, settings.detX),
        (vectors.METRICS, settings.vectors),
        (capacity.METRICS, settings.cumulants),
    )
    return tuple(metric for table, is_on in tables if is_on for metric in table)
