"""Tables as commands print them: for a terminal, or as CSV."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.cli.common import out, printable

WIDE = 200  # columns of a table that no terminal limits
LONGEST = 80  # characters of a cell


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under their heads, as wide as the terminal; what is too long is cut."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for head in heads:
        table.add_column(head, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(printable(cell, LONGEST)) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    with console.capture() as shown:
        console.print(table)
    out(shown.get().rstrip("\n"))


def print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """A row each, every number with all its digits."""
    from auditor.render.plain import csv_table

    out(csv_table(rows).rstrip())


def shown(number: float | None) -> str:
    """A number to four digits; a dash where it is undefined."""
    return "–" if number is None or math.isnan(number) else f"{number:.4g}"


def only_one(**asked: bool) -> None:
    """Refuse forms of output that exclude each other.

    Raises
    ------
    UsageError
        If more than one was asked for.
    """
    from auditor.errors import UsageError

    named = [f"--{name}" for name, is_asked in asked.items() if is_asked]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} exclude each other; choose one")
