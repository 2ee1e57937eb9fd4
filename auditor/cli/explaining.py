"""``explain``: what a check or a metric is, and how far to believe it."""

from typing import Annotated

import typer

from auditor.cli.common import out, out_json, printable

EXPLAIN = """
\b
Examples:
  auditor explain
  auditor explain over_trained
  auditor explain alpha --json
  auditor explain --markdown > docs/checks.md
"""
LONGEST = 2000  # characters of a line


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("explain", epilog=EXPLAIN)(explain)


def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A check or a metric; all where left out.", show_default=False
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page of all checks.")
    ] = False,
) -> None:
    """Say what a check or a metric means, why, what to try, and how often it is right."""
    from auditor.errors import UsageError
    from auditor.explaining import about, every_check, pages, text

    if markdown and (as_json or name):
        raise UsageError("--markdown is a page of all checks; leave out NAME and --json")
    if markdown:
        out(pages.page().rstrip())
    elif as_json:
        found = about(name).as_json() if name else [one.as_json() for one in every_check()]
        out_json(found)
    else:
        for line in text.lines(about(name)) if name else text.overview():
            out(printable(line, LONGEST))
