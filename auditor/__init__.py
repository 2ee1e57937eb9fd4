"""Watch model registries and audit the spectra of every new version's weights.

>>> import auditor, numpy as np
>>> analysis = auditor.analyze({"fc": np.random.default_rng(0).normal(size=(64, 32))})
>>> print(analysis.details[["name", "N", "M", "status"]].to_string(index=False))
name  N  M  status
  fc 64 32 success
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.api import Analysis, analyze

__version__ = "0.1.0"

METRIC_SET = 2  # raised when a measured number would change

__all__ = ["METRIC_SET", "Analysis", "__version__", "analyze"]


def __getattr__(name: str) -> object:
    """Import the Python API when it is first used: importing the package costs nothing."""
    if name in {"Analysis", "analyze"}:
        from auditor import api  # noqa: PLC0415 - it imports numpy

        return getattr(api, name)
    raise AttributeError(f"module 'auditor' has no attribute {name!r}")
