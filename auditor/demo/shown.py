"""What came out of the demo, as a table and the commands to go on with."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from shutil import which

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from auditor.demo.registry import tracking_uri
from auditor.document import Document
from auditor.records import Verdict
from auditor.render.wording import VERDICTS

COLOURS = {"good": "green", "warn": "yellow", "bad": "red", "open": "magenta"}


@dataclass(frozen=True, slots=True)
class Version:
    """A version as its team knows it: what was done, and how well it does."""

    title: str
    number: str
    accuracy: float  # on the test images, 0..1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the audit said about one version."""

    version: Version
    audit: Document
    report: Path  # HTML

    @property
    def verdict(self) -> Verdict:
        """The verdict of the audit."""
        return Verdict(self.audit["verdict"])

    @property
    def reason(self) -> str:
        """The sentence that goes with it."""
        return str(self.audit["reason"])


def show(outcomes: Sequence[Outcome], config: Path, console: Console) -> None:
    """Print the verdicts, where the reports are, and how to look further."""
    folder = config.parent
    console.print(table(outcomes))
    console.print("Reports, to open in a browser:", style="bold")
    for place in sorted({outcome.report.parent for outcome in outcomes}):
        _line(console, f"  {place}")
    console.print("Tags and metrics in MLflow's own pages:", style="bold")
    _line(console, f"  {command('mlflow')} ui --backend-store-uri {quote(tracking_uri(folder))}")
    console.print("Look for new versions once more:", style="bold")
    _line(console, f"  {command('auditor')} once --config {quote(str(config))}")


def command(name: str) -> str:
    """How to call a program of this installation: by its path where the shell would miss it."""
    beside = Path(sys.executable).with_name(name)
    if which(name) == str(beside) or not beside.exists():
        return name
    return quote(str(beside))


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row for each version, readable from 80 columns on."""
    found = Table(box=SIMPLE_HEAD, padding=(0, 1, 1, 0))
    found.add_column("version", justify="right")
    found.add_column("what was done", overflow="fold")
    found.add_column("accuracy", justify="right")
    found.add_column("verdict", no_wrap=True)
    found.add_column("reason", overflow="fold")
    found.add_column("report", no_wrap=True)
    for outcome in outcomes:
        badge = VERDICTS[outcome.verdict]
        verdict = f"[{COLOURS[badge.tone]}]{badge.glyph} {outcome.verdict}[/]"
        version = outcome.version
        texts = (version.title, f"{version.accuracy:.1%}")
        report = escape(outcome.report.name)
        found.add_row(version.number, *texts, verdict, escape(outcome.reason), report)
    return found


def _line(console: Console, text: str) -> None:
    """Print whole, however narrow the terminal: it is there to be copied."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)
