"""From findings to the verdict: where each comes from, what is waived, what gates."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from auditor import checks
from auditor.checks.base import Case, name_of, was_made
from auditor.document import coverage, share_read
from auditor.policy.levels import ERROR, OFF, Policy
from auditor.records import Condition, Finding, Origin, Reading, Verdict, Waiver

MIN_COVERAGE = 0.95  # of the parameters of matrices; below it nothing can be green


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
class Judgement:
    """What the findings amount to."""

    findings: tuple[Finding, ...]
    gate: tuple[Condition, ...]
    verdict: Verdict
    reason: str


def judge(
    case: Case, policy: Policy, before: Before | None = None, *, model: str, as_of: date
) -> Judgement:
    """Findings with origin and level, the gate row by row, and the verdict.

    A version is BLOCK when a condition of level error fails on findings that are new or
    were never accepted, and not waived, INCOMPLETE when less than `MIN_COVERAGE` of its
    matrices was read, a file cannot be parsed or a time budget left something out, REVIEW
    when a condition of level warn fails, else PASS; in that precedence. No waiver makes up
    for what was not read.

    Parameters
    ----------
    case
        What was measured.
    policy
        Levels, thresholds and waivers.
    before
        What was concluded about the baseline; None without one.
    model
        The version's model as waivers name it, ``source:name``.
    as_of
        The day of the judgement, in UTC; a waiver holds until the end of its last day.

    Returns
    -------
    Judgement
        The same for the same arguments.
    """
    found = checks.examine(replace(case, stood=_standing(before)), policy.checks)
    renamed = {after: old for old, after in case.comparison.renamed} if case.comparison else {}
    waivers = policy.in_force(model, as_of)
    judged = (
        replace(
            finding,
            level=policy.level(finding.check),
            origin=_origin(finding, before, renamed),
        )
        for finding in found
    )
    findings = tuple(_waived(finding, waivers) for finding in judged)
    gate = (*_conditions(case, findings, policy, before), *_general(case, policy))
    verdict = _verdict(gate)
    everything = (*findings, *_fixed(findings, before, renamed, policy))
    return Judgement(everything, gate, verdict, _reason(verdict, findings, case, gate))


def _standing(before: Before | None) -> tuple[Finding, ...]:
    """What the baseline's audit found and nobody accepted."""
    if before is None or before.accepted:
        return ()
    return tuple(known for known in before.findings if known.origin in {Origin.NEW, Origin.OPEN})


def gates(finding: Finding) -> bool:
    """Whether a finding counts in the gate.

    A finding graver than its check's own severity does not exist; one below it was put
    down to information by the check and never gates.
    """
    grave = finding.severity >= checks.BY_NAME[finding.check].severity
    return grave and finding.level != OFF and finding.origin in {Origin.NEW, Origin.OPEN}


STAYS = {  # what the baseline's finding makes of the same finding here; anything else is open
    Origin.ACCEPTED: Origin.ACCEPTED,
    Origin.ANALYZER: Origin.ANALYZER,  # it was there before anything could see it
}


def _origin(finding: Finding, before: Before | None, renamed: Mapping[str, str]) -> Origin:
    if before is None:
        return Origin.NEW
    layer = renamed.get(finding.layer, finding.layer) if finding.layer else None
    key = (finding.check, layer)
    stood = {known.key: known for known in before.findings if known.origin != Origin.FIXED}
    if key in stood:
        return Origin.ACCEPTED if before.accepted else STAYS.get(stood[key].origin, Origin.OPEN)
    return Origin.ANALYZER if any(known.key == key for known in before.anew) else Origin.NEW


def _waived(finding: Finding, waivers: Iterable[Waiver]) -> Finding:
    """The finding as waived by what covers it and holds longest, if it would gate."""
    covering = [waiver for waiver in waivers if _covers(waiver, finding)]
    if not covering or not gates(finding):
        return finding
    longest = max(covering, key=lambda waiver: waiver.expires)
    return replace(finding, origin=Origin.WAIVED, waiver=str(longest))


def _covers(waiver: Waiver, finding: Finding) -> bool:
    if waiver.check != finding.check:
        return False
    if waiver.layer is None or finding.layer is None:
        return waiver.layer == finding.layer
    return fnmatchcase(finding.layer, waiver.layer)


def _fixed(
    findings: Iterable[Finding],
    before: Before | None,
    renamed: Mapping[str, str],
    policy: Policy,
) -> Iterable[Finding]:
    """What the baseline had and this version has not, of checks that gate."""
    if before is None:
        return
    now = {(f.check, renamed.get(f.layer, f.layer) if f.layer else None) for f in findings}
    for known in before.findings:
        level = policy.level(known.check)
        if known.key not in now and known.origin != Origin.FIXED and level != OFF:
            yield replace(known, origin=Origin.FIXED, level=level, waiver="")


