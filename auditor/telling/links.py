"""Where the report of an audit is."""

from dataclasses import dataclass
from pathlib import Path

from auditor.records import VersionId
from auditor.sinks.files import file_name


@dataclass(frozen=True, slots=True)
class Links:
    """The service's pages where people reach them, else the folder of reports."""

    server: str | None = None  # address, as people reach it
    reports: Path | None = None

    def of(self, version: VersionId, audit_id: str) -> str:
        """Address or place of an audit's report; empty where it has none."""
        if self.server is not None:
            return f"{self.server.rstrip('/')}/reports/{audit_id}"
        if self.reports is None:
            return ""
        folder = self.reports / file_name(version.source) / file_name(version.model)
        return str(folder / f"{file_name(version.version)}.html")
