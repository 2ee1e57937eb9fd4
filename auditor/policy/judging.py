"""From findings to the verdict: where each comes from, what is waived, what gates."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from auditor import checks
from auditor.checks.base import Case
from auditor.document import coverage, share_read
from auditor.policy.gating import Held, Part, conditions, gates, hold
from auditor.policy.levels import ERROR, GRAVITY, OFF, Policy
from auditor.policy.origins import Before, Origins, standing
from auditor.policy.rules import AnyRule
from auditor.records import Condition, Finding, Origin, Reading, Verdict

MIN_COVERAGE = 0.95  # of the parameters of matrices; below it nothing can be green


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the findings amount to."""

    findings: tuple[Finding, ...]
    gate: tuple[Condition, ...]
    verdict: Verdict
    reason: str


def judge(
    case: Case,
    policy: Policy,
    before: Before | None = None,
    *,
    model: str,
    as_of: date,
    known: Sequence[Finding] | None = None,
) -> Judgement:
    """Findings with origin and level, the gate row by row, and the verdict.

    A version is BLOCK when a rule of level error fails on findings that are new or were
    never accepted, and not waived, INCOMPLETE when less than `MIN_COVERAGE` of its matrices
    was read, a file cannot be parsed or a time budget left something out, REVIEW when a rule
    of level warn fails, else PASS; in that precedence. No waiver makes up for what was not
    read. A policy with a floor is two: a version has to pass both.

    Parameters
    ----------
    case
        What was measured.
    policy
        Rules, thresholds and waivers.
    before
        What was concluded about the baseline; None without one.
    model
        The version's model as waivers name it, ``source:name``.
    as_of
        The day of the judgement, in UTC; a waiver holds until the end of its last day.
    known
        What an older analyzer found in these very weights, where one did: what only today's
        checks see in them does not gate.

    Returns
    -------
    Judgement
        The same for the same arguments.
    """
    seen = replace(case, stood=standing(before))
    parts = [Part.of(part, model, as_of) for part in policy.parts]
    origins = Origins.of(case, before, known)
    held = hold(seen, parts, origins)
    stood = None
    if before is not None:
        stood = [one for one in before.findings if one.origin != Origin.FIXED]
    ruled = list(conditions(seen, parts, held, stood))
    gate = (*(row for _, row in ruled), *_general(case, policy))
    verdict = _verdict(gate)
    found = [one.finding for one in held]
    failed = [rule for rule, row in ruled if not row.passed]
    everything = (*found, *origins.fixed(found, policy, model))
    return Judgement(everything, gate, verdict, _reason(verdict, held, failed, case, gate))


COVERAGE = "Share of the matrices' parameters that was read and checked"
TIMELY = "Tensors that were left out for lack of time"
PARSED = "Weight files that cannot be parsed, or that run code when loaded"
ABOUT_AUDIT = frozenset({COVERAGE, PARSED, TIMELY})  # failing: not all was read or checked
BASELINE = "A baseline to compare with"


def _general(case: Case, policy: Policy) -> Iterable[Condition]:
    """Rows about the audit itself."""
    share = share_read(case.layers, case.skipped)
    bad = len(_unparsed(case.reading))
    enough = share >= MIN_COVERAGE
    yield Condition(COVERAGE, ERROR, MIN_COVERAGE, share, None, passed=enough, least=True)
    if late := _left_out(case):
        yield Condition(TIMELY, ERROR, 0.0, float(late), None, passed=False)
    yield Condition(PARSED, ERROR, 0.0, float(bad), None, passed=bad == 0)
    strictest = max(policy.parts, key=lambda part: GRAVITY.index(part.baseline))
    if strictest.baseline != OFF:
        yield _baseline(case, strictest)


def _baseline(case: Case, policy: Policy) -> Condition:
    has = case.comparison is not None or case.profile is not None
    return Condition(
        condition=BASELINE,
        level=policy.baseline,
        limit=1.0,
        value=float(has),
        baseline=None,
        passed=has,
        source=f"policy {policy.name}",
        least=True,
    )


def _left_out(case: Case) -> int:
    """Tensors that a time budget left no time for."""
    return sum(skip.is_untimely for skip in case.skipped)


def _unparsed(reading: Reading) -> set[str]:
    """Files that cannot be parsed, or whose weights may change when the code they name runs."""
    dangerous = {found.file for found in reading.globals if found.dangerous}
    return dangerous | {failure.name for failure in reading.failures}


def _verdict(gate: Sequence[Condition]) -> Verdict:
    failed = [row for row in gate if not row.passed]
    if any(row.level == ERROR and row.condition not in ABOUT_AUDIT for row in failed):
        return Verdict.BLOCK
    if any(row.condition in ABOUT_AUDIT for row in failed):
        return Verdict.INCOMPLETE
    return Verdict.REVIEW if failed else Verdict.PASS


def _reason(
    verdict: Verdict,
    held: Sequence[Held],
    failed: Sequence[AnyRule],
    case: Case,
    gate: Sequence[Condition],
) -> str:
    """One sentence with a number in it."""
    if verdict == Verdict.INCOMPLETE:
        return _incomplete(case)
    lost = {id(rule) for rule in failed}
    gating = [one.finding for one in held if any(id(r) in lost for r in one.under.values())]
    if gating:
        return _symptoms(gating)
    if verdict != Verdict.PASS:  # nothing else is left that may have failed
        return "there is no baseline to compare with, and the policy asks for one"
    return _clean(case, [one.finding for one in held]) + _not_looked_for(gate)


def _symptoms(gating: Sequence[Finding]) -> str:
    """The worst finding in full, the others counted by what they are."""
    worst = min(gating, key=lambda finding: (finding.level != ERROR, -finding.severity))
    others = Counter(_asked(finding) for finding in gating)
    like_it = others.pop(_asked(worst)) - 1
    parts = [f"{worst.message} ({like_it} more like it)" if like_it else worst.message]
    for asked, number in others.items():
        parts.append(f"{asked[0].lower()}{asked[1:]}: {number}")
    return "; ".join(parts)


def _asked(finding: Finding) -> str:
    """What the finding's check looks for; of a limit on a metric, what is beyond it."""
    found = checks.BY_NAME.get(finding.check)
    return found.condition if found else finding.rule


def _clean(case: Case, findings: Sequence[Finding]) -> str:
    layers = f"no known symptom in {len(case.layers)} layer{'s' * (len(case.layers) != 1)}"
    if waived := sum(finding.origin == Origin.WAIVED for finding in findings):
        layers += f" besides {waived} waived finding{'s' * (waived > 1)}"
    let_pass = Counter(finding.origin for finding in findings if gates(finding)).total()
    if let_pass:
        layers += f" but {let_pass} that the policy lets pass"
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
