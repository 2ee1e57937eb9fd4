"""Verdicts, numbers and reports, written back to the MLflow registry they are about."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from auditor.document import Document
from auditor.errors import SinkError
from auditor.mlflow_client import Client, connect, database, existing, inside, redact, translated
from auditor.mlflow_client.runs import audit_run, log_points, trend
from auditor.mlflow_client.summary import created_ms, headlines, tags
from auditor.mlflow_client.targets import Registered, Target, target

log = logging.getLogger(__name__)

MARKS = ("<!-- auditor -->", "<!-- /auditor -->")


@dataclass(frozen=True, slots=True)
class Mlflow:
    """Tags on the model version, a run with metrics and report for it, a trend for its model.

    Written are audits of versions from the source of the same `name`, each into the workspace
    it is in; others are not this registry's. Every point carries the version's creation time
    and every run is found by what it was made from, so writing an audit again changes nothing.
    An audit older than the one a version already shows is not written. A checkpoint gets the
    tags on its LoggedModel, and nothing that only registered versions have.
    """

    uri: str
    experiment: str = "auditor"
    name: str = "mlflow"
    description: bool = False  # a line with the report's link in the version's description
    alias: str | None = None  # moved to the newest version that passes
    approval_tag: str | None = None  # set to `approval_value` on versions that pass
    approval_value: str = "Approved"
    source_run_metrics: bool = False  # headlines on the team's own run, for "Compare versions"

    def write(self, document: Document) -> None:
        """Deliver one audit; the verdict is written last.

        Raises
        ------
        SinkError
            If MLflow does not answer or refuses.
        """
        model, facts = document["model"], document["source"]
        if model["source"] != self.name or not model["uri"].startswith("models:/"):
            return
        client = connect(self.uri, to=SinkError)
        doing = f"writing the audit of {model['uri']}"
        with (
            translated(self.uri, doing, to=SinkError),
            inside(facts.get("workspace", "")),
        ):
            found = target(client, document)
            if found is None:
                log.info(
                    "%s was deleted, its audit is not written",
                    model["uri"],
                    extra={"event": "delivery.needless"},
                )
            elif not _is_older(document, found.tags):
                self._write(client, document, found)

    def _write(self, client: Client, document: Document, found: Target) -> None:
        experiment = self._experiment(client)
        run_id = audit_run(client, experiment, document)
        trend(client, experiment, document, found.line)
        if self.source_run_metrics and found.run_id:
            own = [point._replace(key=f"auditor/{point.key}") for point in headlines(document)]
            log_points(client, found.run_id, own, created_ms(document))
        link = self._link(experiment, run_id, document["source"].get("workspace", ""))
        if isinstance(found, Registered):
            self._describe(found, document["verdict"], link)
            self._approve(found, document["verdict"])
        found.tag(tags(document, report=link))

    def _experiment(self, client: Client) -> str:
        """Id of the experiment, made when it is not there."""
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(self.experiment, self._artifacts()))

    def _artifacts(self) -> str | None:
        """Beside the database file; without a server mlflow would use the current folder."""
        file = database(self.uri)
        if file is None:
            return None
        return (file.absolute().parent / "mlartifacts" / self.experiment.lstrip("/")).as_uri()

    def _link(self, experiment: str, run_id: str, workspace: str) -> str:
        """Where the report is read: in the UI of a server, else its artifact address."""
        if not self.uri.startswith(("http://", "https://")):
            return f"runs:/{run_id}/report.html"
        page = f"#/experiments/{experiment}/runs/{run_id}/artifacts/report.html"
        where = f"?workspace={workspace}" if workspace else ""
        return f"{redact(self.uri).rstrip('/')}/{page}{where}"

    def _describe(self, found: Registered, verdict: str, link: str) -> None:
        """Our line between our marks; what else the description says stays."""
        if not self.description:
            return
        start, end = MARKS
        version = found.record
        line = f"{start}\n**Weight audit: {verdict}** ([report]({link}))\n{end}"
        before = version.description or ""
        ours = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        after = ours.sub(lambda _: line, before) if ours.search(before) else f"{before}\n\n{line}"
        if after.strip() != before:
            found.client.update_model_version(version.name, version.version, after.strip())

    def _approve(self, found: Registered, verdict: str) -> None:
        """Alias and approval tag of a version that passes; taken back if it no longer does."""
        passed, client, version = verdict == "PASS", found.client, found.record
        if self.alias:
            holder = existing(client.get_model_version_by_alias, version.name, self.alias)
            at = int(holder.version) if holder is not None else 0
            if passed and int(version.version) > at:
                client.set_registered_model_alias(version.name, self.alias, version.version)
            elif not passed and int(version.version) == at:
                client.delete_registered_model_alias(version.name, self.alias)
        if self.approval_tag:
            self._approval(found, passed=passed)

    def _approval(self, found: Registered, *, passed: bool) -> None:
        key, value, version = str(self.approval_tag), self.approval_value, found.record
        if passed:
            found.tag({key: value})
        elif found.tags.get("auditor.verdict") == "PASS" and found.tags.get(key) == value:
            found.client.delete_model_version_tag(version.name, version.version, key)  # ours, then


def _is_older(document: Document, tags: Mapping[str, str]) -> bool:
    """Whether the version already shows a later audit than this one."""
    try:
        shown = datetime.fromisoformat(tags.get("auditor.audited_at", ""))
        return shown > datetime.fromisoformat(document["timing"]["started_at"])
    except (ValueError, TypeError):  # a tag is anybody's to write
        return False
