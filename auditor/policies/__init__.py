"""Policies by name or from a file, and the floor under them.

A policy file is YAML; ``docs/policy.md`` has every key::

    extends: recommended          # presets and files; what is not said here is as there
    baseline: warn                # a version without a baseline is REVIEW
    checks:
      over_trained: {level: error, below: 1.9}
    rules:                        # of those on one subject the last that fits decides
      - {check: large_change, level: warn, max: 2, model: "prod-*"}
      - {metric: alpha, of: median, level: warn, max_increase: 0.3}
    waivers:                      # findings a person answers for, until a day
      - check: over_trained
        model: "mlflow:digits"    # patterns: * ? [ab]
        layer: "fc1.*"            # without it: only findings about the whole version
        reason: known since the distillation, retrained in March
        owner: a.ruiz
        expires: 2026-12-01       # its last day; at most 180 days ahead

- ``loading``: a file and all that it extends
- ``thresholds``, ``rules``, ``waivers``: the sections of a file
- ``words``: what their entries are made of
- ``said``: what a file says, with where it is written
- ``layers``: a policy on its floors
- ``explaining``: which rule decides for a model, and which it overrode
- ``standing``: waivers in force, expired, stale
- ``schema``: JSON Schema of a policy file
"""

from datetime import UTC, date, datetime

from auditor.policies.layers import configured, layers
from auditor.policies.loading import said
from auditor.policy import Policy

__all__ = ["configured", "layers", "load_policy"]


def load_policy(name: str, today: date | None = None) -> Policy:
    """A preset by name, or the policy in a file; no floor is under it, see `configured`.

    Parameters
    ----------
    name
        Of a preset, or the path of a file.
    today
        From when on a waiver may hold 180 days; the day it is in UTC where it is None.

    Raises
    ------
    ConfigError
        If there is no such preset or file, or the file does not fit; one line a problem.
        A waiver that has expired fits, and does nothing.
    """
    return said(name, today or datetime.now(UTC).date()).policy()
