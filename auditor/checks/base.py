"""What a check is, and what it gets to see."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar, Protocol, get_type_hints

from auditor.records import (
    Comparison,
    Finding,
    LayerChange,
    LayerRecord,
    Profile,
    Reading,
    Severity,
    Skip,
    Trend,
)

NOTHING_READ = Reading(files=(), bytes_read=0)
BEFORE = "before"  # evidence: the value that a change was held against


@dataclass(frozen=True)
class Case:
    """What is being judged: everything measured on a version and, if any, its baseline."""

    layers: Sequence[LayerRecord]
    skipped: Sequence[Skip] = ()
    reading: Reading = NOTHING_READ
    comparison: Comparison | None = None
    stood: Sequence[Finding] = ()  # findings of the baseline's audit that nobody accepted
    history: Sequence[Trend] = ()  # earlier versions of the model, oldest first
    profile: Profile | None = None  # of models like this one

    def change(self, layer: LayerRecord) -> LayerChange | None:
        """The comparison of a layer with the baseline's; None where there is none."""
        return self.comparison.change(layer.name) if self.comparison else None

    def standing(self, layer: LayerRecord | None, *checks: str) -> Finding | None:
        """The baseline's finding of one of these checks that still says what it is held against.

        A change that nobody accepted is not undone by happening only once. Where the
        baseline's own finding on the same layer stands, a value is held against what that
        finding was held against (its evidence `BEFORE`), not against the baseline: version 2
        collapsed against version 1, and version 3, as collapsed as version 2, is held against
        version 1. So the finding is there until the value is back; and once a person accepted
        a version, that version is the measure.

        Parameters
        ----------
        layer
            None for findings about the version as a whole.
        checks
            Whose findings count: the checks of both directions of one quantity, so that what
            comes back from an explosion is no collapse.
        """
        change = self.change(layer) if layer else None
        if layer and not change:
            return None
        name = change.before.name if change else None
        found = (self._changed.get((check, name)) for check in checks)
        return next((one for one in found if one), None)

    @cached_property
    def _changed(self) -> dict[tuple[str, str | None], Finding]:
        return {(one.check, one.layer): one for one in self.stood if is_change(one)}

    def held_against(self, layer: LayerRecord | None, *checks: str, else_: float) -> float:
        """The value that a standing finding was held against; see `standing`."""
        found = self.standing(layer, *checks)
        return float(found.evidence[BEFORE]) if found else else_


def is_change(finding: Finding) -> bool:
    """Whether it says what it was held against: one number, or several."""
    said = finding.evidence.get(BEFORE)
    return isinstance(said, list) or (isinstance(said, int | float) and math.isfinite(said))


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a field of a check does, in a few words, and its unit.

    It annotates the field: ``min_evals: Annotated[int, Threshold("...", "eigenvalues")]``.
    """

    does: str
    unit: str = "1"


class Check(Protocol):
    """Anything that, called with a case, yields findings. Pure: same case, same findings."""

    severity: ClassVar[Severity]
    condition: ClassVar[str]  # the gate row: "Layers that look over-trained"
    meaning: ClassVar[str]  # what the symptom means, in two sentences
    advice: ClassVar[str]  # what to try
    theory: ClassVar[str]  # why it should be so, in two or three sentences
    sources: ClassVar[tuple[str, ...]]  # papers or measurements the theory and limits rest on
    needs: ClassVar[str]  # the column without which nothing is found, "" for none

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield zero or more findings, with ``rule``, ``limit`` and ``value`` filled in."""


def was_made(check: Check, case: Case) -> bool:
    """Whether a check could find anything: the column it needs was measured somewhere."""
    layers = case.layers
    return not (check.needs and layers) or any(check.needs in one.metrics for one in layers)


def name_of(check: type[Check]) -> str:
    """Key of a check in policies and reports: ``OverTrained`` is ``over_trained``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", check.__name__).lower()


def thresholds(check: type[Check]) -> dict[str, Threshold]:
    """What the fields of a check do, by their names.

    Raises
    ------
    KeyError
        If a field is not annotated with a `Threshold`.
    """
    hints = get_type_hints(check, include_extras=True)
    found: dict[str, Threshold] = {}
    for field in fields(check):  # type: ignore[arg-type]  # every check is a dataclass
        said = getattr(hints[field.name], "__metadata__", ())
        known = [one for one in said if isinstance(one, Threshold)]
        if not known:
            raise KeyError(field.name)
        found[field.name] = known[0]
    return found
