"""What findings count for: under which rule, at which level, waived or not; row by row."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from auditor import checks
from auditor.checks.base import Case, Check, name_of, was_made
from auditor.policy import limits
from auditor.policy.levels import GRAVITY, OFF, Policy
from auditor.policy.origins import Key, Origins
from auditor.policy.rules import (
    AnyRule,
    Bound,
    CheckRule,
    MetricRule,
    Of,
    deciding,
    effective,
    kinds_of,
)
from auditor.records import Condition, Finding, Level, Origin, Waiver

GATING = (Origin.NEW, Origin.OPEN)


@dataclass(frozen=True, slots=True)
class Part:
    """A policy, or the floor under it, as it holds for one model on one day."""

    rules: tuple[AnyRule, ...]
    waivers: tuple[Waiver, ...]
    checks: Mapping[str, Check]

    @classmethod
    def of(cls, policy: Policy, model: str, as_of: date) -> "Part":
        """What of a policy holds."""
        made = {name_of(type(check)): check for check in policy.checks}
        return cls(effective(policy.rules, model), policy.in_force(model, as_of), made)

    def found(self, case: Case) -> tuple[Finding, ...]:
        """What its checks find, and what lies beyond its limits."""
        shown = checks.examine(case, self.checks.values())
        beyond = checks.signed(case, limits.findings(case, self.rules))
        return (*shown, *beyond)

    def waiver(self, finding: Finding) -> Waiver | None:
        """What covers a finding and holds longest."""
        covering = (waiver for waiver in self.waivers if covers(waiver, finding))
        return max(covering, key=lambda waiver: waiver.expires, default=None)


@dataclass(frozen=True, slots=True)
class Held:
    """A finding, and the rules it counts under: one of each part of the policy that found it."""

    finding: Finding
    under: Mapping[int, AnyRule]  # part -> rule, where it gates and no waiver of the part covers


def gates(finding: Finding) -> bool:
    """Whether a finding counts in the gate.

    A finding graver than its check's own severity does not exist; one below it was put
    down to information by the check and never gates.
    """
    return _is_grave(finding) and finding.level != OFF and finding.origin in GATING


def _is_grave(finding: Finding) -> bool:
    check = checks.BY_NAME.get(finding.check)
    return check is None or finding.severity >= check.severity


def covers(waiver: Waiver, finding: Finding) -> bool:
    """Whether a waiver is for a finding, on whichever day."""
    if waiver.check != finding.check:
        return False
    if waiver.layer is None or finding.layer is None:
        return waiver.layer == finding.layer
    return fnmatchcase(finding.layer, waiver.layer)


def hold(case: Case, parts: Sequence[Part], origins: Origins) -> list[Held]:
    """Everything found, with origin and level, the gravest first."""
    found: dict[Key, dict[int, Finding]] = {}
    for i, part in enumerate(parts):
        for finding in part.found(case):
            found.setdefault(finding.key, {}).setdefault(i, finding)
    kinds = kinds_of(case.layers)
    held = (_held(by, parts, origins, kinds) for by in found.values())
    return sorted(held, key=lambda one: -one.finding.severity)


def _held(
    by: Mapping[int, Finding], parts: Sequence[Part], origins: Origins, kinds: Mapping[str, str]
) -> Held:
    """A finding, by the part of the policy that found it; of several, the gravest.

    Where it is information by the thresholds of one part, it does not count there.
    """
    finding = max(by.values(), key=lambda one: one.severity)
    kind = kinds.get(finding.layer or "", "")
    ruled = {
        i: rule
        for i, one in by.items()
        if _is_grave(one) or not _is_grave(finding)
        if (rule := deciding(parts[i].rules, finding.check, finding.layer, kind))
    }
    plain = replace(finding, origin=origins.origin(finding), level=_gravest(ruled.values()))
    if not gates(plain):
        return Held(plain, {})
    active = {i: rule for i, rule in ruled.items() if rule.level != OFF}
    waived = {i: waiver for i in active if (waiver := parts[i].waiver(finding))}
    under = {i: rule for i, rule in active.items() if i not in waived}
    if under:
        return Held(replace(plain, level=_gravest(under.values())), under)
    last = min(waived.values(), key=lambda waiver: waiver.expires)
    return Held(replace(plain, origin=Origin.WAIVED, waiver=str(last)), {})


def _gravest(rules: Iterable[AnyRule]) -> Level:
    return max((rule.level for rule in rules), key=GRAVITY.index, default=OFF)


def conditions(
    case: Case, parts: Sequence[Part], held: Iterable[Held], stood: Sequence[Finding] | None
) -> Iterator[tuple[AnyRule, Condition]]:
    """One row per rule that is not off: how many findings count under it, at most how many.

    What could not be looked at, for the analysis leaves its column out, has no number.
    `stood` is what the baseline has. What the floor asks is a row of its own where the
    policy asks less, or waives what the floor does not.
    """
    counted = Counter((i, id(rule)) for one in held for i, rule in one.under.items())
    kinds = kinds_of(case.layers)
    above: list[AnyRule] = []
    for i, part in enumerate(parts):
        then = Counter(id(_deciding(part, one, kinds)) for one in stood) if stood else Counter()
        for rule in part.rules:
            now = counted[i, id(rule)]
            if rule.level == OFF or (not now and any(_asks_no_less(one, rule) for one in above)):
                continue
            known = float(then[id(rule)]) if stood is not None else None
            yield rule, _row(case, part, rule, now, known)
        above += part.rules


def _deciding(part: Part, finding: Finding, kinds: Mapping[str, str]) -> AnyRule | None:
    kind = kinds.get(finding.layer or "", "")
    return deciding(part.rules, finding.check, finding.layer, kind)


def _asks_no_less(rule: AnyRule, than: AnyRule) -> bool:
    """Whether a rule of the policy makes a rule of the floor needless to show."""
    if rule.subject != than.subject or not rule.is_of_all:
        return False
    return GRAVITY.index(rule.level) >= GRAVITY.index(than.level) and _limit(rule) <= _limit(than)


def _limit(rule: AnyRule) -> float:
    """Smaller is stricter."""
    if isinstance(rule, CheckRule):
        return float(rule.max)
    return -rule.limit if rule.bound == Bound.MIN else rule.limit


def _row(case: Case, part: Part, rule: AnyRule, now: int, then: float | None) -> Condition:
    if isinstance(rule, MetricRule):
        return _row_of_limit(case, rule, now, then)
    check = part.checks[rule.check]
    return Condition(
        condition=check.condition + rule.where,
        level=rule.level,
        limit=float(rule.max),
        value=float(now) if was_made(check, case) else math.nan,
        baseline=then,
        passed=now <= rule.max,
        source=rule.source,
        check=rule.check,
    )


def _row_of_limit(case: Case, rule: MetricRule, now: int, then: float | None) -> Condition:
    limit, value, before = 0.0, float(now), then
    if rule.of == Of.LAYER:
        value = value if limits.was_measured(case, rule) else math.nan
    else:
        limit = rule.limit
        value, before = limits.measured(case, rule)
    return Condition(
        condition=limits.condition(rule),
        level=rule.level,
        limit=limit,
        value=value,
        baseline=before,
        passed=not now,
        source=rule.source,
        check=rule.check,
        least=rule.of != Of.LAYER and rule.bound == Bound.MIN,
    )
