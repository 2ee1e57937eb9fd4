"""Rules on metrics: which values lie beyond their limits."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean, median

import numpy as np

from auditor.checks.base import BEFORE, Case
from auditor.policy.rules import AnyRule, Bound, MetricRule, Of, deciding, kinds_of
from auditor.records import Finding, LayerRecord, Level, Severity

SUMMARY: Mapping[Of, Callable[[Sequence[float]], float]] = {
    Of.MEAN: fmean,
    Of.MEDIAN: median,
    Of.P5: lambda values: float(np.percentile(values, 5)),
    Of.P95: lambda values: float(np.percentile(values, 95)),
}
NAMES = {Of.P5: "5th percentile", Of.P95: "95th percentile"}
WORDS = {
    Bound.MAX: "above",
    Bound.MIN: "below",
    Bound.MAX_INCREASE: "up by more than",
    Bound.MAX_DECREASE: "down by more than",
}


def findings(case: Case, rules: Sequence[AnyRule]) -> Iterator[Finding]:
    """A finding for each value beyond the limit of the rule that decides on it."""
    for rule in rules:
        if isinstance(rule, MetricRule) and rule.level != Level.OFF:
            yield from _of_layers(case, rule, rules) if rule.of == Of.LAYER else _of_all(case, rule)


def condition(rule: MetricRule) -> str:
    """What the rule asks, as a row of the gate."""
    if rule.of == Of.LAYER:
        return f"Layers{rule.where} with {rule.metric} {WORDS[rule.bound]} {rule.limit:g}"
    change = {Bound.MAX_INCREASE: "Rise of the ", Bound.MAX_DECREASE: "Fall of the "}
    text = f"{change.get(rule.bound, '')}{_quantity(rule)}"
    where = f" over layers{rule.where}" if rule.where else ""
    return text[0].upper() + text[1:] + where


def measured(case: Case, rule: MetricRule) -> tuple[float, float | None]:
    """What the rule looks at: a summary, or its rise or fall; and what the baseline has."""
    now = _summary(_layers(case, rule), case, rule)
    before = _reference(case, rule)
    if not rule.is_relative:
        return now, None if math.isnan(before) else before
    matched = [one for one in _layers(case, rule) if case.change(one)]
    change = _summary(matched, case, rule) - before
    return (-change if rule.bound == Bound.MAX_DECREASE else change), None


def was_measured(case: Case, rule: MetricRule) -> bool:
    """Whether some layer that the rule looks at has the metric at all; so it is without any."""
    layers = _layers(case, rule)
    return not layers or any(_has(case, layer, rule.metric) for layer in layers)


def _of_layers(case: Case, rule: MetricRule, rules: Sequence[AnyRule]) -> Iterator[Finding]:
    kinds = kinds_of(case.layers)
    for layer in case.layers:
        if deciding(rules, rule.subject, layer.name, kinds[layer.name]) is not rule:
            continue
        value, before = _value(case, layer, rule.metric), _stood(case, rule, layer)
        moved = value - before if rule.is_relative else value
        if rule.is_beyond(moved):
            yield _finding(rule, layer.name, layer.name, moved, value, before)


def _of_all(case: Case, rule: MetricRule) -> Iterator[Finding]:
    layers = _layers(case, rule)
    if rule.is_relative:
        layers = [layer for layer in layers if case.change(layer)]
    value = _summary(layers, case, rule)
    before = _reference(case, rule) if rule.is_relative else math.nan
    moved = value - before if rule.is_relative else value
    if rule.is_beyond(moved):
        yield _finding(rule, None, condition(rule), moved, value, before)


def _finding(
    rule: MetricRule, layer: str | None, subject: str, moved: float, value: float, before: float
) -> Finding:
    now = f"{value:.4g}, {moved:+.4g} against {before:.4g}" if rule.is_relative else f"{value:.4g}"
    beyond = f"{now}, {WORDS[rule.bound]} {rule.limit:g}"
    message = f"{subject}: {beyond}" if layer is None else f"{subject} has {rule.metric} {beyond}"
    return Finding(
        severity=Severity.CRITICAL if rule.level == Level.ERROR else Severity.WARNING,
        message=message,
        rule=f"{_quantity(rule)} {WORDS[rule.bound]} {rule.limit:g}",
        layer=layer,
        limit=rule.limit,
        value=moved,
        evidence={BEFORE: before} if rule.is_relative else {},
        check=rule.check,
        meaning="A limit that the policy sets is passed; its owner knows what that means.",
        advice="See what changed the number; raise the limit only if the change was intended.",
    )


def _quantity(rule: MetricRule) -> str:
    """What the rule looks at, in words."""
    if rule.of == Of.LAYER:
        return f"{rule.metric} of a layer"
    return f"{NAMES.get(rule.of, rule.of)} of {rule.metric}"


def _layers(case: Case, rule: MetricRule) -> list[LayerRecord]:
    return [layer for layer in case.layers if rule.covers(layer.name, layer.kind)]


def _summary(layers: Sequence[LayerRecord], case: Case, rule: MetricRule) -> float:
    values = [_value(case, layer, rule.metric) for layer in layers]
    return _over(values, rule.of)


def _over(values: Sequence[float], of: Of) -> float:
    defined = [value for value in values if math.isfinite(value)]
    return SUMMARY[of](defined) if defined else math.nan


def _value(case: Case, layer: LayerRecord, metric: str) -> float:
    """A column of the layer, or of its comparison; nan where it has none."""
    if metric in layer.metrics:
        return layer.metrics[metric]
    change = case.change(layer)
    return change.distances.get(metric, math.nan) if change else math.nan


def _has(case: Case, layer: LayerRecord, metric: str) -> bool:
    change = case.change(layer)
    return metric in layer.metrics or (change is not None and metric in change.distances)


def _stood(case: Case, rule: MetricRule, layer: LayerRecord) -> float:
    """What a layer's value is held against, as `Case.standing` says."""
    change = case.change(layer)
    before = change.before.metrics.get(rule.metric, math.nan) if change else math.nan
    return case.held_against(layer, rule.check, else_=before)


def _reference(case: Case, rule: MetricRule) -> float:
    """What a summary is held against; that of the layers both versions have."""
    if rule.of == Of.LAYER:
        return math.nan
    found = (case.change(layer) for layer in _layers(case, rule))
    values = [one.before.metrics.get(rule.metric, math.nan) for one in found if one]
    return case.held_against(None, rule.check, else_=_over(values, rule.of))
