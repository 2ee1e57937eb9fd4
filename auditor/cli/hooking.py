"""``hook``: weight files before they are committed."""

from typing import Annotated

import typer

from auditor.cli.auditing import GLYPHS
from auditor.cli.common import ConfigFile, optional, out, printable, progress
from auditor.exits import FailOn

EXAMPLES = """
Exit code: 0 every file may go in; else that of the worst: 1 BLOCK, 3 INCOMPLETE, 2 nothing could
be looked at, 4 REVIEW with --fail-on review.

\b
Examples:
  auditor hook model.safetensors adapter/*.safetensors
  auditor hook --policy strict --fail-on review model.pt
"""


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("hook", epilog=EXAMPLES)(hook)


def hook(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Weight files.", show_default=False)
    ],
    *,
    policy: Annotated[
        str, typer.Option(help="observe, recommended, strict, or a policy file.")
    ] = "recommended",
    fail_on: Annotated[
        FailOn, typer.Option(help="Worst verdict that is let through is below this one.")
    ] = FailOn.BLOCK,
    config: ConfigFile = None,
) -> None:
    """Check weight files one by one, a line for each; what pre-commit runs."""
    from auditor.hooking import look, worst

    settings = optional(config)
    codes = []
    with progress("checking weight files") as show:
        for found in look(files, settings, policy, fail_on, show):
            codes.append(found.code)
            glyph = GLYPHS.get(found.verdict, "✖" if found.code else "○")
            name = printable(found.file)
            out(f"{glyph} {found.verdict or '–'} {name}: {printable(found.said, 1000)}")
    raise typer.Exit(worst(codes))
