"""What a person types to name a version, as far as MLflow knows it."""

import re
from typing import NamedTuple

from auditor.mlflow_client import Client, existing
from auditor.mlflow_client.forms import logged_model
from auditor.mlflow_client.registry import Record
from auditor.records import ModelVersion

RELATIVE = re.compile(r"(?:alias:|@)(.+)")


class Reference(NamedTuple):
    """A reference in full: ``models:/<workspace>:<rest>`` or ``runs:/<rest>``."""

    scheme: str
    workspace: str
    rest: str

    def __str__(self) -> str:
        """The reference as text."""
        return f"{self.scheme}:/{self.workspace}{':' if self.workspace else ''}{self.rest}"

    @property
    def logged_model(self) -> str:
        """The id of the LoggedModel it names, else ""."""
        return logged_model(f"models:/{self.rest}") if self.scheme == "models" else ""


def reference(ref: str, of: ModelVersion | None) -> Reference | None:
    """Take a reference apart, one that is relative to `of` too; None where it is none.

    >>> reference("models:/team-a:digits@champion", None)
    Reference(scheme='models', workspace='team-a', rest='digits@champion')
    """
    scheme, found, rest = _absolute(ref, of).partition(":/")
    if not found or not rest:
        return None
    if scheme == "runs":
        return Reference(scheme, "", rest.strip("/"))
    workspace, _, name = rest.rpartition(":")
    return Reference(scheme, workspace, name) if scheme == "models" else None


def registered(client: Client, rest: str) -> Record | None:
    """The record of ``name/3``, ``name/latest`` or ``name@alias``."""
    name, _, which = rest.rpartition("/")
    if name and which.isdecimal():
        return existing(client.get_model_version, name, which)
    if name and which == "latest":
        model = existing(client.get_registered_model, name)
        newest = model.latest_versions if model is not None else ()  # the highest of each stage
        return max(newest, key=lambda version: int(version.version), default=None)
    name, _, alias = rest.rpartition("@")
    return existing(client.get_model_version_by_alias, name, alias) if name else None


def _absolute(ref: str, of: ModelVersion | None) -> str:
    """A reference relative to `of`, in full."""
    if of is None:
        return ref
    if alias := RELATIVE.fullmatch(ref):
        return f"models:/{of.id.model}@{alias[1]}"
    return f"models:/{of.id.model}/{ref}" if ref.isdecimal() or ref == "latest" else ref
