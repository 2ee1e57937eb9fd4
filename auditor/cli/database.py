"""``db``: the ledger's database."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from auditor.cli.common import ConfigFile, out, printable, required

UPGRADE = """
Whatever opens the ledger does the same; this says what was done.

\b
Examples:
  auditor db upgrade
  auditor db upgrade --config /etc/auditor/config.yaml
"""
VACUUM = """
Old rows are removed by the service, see `keep` in config.yaml; this gives their space back: on
SQLite to the disk, for which it needs as much space again as the file takes, and nobody can
write meanwhile; on PostgreSQL to new rows, beside all other work.

\b
Examples:
  auditor db vacuum
  0 4 * * 0 auditor db vacuum --config /etc/auditor/config.yaml   (in a crontab)
"""
EXPORT = """
Every row as a JSON object on a line of its own, with the name of its table. As of one moment,
also while the service runs; a file is written whole or not at all.

\b
Examples:
  auditor db export --out ledger.jsonl
  auditor db export --out - | jq 'select(.table == "audits") | .verdict'
"""

Out = Annotated[
    str, typer.Option("--out", metavar="FILE|-", help="Where to; - is the standard output.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(no_args_is_help=True, help="The ledger's database.")
    group.command("upgrade", epilog=UPGRADE)(upgrade)
    group.command("vacuum", epilog=VACUUM)(vacuum)
    group.command("export", epilog=EXPORT)(export)
    app.add_typer(group, name="db")


def upgrade(*, config: ConfigFile = None) -> None:
    """Bring the ledger's tables up to date."""
    from auditor.ledger.opening import upgrade_database

    done = upgrade_database(required(config).ledger)
    if done.before is None:
        out(f"{done.shown}: made, schema {done.after}")
    elif done.before == done.after:
        out(f"{done.shown}: up to date, schema {done.after}")
    else:
        out(f"{done.shown}: schema {done.before} is now {done.after}")


def vacuum(*, config: ConfigFile = None) -> None:
    """Give the space of removed rows back."""
    from auditor.amounts import as_size
    from auditor.ledger import Ledger

    with closing(Ledger.open(required(config).ledger)) as ledger:
        before, after = ledger.vacuum()
    out(f"{as_size(before)} before, {as_size(after)} after")


def export(*, to: Out, config: ConfigFile = None) -> None:
    """Write everything the ledger remembers as JSON Lines, without secrets."""
    from auditor.exporting import export as write
    from auditor.exporting import lines
    from auditor.ledger import Ledger

    with closing(Ledger.open(required(config).ledger)) as ledger:
        if to == "-":
            for line in lines(ledger):
                out(line.rstrip("\n"))
            return
        count = write(ledger, Path(to))
    out(f"{count} rows in {printable(to)}")
