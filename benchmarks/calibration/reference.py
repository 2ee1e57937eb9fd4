"""What the reference tool says about the same matrices: point estimates over their limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.calibration.matrices import Array
from tests.reference.client import Reference

KINDS = (
    *("Gaussian", "uniform", "Gaussian with a mean", "Student's t, 5 degrees"),
    *("three directions at 4 ×", "α = 1.5", "α = 2", "α = 3", "α = 6"),
    *("4 × in Gaussian", "5 % of the rank, no baseline"),
)


@dataclass(frozen=True, slots=True)
class Flags:
    """What the reference says about one layer."""

    evals: int
    over_trained: bool  # also where its fit failed: α is -1 then
    under_trained: bool
    failed: bool
    traps: float


def flags(arrays: Mapping[str, Array], seed: int) -> dict[str, Flags]:
    """Flags of every tensor for which the reference has a row."""
    numbered = {f"layer{i}.weight": array for i, array in enumerate(arrays.values())}
    with Reference() as tool:
        rows = tool.analyze(numbered, seed=seed, randomize=True)
    names = {key.removesuffix(".weight"): name for key, name in zip(numbered, arrays, strict=True)}
    return {names[row["longname"]]: _flags(row) for row in rows}


def _flags(row: Mapping[str, Any]) -> Flags:
    return Flags(
        evals=int(row["num_evals"]),
        over_trained=row["warning"] == "over-trained",
        under_trained=row["warning"] == "under-trained",
        failed=row["status"] != "success",
        traps=float(row["num_traps"]),
    )
