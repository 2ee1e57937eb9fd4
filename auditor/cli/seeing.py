"""``status`` and ``doctor``: how it goes, and what could keep it from going."""

from dataclasses import replace
from typing import Annotated

import typer

from auditor.cli.common import ConfigFile, optional, out, out_json, printable, required

STATUS = """
Exit code: 0 nothing is wrong; 2 a source is overdue or cannot be read, a sink or a message has
failed for an hour, a process fell silent, or the ledger cannot be read; 3 only that versions
were quarantined.

\b
Examples:
  auditor status
  auditor status --json --config /etc/auditor/config.yaml
"""
DOCTOR = """
Exit code: 0 if nothing is wrong, 2 if something is.

\b
Example:
  auditor doctor --config /etc/auditor/config.yaml
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("status", epilog=STATUS)(status)
    app.command("doctor", epilog=DOCTOR)(doctor)


def status(
    *,
    as_data: Annotated[bool, typer.Option("--json", help="Print it as one JSON document.")] = False,
    config: ConfigFile = None,
) -> None:
    """Say what is wrong, what waits, how the sources are, and what the verdicts were."""
    from auditor.app import now
    from auditor.config import parts
    from auditor.errors import UsageError
    from auditor.single import existing_ledger
    from auditor.status import as_json, reminders
    from auditor.status import status as ask
    from auditor.status.text import lines

    settings = required(config)
    with existing_ledger(settings) as ledger:
        if ledger is None:
            raise UsageError(
                "there is no ledger yet; auditor once or auditor serve makes it, in the place "
                "that config.yaml names"
            )
        at = now()
        found = ask(ledger, parts(settings).rhythms, at)
        found = replace(found, remarks=reminders(ledger, settings, at.date()))
    if as_data:
        out_json(as_json(found))
    else:
        for line in lines(found):
            out(printable(line, 1000))
    raise typer.Exit(found.exit_code)


def doctor(*, config: ConfigFile = None) -> None:
    """Look at this installation: configuration, ledger, sources, service, disk, processors."""
    from auditor.doctor import examine

    healthy = True
    for symptom in examine(optional(config)):
        line = f"{'ok  ' if symptom.fine else 'BAD '} {symptom.what}: {symptom.found}"
        out(printable(line, 1000))
        healthy = healthy and symptom.fine
    raise typer.Exit(0 if healthy else 2)
