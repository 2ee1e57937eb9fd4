"""``analyze`` and ``report``: the layer table without judgement, and a report again."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.common import Ref, chosen_formats, out, out_json, printable, progress, regular

if TYPE_CHECKING:
    from auditor.api import Analysis

INCOMPLETE = 3
WIDE = 200  # columns of a table that no terminal limits
SHOWN = ("alpha", "num_pl_spikes", "D", "log_spectral_norm", "stable_rank", "matrix_rank")
ANALYZE = """
Exit code: 0, 2 nothing could be looked at, 3 not everything could be read.

\b
Examples:
  auditor analyze model.safetensors
  auditor analyze models:/digits/3 --intervals --randomize --csv > layers.csv
  auditor analyze model.pt --convention weightwatcher --json
"""
REPORT = """
\b
Examples:
  auditor report reports/mlflow/digits/4.json
  auditor report audit.json --format md --out .
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("analyze", epilog=ANALYZE)(analyze)
    app.command("report", epilog=REPORT)(report)


def analyze(
    ref: Ref,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a row per layer.")] = False,
    convention: Annotated[
        str, typer.Option(help="auditor, or weightwatcher for the reference tool's numbers.")
    ] = "auditor",
    intervals: Annotated[bool, typer.Option(help="Also the 95 % interval of α.")] = False,
    mp_fit: Annotated[bool, typer.Option(help="Also the Marchenko-Pastur bulk.")] = False,
    randomize: Annotated[
        bool, typer.Option(help="Also the random twin and correlation traps.")
    ] = False,
    min_evals: Annotated[
        int, typer.Option(min=1, help="Fewest eigenvalues a power law is fitted to.")
    ] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
) -> None:
    """Measure every layer; no baseline, no judgement."""
    from auditor.api import analyze as measured
    from auditor.errors import UsageError

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; choose one")
    with progress(f"analyzing {printable(ref)}") as show:
        analysis = measured(
            ref,
            convention=convention,
            intervals=intervals,
            mp_fit=mp_fit,
            randomize=randomize,
            min_evals=min_evals,
            seed=seed,
            progress=show,
        )
    if as_json:
        out_json(analysis.to_dict())
    elif as_csv:
        from auditor.render import render

        out(render({**analysis.to_dict(), "findings": [], "comparison": None}, "csv").rstrip())
    else:
        _table(analysis)
    raise typer.Exit(0 if analysis.complete else INCOMPLETE)


def _table(analysis: "Analysis") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    table.add_column("layer", no_wrap=True)
    for heading in ("kind", "shape", *SHOWN, "status"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for layer in analysis.layers:
        numbers = (layer.metrics.get(name, math.nan) for name in SHOWN)
        table.add_row(
            Text(printable(layer.name, 80)),
            layer.kind,
            "×".join(map(str, layer.shape)),
            *("–" if math.isnan(number) else f"{number:.4g}" for number in numbers),
            layer.measured.status,
        )
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    with console.capture() as shown:
        console.print(table)
    out(shown.get().rstrip("\n"))
    out(f"{len(analysis.layers)} layers, {len(analysis.skipped)} tensors skipped")
    for failure in analysis.reading.failures:
        out(printable(f"cannot be read whole: {failure.name}: {failure.reason}", 1000))


def report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An audit document, JSON.")],
    *,
    formats: Annotated[
        str, typer.Option("--format", help="html, json, csv, md; comma-separated.")
    ] = "html",
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to. Default: beside FILE.")
    ] = None,
) -> None:
    """Make the report of a stored audit document again."""
    from auditor.reports import rewrite

    for path in rewrite(regular(file), chosen_formats(formats), folder or file.parent):
        out(printable(str(path), 1000))
