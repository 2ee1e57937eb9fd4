"""What is usual in a family of models."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Band:
    """Where a metric lies in the layers of one kind: percentiles over `n` layers."""

    n: int
    p5: float
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Percentiles of metrics by module kind, over audits of models of one architecture."""

    name: str
    digest: str  # of its content
    audits: int  # it was built from
    bands: Mapping[str, Mapping[str, Band]]  # module kind -> column -> band
