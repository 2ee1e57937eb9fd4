"""Where a finding comes from, seen from the baseline: by check, layer and shape."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from auditor.checks import EVENTS
from auditor.checks.base import Case, is_change
from auditor.policy.levels import OFF, Policy
from auditor.records import Finding, Origin, Severity

Key = tuple[str, str | None, tuple[int, ...] | None]
STAYS = {  # what the baseline's finding makes of the same finding here; anything else is open
    Origin.ACCEPTED: Origin.ACCEPTED,
    Origin.ANALYZER: Origin.ANALYZER,  # it was there before anything could see it
}


@dataclass(frozen=True, slots=True)
class Before:
    """What was concluded about the baseline.

    `findings` are those of its stored audit (with the origins they had there), or, where it
    was never audited, what the checks find in it now. `anew` is what today's checks find in
    it; a symptom only there was always present, and a newer analyzer sees it.
    """

    findings: Sequence[Finding] = ()
    anew: Sequence[Finding] = ()
    accepted: bool = False  # a person accepted the version with all its findings


@dataclass(frozen=True, slots=True)
class Origins:
    """Tells the origin of findings of one version."""

    before: Before | None
    stood: Mapping[Key, Finding]  # what was found in the baseline
    anew: Mapping[Key, Severity]  # what today's checks find in it, and how grave
    renamed: Mapping[str, str]  # name here -> name in the baseline
    known: frozenset[Key] | None  # what an older analyzer found in these very weights

    @classmethod
    def of(cls, case: Case, before: Before | None, known: Iterable[Finding] | None) -> "Origins":
        """Of the version in a case."""
        pairs = case.comparison.renamed if case.comparison else ()
        past = before or Before()
        return cls(
            before,
            stood={one.key: one for one in past.findings if one.origin != Origin.FIXED},
            anew={one.key: one.severity for one in past.anew},
            renamed={after: old for old, after in pairs},
            known=None if known is None else frozenset(one.key for one in known),
        )

    def origin(self, finding: Finding) -> Origin:
        """Where a finding comes from, before any waiver.

        What was there as information and is a warning now is new: nobody accepted that.
        """
        found = self._by_baseline(finding)
        if found == Origin.NEW and self.known is not None and finding.key not in self.known:
            return Origin.ANALYZER if _is_of_a_check(finding) else found
        return found

    def _by_baseline(self, finding: Finding) -> Origin:
        if self.before is None or finding.check in EVENTS:
            return Origin.NEW
        key = self._then(finding)
        stood = self.stood.get(key)
        if stood and (stood.severity >= finding.severity or not _is_of_a_check(finding)):
            accepted = self.before.accepted
            return Origin.ACCEPTED if accepted else STAYS.get(stood.origin, Origin.OPEN)
        is_older = key in self.anew and self.anew[key] >= finding.severity
        return Origin.ANALYZER if is_older else Origin.NEW

    def fixed(self, findings: Iterable[Finding], policy: Policy, model: str) -> Iterator[Finding]:
        """What the baseline had and this version has not, of checks that are not off."""
        if self.before is None:
            return
        now = {self._then(finding) for finding in findings}
        checks = {known.check for known in self.before.findings}
        levels = {check: policy.level(check, model) for check in checks}
        for known in self.before.findings:
            level = levels[known.check]
            if known.key in now or known.origin == Origin.FIXED or self._is_settled(known):
                continue
            if level != OFF:
                yield replace(known, origin=Origin.FIXED, level=level, waiver="")

    def _is_settled(self, known: Finding) -> bool:
        """Whether it was a change that a person accepted: it is the measure now, not repaired.

        What happened once is over, and nothing to repair.
        """
        accepted = self.before is not None and self.before.accepted
        was_accepted = is_change(known) and (accepted or known.origin == Origin.ACCEPTED)
        return was_accepted or known.check in EVENTS

    def _then(self, finding: Finding) -> Key:
        """The key that the same finding has in the baseline."""
        check, layer, shape = finding.key
        return check, self.renamed.get(layer, layer) if layer else None, shape


def standing(before: Before | None) -> tuple[Finding, ...]:
    """What the baseline's audit found and nobody accepted; a waiver ends, and is no repair."""
    if before is None or before.accepted:
        return ()
    stands = {Origin.NEW, Origin.OPEN, Origin.WAIVED}
    return tuple(known for known in before.findings if known.origin in stands)


def _is_of_a_check(finding: Finding) -> bool:
    """Whether it can change with the analyzer; a limit, and how grave it is, with the policy."""
    return ":" not in finding.check
