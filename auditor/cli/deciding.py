"""``accept``, ``reject`` and ``decisions``: what people say about versions."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.cli.common import ConfigFile, Ref, optional, out, out_json, printable

if TYPE_CHECKING:
    from auditor.ledger import Decided

ACCEPT = """
\b
Examples:
  auditor accept models:/digits/3 --by a.ruiz --reason "retrained on purpose, evaluated"
  auditor accept models:/digits/3 --by a.ruiz --reason "for the pilot" --until 2026-12-31
"""
REJECT = """
\b
Example:
  auditor reject models:/digits/3 --by a.ruiz --reason "labels were shuffled"
"""
DECISIONS = """
\b
Examples:
  auditor decisions models:/digits/3
  auditor decisions models:/digits/3 --json
"""
By = Annotated[str, typer.Option(help="Who decides.")]
Why = Annotated[str, typer.Option(help="Why; shown wherever the decision is.")]
Until = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="The last day it holds, in UTC, such as 2026-12-31."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("accept", epilog=ACCEPT)(accept)
    app.command("reject", epilog=REJECT)(reject)
    app.command("decisions", epilog=DECISIONS)(decisions)


def accept(
    ref: Ref, *, by: By, reason: Why, until: Until = None, config: ConfigFile = None
) -> None:
    """Accept an audited version: it may be a baseline, and its findings gate no longer."""
    _decide(ref, by, reason, until, config, accepted=True)


def reject(
    ref: Ref, *, by: By, reason: Why, until: Until = None, config: ConfigFile = None
) -> None:
    """Reject an audited version: it is never a baseline, whatever its verdict."""
    _decide(ref, by, reason, until, config, accepted=False)


def decisions(
    ref: Ref,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    config: ConfigFile = None,
) -> None:
    """List every decision on the versions of a model, named by one of them, oldest first."""
    from auditor import deciding
    from auditor.app import now

    found, at = deciding.decisions(ref, optional(config)), now()
    if as_json:
        out_json([_as_data(one) for one in found])
        return
    for version, said in found:
        when = f"{said.at:%Y-%m-%d %H:%M} UTC"
        state = deciding.state(said, at)
        told = f"{when}  {version.id.version}  {state} by {said.by} ({said.via}): {said.reason}"
        out(printable(told, longest=2000))
    if not found:
        out("nobody has decided on a version of this model")


def _as_data(one: "Decided") -> dict[str, Any]:
    from auditor.document import decision

    return {
        "version": one.version.id.version,
        "uri": one.version.uri,
        **(decision(one.decision) or {}),
    }


def _decide(
    ref: str, by: str, reason: str, until: str | None, config: ConfigFile, *, accepted: bool
) -> None:
    from auditor.deciding import decide
    from auditor.records import Statement

    said = Statement(accepted, by, reason, _day(until))
    version = decide(ref, said, optional(config))
    word = "accepted" if accepted else "rejected"
    end = f" until {said.until}" if said.until else ""
    out(printable(f"{word} {version.uri}{end}; its verdict stays as it was"))
    out("its report goes out again with auditor once, or at once where auditor serve runs")


def _day(text: str | None) -> date | None:
    from auditor.errors import UsageError

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        shown = printable(text or "", 40)
        raise UsageError(f"--until {shown}: expected a day such as 2026-12-31") from error
