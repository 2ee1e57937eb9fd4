"""What `auditor explain` says of each check: figures, and what they support."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.calibration.rates import Rate
from benchmarks.evidence.counts import Figures
from benchmarks.evidence.separation import CHECKS, false_alarms, told

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "benchmarks" / "evidence" / "figures.json"
PAGE = ROOT / "docs" / "evidence.md"
CALIBRATION = ROOT / "auditor" / "explaining" / "calibration.json"

STATED = {  # they say what is there, and claim nothing about what it does
    *("non_finite", "all_zero", "constant", "duplicate_layers", "dead_rows", "no_change"),
    *("unsafe_pickle", "custom_code", "unverified_bytes", "frozen_layers", "large_change"),
    *("layers_changed", "shape_changed", "dtype_changed", "rank_collapse"),
}
LEAST = {  # eigenvalues below which a finding, or silence, says little: docs/calibration.md
    **dict.fromkeys(("random_like", "correlation_traps", "spike_count_change"), 50),
    **dict.fromkeys(("correlation_flow", "median_shift", "alpha_distribution"), 50),
    **dict.fromkeys(("over_trained", "under_trained", "implausible_power_law"), 100),
    **dict.fromkeys(("alpha_spikes", "share_out_of_range", "alpha_shift"), 100),
}
UNTRIED = {
    "unusual_distance": "The experiment has no long histories, so it says nothing of this check.",
    "outside_profile": "The experiment has no profiles, so it says nothing of this check.",
}
REMARKS = {
    "large_change": "Every training anew changes every layer by about 1.4: alone it is no fault.",
    **UNTRIED,
    "random_like": "Where labels are shuffled it is the layers that cannot learn them.",
    "duplicate_layers": "A module that was copied whole, several matrices, is information.",
    "rank_collapse": "Pruned networks that were fine-tuned lose rank, and may be right again.",
    "unsafe_pickle": "Tested with the readers of files; the experiment has no pickles.",
    "custom_code": "Tested with the readers of files; the experiment has no pickles.",
    "unverified_bytes": "Tested with sources that state digests; the experiment has none.",
}


def support(made: Figures, check: str) -> str:
    """What a check rests on: ``construction``, ``experiment`` or ``literature``."""
    if check in STATED:
        return "construction"
    return "experiment" if told(made, check) else "literature"


def write(made: Figures) -> None:
    """Put the figures where the package reads them."""
    CALIBRATION.write_text(text(made), encoding="utf-8")


def text(made: Figures) -> str:
    """The file that holds them."""
    said = {"made_by": "benchmarks/evidence.py", "checks": about(made)}
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def about(made: Figures) -> dict[str, Any]:
    """Figures by check."""
    return {
        check: {
            "support": support(made, check),
            "min_evals": LEAST.get(check),
            "well_trained": _rate(false_alarms(made, check)),
            "causes": {one.cause: _rate(one.rate) for one in told(made, check)},
            "remark": REMARKS.get(check, ""),
        }
        for check in CHECKS
    }


def _rate(one: Rate) -> Mapping[str, float]:
    low, high = (round(end, 4) for end in one.interval)
    return {"fired": one.hits, "of": one.total, "low": low, "high": high}
