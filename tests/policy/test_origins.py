"""What was said of the baseline and what is said here: the same finding, or a graver one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from auditor import checks
from auditor.checks.base import Case
from auditor.policy import Before, Judgement, Policy, judge, preset
from auditor.policy.rules import Bound, MetricRule, Of
from auditor.records import Finding, LayerRecord, Level, Origin, Severity, Verdict
from tests.render.factory import compared, layer, version

DAY = date(2026, 1, 1)
FAINT, STRONG = layer("fc", dead_rows=8.0), layer("fc", dead_rows=400.0)  # of 512 rows
STRICT = preset("strict")


def judged(now: LayerRecord, before: Before, policy: Policy = STRICT) -> Judgement:
    comparison = compared([now], {now.name: layer(now.name)}, version(number="1"))
    case = Case((now,), comparison=comparison)
    return judge(case, policy, before, model="mlflow:digits", as_of=DAY)


def origins(judgement: Judgement, check: str = "dead_rows") -> list[tuple[Origin, Severity]]:
    return [(one.origin, one.severity) for one in judgement.findings if one.check == check]


def found(of: LayerRecord) -> Sequence[Finding]:
    return checks.examine(Case((of,)), STRICT.checks)


@pytest.mark.parametrize("accepted", [False, True])
def test_what_was_information_and_is_a_warning_is_new(accepted):
    """Who accepted eight rows of zeros did not accept four hundred."""
    judgement = judged(STRONG, Before(found(FAINT), found(FAINT), accepted=accepted))
    assert origins(judgement) == [(Origin.NEW, Severity.WARNING)]
    assert judgement.verdict is Verdict.REVIEW


def test_a_warning_that_was_accepted_stays_accepted():
    judgement = judged(STRONG, Before(found(STRONG), found(STRONG), accepted=True))
    assert origins(judgement) == [(Origin.ACCEPTED, Severity.WARNING)]
    assert judgement.verdict is Verdict.PASS


def test_a_warning_that_became_information_is_no_other_finding():
    judgement = judged(FAINT, Before(found(STRONG), found(STRONG)))
    assert origins(judgement) == [(Origin.OPEN, Severity.INFO)]


def test_what_a_newer_analyzer_takes_graver_in_the_baseline_too_blocks_nothing():
    judgement = judged(STRONG, Before(found(FAINT), anew=found(STRONG)))
    assert origins(judgement) == [(Origin.ANALYZER, Severity.WARNING)]
    assert judgement.verdict is Verdict.PASS


def test_a_limit_that_the_policy_takes_graver_stays_accepted():
    """How grave a limit is lies in the policy; what was accepted was the number."""
    limit = MetricRule(level=Level.WARN, metric="norm", of=Of.LAYER, bound=Bound.MAX, limit=1.0)
    warn = replace(STRICT, rules=(limit,))
    error = replace(STRICT, rules=(replace(limit, level=Level.ERROR),))
    first = judged(layer("fc"), Before(), warn)
    second = judged(layer("fc"), Before(first.findings, accepted=True), error)
    assert origins(second, "norm:layer:max") == [(Origin.ACCEPTED, Severity.CRITICAL)]
