"""What a check or a metric is, why it should be believed, and how often it is wrong.

Everything comes from the check itself (its class attributes and the `Threshold` of each
field), from the presets, and from the figures of `calibration.json`, which
``benchmarks/evidence.py`` writes. Nothing is written twice.

- ``about``: a name as a subject, all subjects, and their data
- ``figures``: the calibration
- ``columns``: metrics, and distances from the baseline
- ``text``: a subject for a terminal
- ``pages``: ``docs/checks.md``
"""

from auditor.explaining.about import AboutCheck, AboutMetric, about, every_check

__all__ = ["AboutCheck", "AboutMetric", "about", "every_check"]
