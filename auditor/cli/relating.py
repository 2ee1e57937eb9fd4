"""``series``: metrics of many models against their reported quality."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.common import out, out_json, printable, regular
from auditor.cli.tables import only_one, print_csv, print_table, shown

if TYPE_CHECKING:
    from auditor.tables import Relations

FITTED = ("slope", "intercept", "slope_p", "r2", "rmse", "tau", "tau_p")
SERIES = """
Exit code: 0, 2 the table cannot be used as asked.

\b
Examples:
  auditor series models.csv --quality test_error
  auditor series models.csv --quality accuracy --metrics alpha,log_norm --group architecture
  auditor series models.csv --quality accuracy --group dataset,architecture --csv > fits.csv
"""
NO_CLAIM = (
    "Few models, and what made them better moved the metrics too: an order within a series is no "
    "evidence that a metric predicts quality."
)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("series", epilog=SERIES)(series)


def series(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="A CSV file with a row per model.", show_default=False
        ),
    ],
    *,
    quality: Annotated[
        str, typer.Option(help="Column with the reported accuracy or error.", show_default=False)
    ],
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Columns to set against it, comma-separated. Default: all others with numbers.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Column, or columns, that say which models belong together.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print a row per metric and group.")
    ] = False,
) -> None:
    """Set metrics of a table of models against their reported quality."""
    from auditor.tables import series as related

    only_one(json=as_json, csv=as_csv)
    found = related(regular(table), quality=quality, metrics=_names(metrics), groups=_names(group))
    if as_json:
        out_json(found.to_dict())
    elif as_csv:
        print_csv(found.rows())
    else:
        _table_of_metrics(found)


def _names(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def _table_of_metrics(found: "Relations") -> None:
    heads = ("metric", "group", "models", *FITTED)
    rows = [
        (
            row["metric"],
            "all" if row["group"] is None else row["group"],
            str(row["models"]),
            *(shown(row[column]) for column in FITTED),
        )
        for row in found.rows()
    ]
    print_table(heads, rows)
    out(f"{found.models} models with {printable(found.quality, 80)}")
    for of in found.metrics:
        if of.is_reversed:
            name = printable(of.metric, 80)
            out(f"{name}: within most groups the sign is the opposite one (Simpson's paradox)")
    out(NO_CLAIM)
