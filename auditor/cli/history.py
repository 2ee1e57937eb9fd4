"""``history``: a metric of one model through its versions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from auditor.cli.common import ConfigFile, optional, out, out_json, printable
from auditor.cli.tables import only_one, print_csv, print_table, shown

if TYPE_CHECKING:
    from auditor.story.timeline import Point, Timeline

BESIDE = ("distance", "new findings", "decision")
HISTORY = """
Exit code: 0, 2 there is no such model, metric or ledger.

\b
Examples:
  auditor history digits
  auditor history digits --metric log_spectral_norm --of mean --last 50
  auditor history mlflow:digits --layers 'layers.0.*' --csv > alpha.csv
  auditor history models:/digits/3
"""


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("history", epilog=HISTORY)(history)


def history(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model's name, source:name, or a REF of one of its versions.",
            show_default=False,
        ),
    ],
    *,
    metric: Annotated[str, typer.Option(help="Which one.")] = "alpha",
    of: Annotated[Literal["median", "mean"], typer.Option(help="Over the layers.")] = "median",
    layers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Pattern of the layers that count, such as 'h.*.mlp.*'; '!…' leaves out. "
            "Can be given several times.",
        ),
    ] = None,
    last: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Newest versions; 0: all of them.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a row per version.")] = False,
    config: ConfigFile = None,
) -> None:
    """A metric of a model through its audited versions; no weights are read."""
    from auditor.app import now
    from auditor.errors import UsageError
    from auditor.single import existing_ledger
    from auditor.story.timeline import Wish, timeline

    only_one(json=as_json, csv=as_csv)
    settings = optional(config)
    wish = Wish(metric, of, layers or (), last or None)
    with existing_ledger(settings) as ledger:
        if ledger is None:
            raise UsageError(f"there is no ledger yet at {settings.ledger}; run auditor once first")
        found = timeline(ledger, model, wish, settings, now().date())
    rows = [_row(point) for point in found.points]
    if as_json:
        about = {"source": found.source, "model": found.model, "metric": metric, "of": of}
        out_json({**about, "layers": list(wish.layers), "versions": rows})
    elif as_csv:
        print_csv(rows)
    else:
        _print(found)


def _row(point: "Point") -> dict[str, Any]:
    """A version as JSON and CSV have it."""
    from dataclasses import asdict

    from auditor.story.rows import plain

    return {**plain(asdict(point)), "created_at": point.created_at.isoformat()}


def _print(found: "Timeline") -> None:
    name = f"{found.wish.of} {found.wish.metric}"
    heads = ("version", "made", "verdict", name, "5 %", "95 %", "change", "layers", *BESIDE)
    print_table(heads, [_cells(point) for point in found.points])
    out(printable(f"{name} of {found.source}:{found.model}  {found.sparkline}"))
    if len(found.metric_sets) > 1:
        sets = ", ".join(map(str, found.metric_sets))
        out(f"measured by metric sets {sets}: their numbers are not to be compared with each other")


def _cells(point: "Point") -> Sequence[str]:
    to = f" to {point.compared_with}" if point.compared_with else ""
    return (
        point.version,
        f"{point.created_at:%Y-%m-%d}",
        point.verdict,
        shown(point.value),
        shown(point.p5),
        shown(point.p95),
        shown(point.change),
        str(point.layers),
        f"{shown(point.distance)}{to}",
        str(point.findings_new),
        point.decision,
    )
