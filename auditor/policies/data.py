"""What explains a policy as data, for ``--json``."""

from typing import Any

from auditor.policies.explaining import Explanation, asked
from auditor.policies.said import Choice, Threshold, shipped
from auditor.policies.standing import Standing
from auditor.policy import AnyRule, CheckRule
from auditor.records import Level


def as_json(found: Explanation) -> dict[str, Any]:
    """The same as data."""
    return {
        "model": found.model,
        "day": found.day.isoformat(),
        "parts": [
            {
                "name": part.name,
                "is_floor": part.is_floor,
                "baseline": _choice(part.baseline, Level.OFF),
                "retroactive": _choice(part.retroactive, False),  # noqa: FBT003
                "rules": [
                    {**_rule(one.rule), "overrode": [_rule(old) for old in one.overrode]}
                    for one in part.rules
                ],
                "thresholds": [_threshold(one) for one in part.thresholds],
                "waivers": [waiver_as_json(one) for one in part.waivers],
            }
            for part in found.parts
        ],
    }


def waiver_as_json(stood: Standing) -> dict[str, Any]:
    """A waiver and how it stands."""
    waiver = stood.written.waiver
    return {
        "check": waiver.check,
        "model": waiver.model,
        "layer": waiver.layer,
        "reason": waiver.reason,
        "owner": waiver.owner,
        "expires": waiver.expires.isoformat(),
        "policy": stood.policy,
        "source": stood.written.source,
        "state": str(stood.state),
        "days": stood.days,
        "stale": stood.stale,
    }


def _rule(rule: AnyRule) -> dict[str, Any]:
    shared = {
        "condition": asked(rule),
        "level": str(rule.level),
        "source": rule.source,
        "model": rule.model,
        "kind": rule.kind,
        "layer": rule.layer,
    }
    if isinstance(rule, CheckRule):
        return {"check": rule.check, "max": rule.max, **shared}
    limit = {str(rule.bound): rule.limit}
    return {"metric": rule.metric, "of": str(rule.of), **limit, **shared}


def _threshold(one: Threshold) -> dict[str, Any]:
    return {
        "check": one.check,
        "name": one.name,
        "value": one.value,
        "default": shipped(one),
        "source": one.source,
    }


def _choice(found: Choice[Any] | None, otherwise: object) -> dict[str, Any]:
    return {"value": found.value if found else otherwise, "source": found.source if found else ""}
