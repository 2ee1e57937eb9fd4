"""JSON Schema of a policy file, for editors; ``docs/policy.schema.json`` is a copy."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter

from auditor import checks
from auditor.checks.base import Check
from auditor.policies.rules import GivenCheckRule, GivenMetricRule
from auditor.policies.waivers import GivenWaiver
from auditor.policies.words import LEVELS
from auditor.policy import PRESET_NAMES, Bound
from auditor.schema import DIALECT, Schema

LEVEL: Schema = dict(LEVELS)
FILE: Schema = {"type": "string", "minLength": 1}
PRESET: Schema = {"enum": list(PRESET_NAMES)}


def schema() -> Schema:
    """What a policy file may say."""
    extended = {"anyOf": [PRESET, FILE]}
    metric = _entry(GivenMetricRule)
    metric["oneOf"] = [{"required": [str(bound)]} for bound in Bound]
    return {
        "$schema": DIALECT,
        "title": "Auditor policy",
        **_object(
            {
                "extends": _told(
                    _one_or_several(extended),
                    "Presets, and policy files; the later ones count over the earlier. Left "
                    "out: recommended. [] is none.",
                ),
                "baseline": _told(LEVEL, "What a version without a baseline amounts to."),
                "retroactive": {
                    "type": "boolean",
                    "description": "Whether a change of the policy judges all of history again.",
                },
                "checks": _told(_checks(), "By name a level, thresholds, or both."),
                "rules": _told(
                    _list({"anyOf": [_entry(GivenCheckRule), metric]}),
                    "Of those on one subject the last that fits decides.",
                ),
                "waivers": _told(
                    _list(_entry(GivenWaiver)), "Findings that somebody answers for, until a day."
                ),
                "waivers_file": _told(
                    _one_or_several(FILE), "Files of waivers, with the one key waivers."
                ),
            }
        ),
    }


def _checks() -> Schema:
    nothing: Schema = {"type": "null"}
    named = {name: {"anyOf": [LEVEL, _check(found)]} for name, found in checks.BY_NAME.items()}
    return {"anyOf": [_object(named), nothing]}


def _check(found: type[Check]) -> Schema:
    """Level and thresholds of a check."""
    described = TypeAdapter(found).json_schema()
    return _told(_object({"level": LEVEL, **described["properties"]}), described["description"])


def _entry(form: type[BaseModel]) -> Schema:
    """An item of a list, with nothing said by reference."""
    found = form.model_json_schema()
    properties = {name: _plain(given) for name, given in found["properties"].items()}
    return {**_object(properties), "required": found["required"], "description": form.__doc__}


def _plain(given: dict[str, Any]) -> Schema:
    """A property without what editors do not need: titles, and a null that YAML never has."""
    kept = {key: value for key, value in given.items() if key not in {"title", "default"}}
    some: Sequence[Schema] = [one for one in kept.pop("anyOf", []) if one != {"type": "null"}]
    if len(some) == 1:
        return {**some[0], **kept}
    return {**kept, "anyOf": list(some)} if some else kept


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"anyOf": [{"type": "array", "items": items}, {"type": "null"}]}


def _one_or_several(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _told(given: Schema, text: str) -> Schema:
    return {**given, "description": text}
