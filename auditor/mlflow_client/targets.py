"""What an audit is written onto: a registered version, or a checkpoint of an experiment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from auditor.document import Document
from auditor.mlflow_client import Client, existing
from auditor.mlflow_client.runs import Line
from auditor.mlflow_client.summary import created_ms, fingerprint


class Target(Protocol):
    """A version that is there and takes tags."""

    @property
    def tags(self) -> Mapping[str, str]:
        """What it shows so far."""

    @property
    def run_id(self) -> str:
        """The run it was made by, "" where that is not known."""

    @property
    def line(self) -> Line:
        """Where it is in the trend of its model."""

    def tag(self, wanted: Mapping[str, str]) -> None:
        """Set what differs, in this order."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a registered model."""

    client: Client
    record: Any  # mlflow's own
    source: str

    @property
    def tags(self) -> Mapping[str, str]:
        """What it shows so far."""
        return dict(self.record.tags)

    @property
    def run_id(self) -> str:
        """The run it was made by, "" where that is not known."""
        return self.record.run_id or ""

    @property
    def line(self) -> Line:
        """At the step of its number; a model that was made anew has a trend of its own."""
        name, step = self.record.name, int(self.record.version)
        made = self.client.get_registered_model(name).creation_timestamp
        key = fingerprint("trend", self.source, name, made)
        return Line(key, f"{name} over versions", step, str(step))

    def tag(self, wanted: Mapping[str, str]) -> None:
        """Set what differs: setting an unchanged tag would still call the registry's webhooks."""
        for key, value in wanted.items():
            if self.tags.get(key) != value:
                self.client.set_model_version_tag(self.record.name, self.record.version, key, value)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A LoggedModel of an experiment, registered or not."""

    client: Client
    record: Any  # mlflow's own
    model: str  # the name its model goes by
    step: int  # of the training; 0 where that is not known

    @property
    def tags(self) -> Mapping[str, str]:
        """What it shows so far."""
        return dict(self.record.tags)

    @property
    def run_id(self) -> str:
        """The run it was made by, "" where that is not known."""
        return self.record.source_run_id or ""

    @property
    def line(self) -> Line:
        """At its training step, and at its time: of two runs, steps come again."""
        key = fingerprint("trend", self.record.experiment_id, self.model)
        title = f"{self.model} over checkpoints"
        return Line(key, title, self.step, str(self.record.model_id))

    def tag(self, wanted: Mapping[str, str]) -> None:
        """Set what differs, in one request."""
        if new := {key: text for key, text in wanted.items() if self.tags.get(key) != text}:
            self.client.set_logged_model_tags(self.record.model_id, new)


def target(client: Client, document: Document) -> Target | None:
    """What an audit is about, None where it was deleted, or its name used again since."""
    model, facts = document["model"], document["source"]
    name, number = model["name"].rpartition(":")[2], model["version"]
    found: Any
    if facts.get("experiment"):
        found = existing(client.get_logged_model, number)
        step = int(facts.get("step", 0))
        made: Target | None = Checkpoint(client, found, model["name"], step) if found else None
    else:
        found = existing(client.get_model_version, name, number)
        made = Registered(client, found, model["source"]) if found else None
    return made if found and found.creation_timestamp == created_ms(document) else None
