"""What findings amount to: levels, origins, the gate, the verdict. Pure.

A policy gives every check a level. A verdict follows from the findings that are *new*, or
carried over and never accepted, and that no waiver covers; see `judge`.
"""

from auditor.policy.judging import (
    BASELINE,
    COVERAGE,
    MIN_COVERAGE,
    PARSED,
    Before,
    Judgement,
    gates,
    judge,
)
from auditor.policy.levels import LEVELS, PRESET_NAMES, Policy, preset

__all__ = [
    "BASELINE",
    "COVERAGE",
    "LEVELS",
    "MIN_COVERAGE",
    "PARSED",
    "PRESET_NAMES",
    "Before",
    "Judgement",
    "Policy",
    "gates",
    "judge",
    "preset",
]
