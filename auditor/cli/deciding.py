"""``accept`` and ``reject``: a person's decision on a version."""

from typing import Annotated

import typer

from auditor.cli.common import ConfigFile, Ref, optional, out, printable

ACCEPT = """
\b
Example:
  auditor accept models:/digits/3 --by a.ruiz --reason "retrained on purpose, evaluated"
"""
REJECT = """
\b
Example:
  auditor reject models:/digits/3 --by a.ruiz --reason "labels were shuffled"
"""
By = Annotated[str, typer.Option(help="Who decides.")]
Why = Annotated[str, typer.Option(help="Why; shown wherever the decision is.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("accept", epilog=ACCEPT)(accept)
    app.command("reject", epilog=REJECT)(reject)


def accept(ref: Ref, *, by: By, reason: Why, config: ConfigFile = None) -> None:
    """Accept an audited version: it may be a baseline, and its findings gate no longer."""
    _decide(ref, by, reason, config, accepted=True)


def reject(ref: Ref, *, by: By, reason: Why, config: ConfigFile = None) -> None:
    """Reject an audited version: it is never a baseline, whatever its verdict."""
    _decide(ref, by, reason, config, accepted=False)


def _decide(ref: str, by: str, reason: str, config: ConfigFile, *, accepted: bool) -> None:
    from auditor.deciding import decide

    version = decide(ref, optional(config), accept=accepted, by=by, reason=reason)
    word = "accepted" if accepted else "rejected"
    out(printable(f"{word} {version.uri}; its verdict stays as it was"))
