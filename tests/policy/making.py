"""Policies and cases for specifications of judgement."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from auditor.checks.base import Case
from auditor.policy import AnyRule, Before, CheckRule, Judgement, MetricRule, Of, Policy, judge
from auditor.policy.rules import Bound
from auditor.records import Comparison, Condition, LayerRecord, Level, Waiver
from tests.render.factory import compared, layer, version

TODAY = date(2026, 3, 2)
MODEL = "mlflow:digits"
OFF, WARN, ERROR = Level.OFF, Level.WARN, Level.ERROR
HEALTHY = layer("fc")
OVER_TRAINED = layer("fc", alpha=1.5, alpha_lo=1.4, alpha_hi=1.6)


def over_trained(name: str, kind: str = "dense"):
    return replace(layer(name, alpha=1.5, alpha_lo=1.4, alpha_hi=1.6), kind=kind)


def check(level: Level, name: str = "over_trained", **given: Any) -> CheckRule:
    return CheckRule(check=name, level=level, **given)


def limit(
    metric: str,
    of: str,
    bound: str,
    value: float,
    level: Level = WARN,
    **given: Any,
) -> MetricRule:
    return MetricRule(
        metric=metric, of=Of(of), bound=Bound(bound), limit=value, level=level, **given
    )


def policy(*rules: AnyRule, waivers: Sequence[Waiver] = (), **given: Any) -> Policy:
    return Policy("ours", rules=rules, waivers=tuple(waivers), **given)


def judged(
    of: Policy, *layers, before: Before | None = None, model: str = MODEL, **case: Any
) -> Judgement:
    return judge(Case(layers, **case), of, before, model=model, as_of=TODAY)


def since(now: Sequence[LayerRecord], then: Sequence[LayerRecord]) -> Comparison:
    """Layers against those of the version before, by name."""
    return compared(now, {one.name: one for one in then}, version(number="3"))


def row(judgement: Judgement, condition: str) -> Condition:
    [found] = [one for one in judgement.gate if one.condition == condition]
    return found


def waiver(check: str, **given: Any) -> Waiver:
    said: dict[str, Any] = {
        "model": "*",
        "layer": "*",
        "reason": "known",
        "owner": "ann",
        "expires": TODAY,
    }
    return Waiver(check=check, **(said | given))
