"""``compare`` and ``series``: two models side by side, and metrics over many."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.cli.common import out, out_json, printable, progress, regular

if TYPE_CHECKING:
    from auditor.comparing import Distances
    from auditor.tables import Relations

INCOMPLETE = 3
WIDE = 200  # columns of a table that no terminal limits
LISTED = 20  # names of layers that only one of them has
SHOWN = ("relative", "cosine", "esd_js", "d_alpha", "d_log_spectral_norm", "d_stable_rank")
FITTED = ("slope", "intercept", "slope_p", "r2", "rmse", "tau", "tau_p")
MORE = ("cka_distance", "subspace_overlap", "delta_rank", "delta_alpha")
COMPARE = """
Exit code: 0, 2 nothing could be looked at, 3 not everything could be read.

\b
Examples:
  auditor compare step-8000.safetensors step-9000.safetensors
  auditor compare models:/digits/2 models:/digits/3 --csv > distances.csv
  auditor compare base/ finetuned/ --more --layers '*.mlp.*' --json
"""
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
A = Annotated[
    str,
    typer.Argument(metavar="A", help="A REF: the first, as a baseline is.", show_default=False),
]
B = Annotated[str, typer.Argument(metavar="B", help="A REF: the second.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("compare", epilog=COMPARE)(compare)
    app.command("series", epilog=SERIES)(series)


def compare(
    before: A,
    after: B,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a row per layer.")] = False,
    more: Annotated[
        bool,
        typer.Option("--more", help="Also CKA, subspaces, and rank and α of the difference."),
    ] = False,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Pattern of the tensors to compare, such as 'h.*.mlp.*'; '!…' leaves out. "
            "Can be given several times.",
        ),
    ] = None,
    convention: Annotated[
        str, typer.Option(help="auditor, or weightwatcher for the reference tool's spectra.")
    ] = "auditor",
    intervals: Annotated[
        bool, typer.Option("--intervals", help="The error of d_alpha from refits.")
    ] = False,
    min_evals: Annotated[
        int, typer.Option(min=1, help="Fewest eigenvalues a power law is fitted to.")
    ] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
) -> None:
    """How far every layer of B is from the same layer of A; no judgement."""
    from auditor.comparing import compare as compared

    _one_of(as_json=as_json, as_csv=as_csv)
    with progress(f"comparing {printable(after)}") as show:
        found = compared(
            before,
            after,
            convention=convention,
            layers=layers or (),
            more=more,
            intervals=intervals,
            min_evals=min_evals,
            seed=seed,
            progress=show,
        )
    if as_json:
        out_json(found.to_dict())
    elif as_csv:
        _csv(found.to_dict()["layers"])
    else:
        _table_of_layers(found, (*SHOWN, *MORE) if more else SHOWN)
    raise typer.Exit(0 if found.complete else INCOMPLETE)


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

    _one_of(as_json=as_json, as_csv=as_csv)
    found = related(regular(table), quality=quality, metrics=_names(metrics), groups=_names(group))
    if as_json:
        out_json(found.to_dict())
    elif as_csv:
        _csv(found.rows())
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
            *(_shown(row[column]) for column in FITTED),
        )
        for row in found.rows()
    ]
    _print_table(heads, rows)
    out(f"{found.models} models with {printable(found.quality, 80)}")
    for of in found.metrics:
        if of.is_reversed:
            name = printable(of.metric, 80)
            out(f"{name}: within most groups the sign is the opposite one (Simpson's paradox)")
    out(NO_CLAIM)


def _one_of(*, as_json: bool, as_csv: bool) -> None:
    from auditor.errors import UsageError

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; choose one")


def _csv(rows: Sequence[Mapping[str, Any]]) -> None:
    from auditor.render.plain import csv_table

    out(csv_table(rows).rstrip())


def _table_of_layers(found: "Distances", columns: Sequence[str]) -> None:
    """The layers that changed, furthest first; then what has no counterpart."""
    rows = found.rows()
    changed = [row for row in rows if row["relative"] != 0.0]
    changed.sort(key=_distance, reverse=True)
    if changed:
        heads = ("layer", "kind", "shape", *columns)
        _print_table(heads, [_cells(row, columns) for row in changed])
    same = len(rows) - len(changed)
    out(f"{len(rows)} layers in both, {same} of them the same in every value")
    for before, after in found.comparison.renamed:
        out(f"renamed: {printable(before, 80)} is now {printable(after, 80)}")
    _list("only in A", found.removed)
    _list("only in B", found.added)
    _list("not compared, for one of them is not finite or not readable", found.uncompared)
    if found.comparison.note:
        out(printable(f"A: {found.comparison.note}", 1000))
    for failure in found.analysis.reading.failures:
        out(printable(f"B cannot be read whole: {failure.name}: {failure.reason}", 1000))


def _distance(row: Mapping[str, Any]) -> float:
    """Relative distance; from zero to anything is as far as can be."""
    relative: float = row["relative"]
    return math.inf if math.isnan(relative) else relative


def _cells(row: Mapping[str, Any], columns: Sequence[str]) -> Sequence[str]:
    shape = "×".join(map(str, row["shape"]))
    return row["name"], row["kind"], shape, *(_shown(row[column]) for column in columns)


def _list(what: str, names: Sequence[str]) -> None:
    if names:
        shown = ", ".join(printable(name, 80) for name in names[:LISTED])
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        out(f"{what}: {shown}{more}")


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for head in heads:
        table.add_column(head, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(printable(cell, 80)) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    with console.capture() as shown:
        console.print(table)
    out(shown.get().rstrip("\n"))


def _shown(number: float) -> str:
    return "–" if math.isnan(number) else f"{number:.4g}"
