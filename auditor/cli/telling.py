"""``notify test``: whether messages arrive."""

from typing import Annotated

import typer

from auditor.cli.common import ConfigFile, out, printable, required

TEST = """
Exit code: 0, 2 a message was not taken, or the configuration is wrong.

\b
Examples:
  auditor notify test
  auditor notify test team --config /etc/auditor/config.yaml
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    group.command("test", epilog=TEST)(send_test)
    app.add_typer(group, name="notify", help="Messages to people.")


def send_test(
    name: Annotated[
        str | None, typer.Argument(help="Name of an entry under notify. Default: all of them.")
    ] = None,
    *,
    config: ConfigFile = None,
) -> None:
    """Send a test message to those under notify, and say who took it."""
    from auditor.errors import UsageError
    from auditor.telling import addresses, trial

    found = addresses(required(config))
    chosen = [address for address in found if name in {None, address.name}]
    if not chosen:
        there = ", ".join(address.name for address in found)
        known = f"there are: {there}" if there else "there is no notify: in the configuration"
        wanted = "nobody to tell" if name is None else f"no target {name} under notify"
        raise UsageError(f"{wanted}; {known}")
    failed = False
    for address in chosen:
        reason = trial(address)
        failed = failed or reason is not None
        out(printable(f"{address.name}: {'sent' if reason is None else f'not sent: {reason}'}"))
    raise typer.Exit(2 if failed else 0)
