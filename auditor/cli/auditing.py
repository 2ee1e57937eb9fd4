"""``audit``: the verdict on one version, now."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.common import (
    ConfigFile,
    Ref,
    chosen_formats,
    optional,
    out,
    out_json,
    printable,
    progress,
)
from auditor.exits import FailOn, exit_code

if TYPE_CHECKING:
    from auditor.document import Document

GLYPHS = {"PASS": "●", "REVIEW": "▲", "BLOCK": "✖", "INCOMPLETE": "◌"}
EXAMPLES = """
Exit code: 0 PASS or REVIEW, 1 BLOCK, 3 INCOMPLETE, 4 REVIEW with --fail-on review,
2 nothing could be looked at.

\b
Examples:
  auditor audit model.safetensors
  auditor audit checkpoints/ --baseline release/ --policy recommended
  auditor audit models:/digits/3 --baseline models:/digits@champion
  auditor audit model.safetensors --json | jq .verdict
  auditor audit models:/llm/7 --dry-run
  auditor audit models:/llm/7 --time-budget 10m
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("audit", epilog=EXAMPLES)(audit)


def audit(
    ref: Ref,
    *,
    baseline: Annotated[
        str | None, typer.Option(help="REF to compare with, or none. Default: as configured.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="observe, recommended, strict, or a policy file.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the report. Default: as configured.")
    ] = None,
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="Of the report: html, json, csv, findings, md, junit, sarif; comma-separated.",
        ),
    ] = "html,json",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the audit document, and only that, on stdout.")
    ] = False,
    fail_on: Annotated[
        FailOn, typer.Option(help="Worst verdict that is let through is below this one.")
    ] = FailOn.BLOCK,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what would be fetched, needed and take how long; audit nothing."
        ),
    ] = False,
    time_budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Measure for so long at most, such as 10m; then INCOMPLETE."
        ),
    ] = None,
    deliver: Annotated[
        bool, typer.Option("--deliver", help="Also record it and give it to the sinks.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Audit one version: read, measure, compare, judge, report."""
    from auditor.config.units import asked, duration
    from auditor.wall.process import Child

    settings = optional(config)
    seconds = asked(time_budget, "--time-budget", duration)
    written = chosen_formats(formats)
    if dry_run:
        from auditor.cli.planned import planned, shown

        plan = planned(ref, settings, baseline, seconds)
        out_json(asdict(plan)) if as_json else out(shown(plan))
        return
    with Child() as child, progress(f"auditing {printable(ref)}") as show:
        from auditor.single import Request, record  # while the child imports what it needs
        from auditor.single import audit as audited

        request = Request(ref, settings, baseline, policy, seconds)
        version, document = audited(request, show, child.run)
    for failure in record(version, document, settings) if deliver else ():
        typer.echo(f"auditor: not delivered to {printable(failure)}", err=True)
    if as_json:
        out_json(document)
    if folder or not as_json:
        _report(document, folder or settings.reports, written, quiet=as_json)
    raise typer.Exit(exit_code(document["verdict"], fail_on))


def verdict_line(document: "Document") -> str:
    """Glyph, verdict, version and reason on one line."""
    model = document["model"]
    verdict, name = document["verdict"], f"{model['name']} {model['version']}"
    return printable(f"{GLYPHS[verdict]} {verdict} {name}: {document['reason']}", 1000)


def _report(document: "Document", folder: Path, formats: tuple[str, ...], *, quiet: bool) -> None:
    """Write the report; the verdict is said first, and stands where nothing can be written."""
    from auditor.sinks.files import Files

    sink = Files(folder, formats)
    if not quiet:
        out(verdict_line(document))
    sink.write(document)
    if not quiet:
        for path in sink.paths(document):
            out(f"  {printable(str(path), 1000)}")
