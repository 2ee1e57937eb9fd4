"""Rules that turn measurements into findings.

A check is a frozen dataclass. Its fields are its thresholds, its first docstring line
explains it, its class attributes say how grave it is, what it means and what to try, and
calling it with a `Case` yields findings. To add one: write the class in the file of its
family, put it into that file's ``CHECKS``, give it a level in `auditor.policy`, test it in
``tests/checks/test_<family>.py``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from auditor.checks import (
    depth,
    drift,
    family,
    integrity,
    randomness,
    scale,
    shape,
    structure,
    values,
    whole,
)
from auditor.checks.base import Case, Check, name_of
from auditor.records import Finding

ALL: tuple[type[Check], ...] = (
    *values.CHECKS,
    *integrity.CHECKS,
    *randomness.CHECKS,
    *scale.CHECKS,
    *shape.CHECKS,
    *depth.CHECKS,
    *whole.CHECKS,
    *family.CHECKS,
    *structure.CHECKS,
    *drift.CHECKS,
)
BY_NAME: dict[str, type[Check]] = {name_of(check): check for check in ALL}
ONCE: tuple[type[Check], ...] = (  # of one version alone: what happened to it or its bytes
    integrity.UnverifiedBytes,
    *structure.CHANGES,
    drift.LargeChange,
    *drift.STANDSTILLS,
    whole.UnusualDistance,
)
EVENTS = frozenset(map(name_of, ONCE))  # whose findings are never carried over
VERSION = 3  # raised when a check would judge the same measurements differently


def examine(case: Case, checks: Iterable[Check]) -> tuple[Finding, ...]:
    """All findings of all checks, signed by their check, the gravest first."""
    found = (
        replace(
            finding,
            check=name_of(type(check)),
            meaning=finding.meaning or check.meaning,
            advice=finding.advice or check.advice,
        )
        for check in checks
        for finding in check(case)
    )
    return tuple(sorted(signed(case, found), key=lambda finding: -finding.severity))


def signed(case: Case, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings with the shape of the layer each is about."""
    shapes = {skip.name: skip.shape for skip in case.skipped}
    shapes |= {layer.name: layer.shape for layer in case.layers}
    return (replace(finding, shape=shapes.get(finding.layer or "")) for finding in findings)