def _conditions(
    case: Case, findings: Iterable[Finding], policy: Policy, before: Before | None
) -> Iterable[Condition]:
    """One row per check that is not off: how many findings of it gate, at most none.

    A check that could not be made, for the analysis leaves its column out, has no number.
    """
    now = Counter(finding.check for finding in findings if gates(finding))
    then = Counter(f.check for f in before.findings if f.origin != Origin.FIXED) if before else None
    for check in policy.checks:
        name = name_of(type(check))
        if (level := policy.level(name)) != OFF:
            yield Condition(
                condition=check.condition,
                level=level,
                limit=0.0,
                value=float(now[name]) if was_made(check, case) else math.nan,
                baseline=float(then[name]) if then is not None else None,
                passed=now[name] == 0,
            )


COVERAGE = "Share of the matrices' parameters that was read and checked"
TIMELY = "Tensors that were left out for lack of time"
PARSED = "Weight files that cannot be parsed, or that run code when loaded"
BASELINE = "A baseline to compare with"


def _general(case: Case, policy: Policy) -> Iterable[Condition]:
    """Rows about the audit itself."""
    share = share_read(case.layers, case.skipped)
    bad = len(_unparsed(case.reading))
    yield Condition(COVERAGE, ERROR, MIN_COVERAGE, share, None, passed=share >= MIN_COVERAGE)
    if late := _left_out(case):
        yield Condition(TIMELY, ERROR, 0.0, float(late), None, passed=False)
    yield Condition(PARSED, ERROR, 0.0, float(bad), None, passed=bad == 0)
    if policy.baseline != OFF:
        has = case.comparison is not None
        yield Condition(BASELINE, policy.baseline, 1.0, float(has), None, passed=has)


def _left_out(case: Case) -> int:
    """Tensors that a time budget left no time for."""
    return sum(skip.is_untimely for skip in case.skipped)


def _unparsed(reading: Reading) -> set[str]:
    """Files that cannot be parsed, or whose weights may change when the code they name runs."""
    dangerous = {found.file for found in reading.globals if found.dangerous}
    return dangerous | {failure.name for failure in reading.failures}


def _verdict(gate: Sequence[Condition]) -> Verdict:
    about_audit = {COVERAGE, PARSED, TIMELY}
    failed = [row for row in gate if not row.passed]
    if any(row.level == ERROR and row.condition not in about_audit for row in failed):
        return Verdict.BLOCK
    if any(row.condition in about_audit for row in failed):
        return Verdict.INCOMPLETE
    return Verdict.REVIEW if failed else Verdict.PASS


def _reason(
    verdict: Verdict, findings: Sequence[Finding], case: Case, gate: Sequence[Condition]
) -> str:
    """One sentence with a number in it."""
    if verdict == Verdict.INCOMPLETE:
        return _incomplete(case)
    if gating := [finding for finding in findings if gates(finding)]:
        return _symptoms(gating)
    if verdict == Verdict.REVIEW:
        return next(f"failed: {row.condition}" for row in gate if not row.passed)
    return _clean(case, findings) + _not_looked_for(gate)


def _symptoms(gating: Sequence[Finding]) -> str:
    """The worst finding in full, the others counted by what they are."""
    worst = min(gating, key=lambda finding: (finding.level != ERROR, -finding.severity))
    others = Counter(finding.check for finding in gating)
    like_it = others.pop(worst.check) - 1
    parts = [f"{worst.message} ({like_it} more like it)" if like_it else worst.message]
    for check, number in others.items():
        condition = checks.BY_NAME[check].condition
        parts.append(f"{condition[0].lower()}{condition[1:]}: {number}")
    return "; ".join(parts)


def _clean(case: Case, findings: Iterable[Finding]) -> str:
    layers = f"no known symptom in {len(case.layers)} layer{'s' * (len(case.layers) != 1)}"
    if waived := sum(finding.origin == Origin.WAIVED for finding in findings):
        layers += f" besides {waived} waived finding{'s' * (waived > 1)}"
    if case.comparison is None:
        return layers
    return f"{layers}, compared with version {case.comparison.baseline.id.version}"


def _not_looked_for(gate: Sequence[Condition]) -> str:
    left_out = [row.condition for row in gate if math.isnan(row.value)]
    return f"; not looked for: {', '.join(left_out).lower()}" if left_out else ""


def _incomplete(case: Case) -> str:
    if case.reading.failures:
        failure = case.reading.failures[0]
        return f"{failure.name} cannot be used: {failure.reason}"
    if unsafe := sorted(_unparsed(case.reading)):
        return f"{unsafe[0]} asks to run code when loaded, so what was read may not be what loads"
    return _uncovered(case)


def _uncovered(case: Case) -> str:
    """How much of the matrices was read, and why not the rest."""
    read, total = coverage(case.layers, case.skipped)
    if not total:
        return "there is no matrix in its weight files, so there is nothing to measure"
    reason = next((skip.reason for skip in case.skipped if not skip.read), "not read")
    if late := _left_out(case):
        share = math.floor(1000.0 * read / total) / 10.0  # never 100 %
        tensors = f"{late} tensor{'s' * (late > 1)}"
        return f"{share}% of {total:,} parameters of matrices were read; {tensors} {reason}"
    return f"only {read / total:.1%} of {total:,} parameters of matrices could be read: {reason}"
