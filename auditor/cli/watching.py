"""``once`` and ``backfill``: the sources of config.yaml."""

from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.auditing import verdict_line
from auditor.cli.common import ConfigFile, out, printable, progress, required

if TYPE_CHECKING:
    from auditor.pipeline import Outcome

ONCE = """
Exit code: 0, 2 a source was unreachable or the configuration is wrong, 3 a version was
quarantined.

\b
Examples:
  auditor once
  auditor once --config /etc/auditor/config.yaml
  */15 * * * * auditor once --config /etc/auditor/config.yaml   (in a crontab)
"""
BACKFILL = """
They are audited when nothing more urgent waits, and nobody is told of them. Where a service is
at work on the ledger they are left to it.

\b
Examples:
  auditor backfill mlflow --versions 5
  auditor backfill mlflow --model digits --versions all
  auditor backfill mlflow --versions all --dry-run
  auditor backfill mlflow --versions all --queue
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("once", epilog=ONCE)(once)
    app.command("backfill", epilog=BACKFILL)(backfill)


def once(*, config: ConfigFile = None) -> None:
    """Look at every source once, audit what is new, deliver, tell people, exit."""
    from auditor.app import assemble
    from auditor.ledger.lead import is_shared, lead
    from auditor.pipeline import once as run
    from auditor.telling import addresses, meet, tell

    settings = required(config)
    targets = addresses(settings)
    leading = lead(settings.ledger) if is_shared(settings.ledger) else None
    with progress("looking at the sources") as show, assemble(settings, show) as app:
        meet(app.ledger, targets, app.rhythms, app.clock())
        outcome = run(app, leading)
        tell(app.ledger, targets, app.rhythms, app.clock())
    _tell(outcome)
    if outcome.left:
        busy = "another process looks at the sources, and was asked to; what waited was audited"
        typer.echo(f"auditor: {busy}", err=True)
    raise typer.Exit(outcome.exit_code)


def backfill(
    source: Annotated[str, typer.Argument(help="Name of a source in config.yaml.")],
    *,
    versions: Annotated[
        str, typer.Option(help="How many of each model's older versions: a number, or all.")
    ],
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many there are; audit nothing.")
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Let them wait for whoever audits next.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Audit versions older than the configured history, oldest first."""
    from auditor.app import assemble
    from auditor.backfilling import Mode
    from auditor.backfilling import backfill as run
    from auditor.plugins.settings import history
    from auditor.steering import is_served

    settings = required(config)
    try:
        count = history(versions)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--versions") from error
    queued = not dry_run and (queue or is_served(settings))
    mode = Mode.ESTIMATE if dry_run else Mode.QUEUE if queued else Mode.AUDIT
    with progress("looking at the sources") as show, assemble(settings, show) as app:
        estimate, outcome = run(app, source, model, count, mode)
    out(estimate)
    if queued:
        out("they wait for auditor serve, or the next auditor once")
    if outcome:
        _tell(outcome)
        raise typer.Exit(outcome.exit_code)


def _tell(outcome: "Outcome") -> None:
    """What a run came to, a line each; the worst last, where it is seen."""
    for document in outcome.audited:
        out(verdict_line(document))
    for version, reason in outcome.refused:
        out(printable(f"refused {version.uri}: {reason}", 1000))
    for version, reason in outcome.attempts:
        out(printable(f"will be tried again: {version.uri}: {reason}", 1000))
    for version, reason in outcome.quarantined:
        out(printable(f"quarantined {version.uri}: {reason}", 1000))
    for sink, reason in outcome.undelivered:
        out(printable(f"not delivered to {sink}, will be tried again: {reason}", 1000))
    for source, reason in outcome.unreachable.items():
        typer.echo(printable(f"auditor: source {source}: {reason}", 1000), err=True)
    if not any((outcome.audited, outcome.unreachable, outcome.attempts, outcome.refused)):
        out("nothing new")
