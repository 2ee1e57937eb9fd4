"""What findings amount to: rules, origins, the gate, the verdict. Pure.

A policy is a list of rules. A verdict follows from the findings that are *new*, or carried
over and never accepted, and that no waiver covers; see `judge`.

- ``rules``: what a rule says, and which of several decides
- ``levels``: the presets, and what a policy is
- ``origins``: where a finding comes from, seen from the baseline
- ``limits``: rules on metrics
- ``gating``: what counts under which rule, row by row
- ``judging``: the verdict and its reason
"""

from auditor.policy.gating import covers, gates
from auditor.policy.judging import (
    ABOUT_AUDIT,
    BASELINE,
    COVERAGE,
    MIN_COVERAGE,
    PARSED,
    Judgement,
    judge,
)
from auditor.policy.levels import LEVELS, PRESET_NAMES, Policy, preset
from auditor.policy.origins import Before
from auditor.policy.rules import AnyRule, Bound, CheckRule, MetricRule, Of, Rule, effective

__all__ = [
    "ABOUT_AUDIT",
    "BASELINE",
    "COVERAGE",
    "LEVELS",
    "MIN_COVERAGE",
    "PARSED",
    "PRESET_NAMES",
    "AnyRule",
    "Before",
    "Bound",
    "CheckRule",
    "Judgement",
    "MetricRule",
    "Of",
    "Policy",
    "Rule",
    "covers",
    "effective",
    "gates",
    "judge",
    "preset",
]
