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
  auditor analyze models/llm --layers 'model.layers.*.mlp.*' --layers '!*.gate_proj.*'
  auditor analyze model.pt --no-pool --detx --vectors --csv
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
    layers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Pattern of the tensors to analyse, such as 'h.*.mlp.*'; '!…' leaves out. "
            "Can be given several times.",
        ),
    ] = None,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Also the 95 % interval of α.")
    ] = False,
    bootstrap: Annotated[int, typer.Option(min=2, help="Refits behind an interval.")] = 100,
    goodness_of_fit: Annotated[
        bool,
        typer.Option(
            "--goodness-of-fit", help="Plausibility of every power law, and its alternatives."
        ),
    ] = False,
    mp_fit: Annotated[
        bool, typer.Option("--mp-fit", help="Also the Marchenko-Pastur bulk.")
    ] = False,
    randomize: Annotated[
        bool, typer.Option("--randomize", help="Also the random twin and correlation traps.")
    ] = False,
    detX: Annotated[
        bool, typer.Option("--detx", help="Also where the product of the eigenvalues is 1.")
    ] = False,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Also entropy and localisation of singular vectors.")
    ] = False,
    cumulants: Annotated[
        bool, typer.Option("--cumulants", help="Also free cumulants and log capacities.")
    ] = False,
    pool: Annotated[
        bool, typer.Option("--pool/--no-pool", help="All slices of a tensor are one layer.")
    ] = True,
    split_qkv: Annotated[
        bool, typer.Option("--split-qkv", help="Fused query, key and value are three layers.")
    ] = False,
    fit: Annotated[
        str, typer.Option(help="PL, or TPL for a power law with an exponential cut-off.")
    ] = "PL",
    fix_fingers: Annotated[
        str | None, typer.Option(help="clip_xmax or xmin_peak.", show_default=False)
    ] = None,
    xmax: Annotated[
        str | None,
        typer.Option(help="End of the tail: an eigenvalue, or force.", show_default=False),
    ] = None,
    min_evals: Annotated[
        int, typer.Option(min=1, help="Fewest eigenvalues a power law is fitted to.")
    ] = 8,
    min_tail: Annotated[int, typer.Option(min=2, help="Fewest eigenvalues of a tail.")] = 8,
    precision: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
    device: Annotated[
        str, typer.Option(help="Where eigenvalues are computed: auto, cpu or cuda.")
    ] = "auto",
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="For the layers measured at one time.")
    ] = "8GiB",
    time_budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Measure for so long at most, such as 10m."),
    ] = None,
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
            layers=layers or (),
            intervals=intervals,
            bootstrap=bootstrap,
            goodness_of_fit=goodness_of_fit,
            mp_fit=mp_fit,
            randomize=randomize,
            detX=detX,
            vectors=vectors,
            cumulants=cumulants,
            pool=pool,
            split_qkv=split_qkv,
            fit=fit,
            fix_fingers=fix_fingers,
            xmax=xmax,
            min_evals=min_evals,
            min_tail=min_tail,
            precision=precision,
            seed=seed,
            device=device,
            memory=memory,
            time_budget=time_budget,
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

    from auditor.records import PARTS

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
    skipped = [skip.reason for skip in analysis.skipped if not skip.reason.startswith(PARTS)]
    left_out = skipped.count("not selected")
    note = f", {left_out} of them not selected" if left_out else ""
    if late := sum(skip.is_untimely for skip in analysis.skipped):
        note += f", {late} of them for lack of time"
    out(f"{len(analysis.layers)} layers, {len(skipped)} tensors skipped{note}")
    for failure in analysis.reading.failures:
        out(printable(f"cannot be read whole: {failure.name}: {failure.reason}", 1000))


def report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An audit document, JSON.")],
    *,
    formats: Annotated[
        str,
        typer.Option(
            "--format", help="html, json, csv, findings, md, junit, sarif; comma-separated."
        ),
    ] = "html",
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to. Default: beside FILE.")
    ] = None,
) -> None:
    """Make the report of a stored audit document again."""
    from auditor.reports import rewrite

    for path in rewrite(regular(file), chosen_formats(formats), folder or file.parent):
        out(printable(str(path), 1000))
