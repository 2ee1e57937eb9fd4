"""What a configuration may say about a source or a sink, as JSON Schema."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter

from auditor.plugins.building import Room, kinds, plugin
from auditor.plugins.settings import SECRET

HISTORY = {"anyOf": [{"type": "integer", "minimum": 0}, {"enum": ["none", "all"]}], "default": 1}


def describe(
    room: Room, *, given: Sequence[str] = (), more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """JSON Schema of one entry under ``sources:`` or ``sinks:``, any kind.

    Parameters
    ----------
    room
        Which of the two.
    given
        Settings the installation fills in where they are left out, so never required.
    more
        Settings that every kind has besides its own.
    """
    return {"oneOf": [_kind(room, kind, given, more or {}) for kind in kinds(room)]}


def _kind(room: Room, kind: str, given: Sequence[str], more: Mapping[str, Any]) -> dict[str, Any]:
    found = plugin(room, kind)
    whole = TypeAdapter(found).json_schema(mode="validation")
    properties: dict[str, Any] = {"kind": {"const": kind}, **more}
    for field in fields(found):
        properties |= _setting(field.name, whole["properties"][field.name])
    required = [name for name in whole.get("required", ()) if name not in given]
    return {
        "title": f"{room}: {kind}",
        "description": (found.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "allOf": [_either(name, properties) for name in ["kind", *required]],
    }


def _setting(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if name == "history":
        return {name: HISTORY}
    if not _is_text(schema):
        return {name: dict(schema)}
    file = {"type": "string", "description": f"A file whose text is the value of {name}."}
    return {name: dict(schema), f"{name}{SECRET}": file}


def _either(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The setting itself, or the file it is in."""
    ways = [key for key in (name, f"{name}{SECRET}") if key in properties]
    return {"anyOf": [{"required": [key]} for key in ways]}


def _is_text(schema: Mapping[str, Any]) -> bool:
    options = schema.get("anyOf", [schema])
    return any(one.get("type") == "string" and "format" not in one for one in options)
