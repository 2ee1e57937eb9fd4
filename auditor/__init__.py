"""Watch model registries and audit the spectra of every new version's weights.

>>> import auditor, numpy as np
>>> analysis = auditor.analyze({"fc": np.random.default_rng(0).normal(size=(64, 32))})
>>> print(analysis.details[["name", "N", "M", "status"]].to_string(index=False))
name  N  M  status
  fc 64 32 success
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.api import Analysis, analyze
    from auditor.comparing import compare
    from auditor.story.results import Distances, Lineup
    from auditor.tables import Relations, series
    from auditor.transforming import sharpen, smooth

__version__ = "0.1.0"

METRIC_SET = 4  # raised when a measured number would change

__all__ = [
    "METRIC_SET",
    "Analysis",
    "Distances",
    "Lineup",
    "Relations",
    "__version__",
    "analyze",
    "compare",
    "series",
    "sharpen",
    "smooth",
]

_HOMES = {
    "Analysis": "auditor.api",
    "Distances": "auditor.story.results",
    "Lineup": "auditor.story.results",
    "Relations": "auditor.tables",
    "analyze": "auditor.api",
    "compare": "auditor.comparing",
    "series": "auditor.tables",
    "sharpen": "auditor.transforming",
    "smooth": "auditor.transforming",
}


def __getattr__(name: str) -> object:
    """Import the Python API when it is first used: importing the package costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'auditor' has no attribute {name!r}")
