"""``compare``: two versions or models side by side, or more."""

from collections.abc import Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from auditor.cli.common import out, out_json, printable, progress
from auditor.cli.tables import only_one, print_csv, print_table, shown

if TYPE_CHECKING:
    from auditor.story import Move
    from auditor.story.lineup import Standing
    from auditor.story.results import Distances, Lineup

INCOMPLETE = 3
LISTED = 20  # names of layers that only one of them has
LINE = 1000  # characters of a sentence
VERSIONS = (
    *("", "version", "layers", "changed", "frozen", "relative"),
    *("median alpha", "median log_spectral_norm"),
)
HEADS = (
    *("layer", "part", "shape", "relative", "cosine", "directions"),
    *("d_alpha ± error", "d_log_spectral_norm", "d_stable_rank"),
)
MORE = ("cka_distance", "subspace_overlap")
COMPARE = """
Exit code: 0, 2 nothing could be looked at, 3 not everything could be read.

\b
Examples:
  auditor compare step-8000.safetensors step-9000.safetensors
  auditor compare model.safetensors model-Q4_0.gguf
  auditor compare models:/digits/1 models:/digits/2 models:/digits/3 --to previous
  auditor compare models:/digits/2 models:/digits/3 --csv > distances.csv
  auditor compare base/ finetuned/ --more --layers '*.mlp.*' --md
"""
A = Annotated[
    str,
    typer.Argument(metavar="A", help="A REF: the first, as a baseline is.", show_default=False),
]
B = Annotated[
    list[str],
    typer.Argument(metavar="B...", help="A REF: the second, and more.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("compare", epilog=COMPARE)(compare)


def compare(
    before: A,
    after: B,
    *,
    to: Annotated[
        Literal["first", "previous"], typer.Option(help="What every one is compared with.")
    ] = "first",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a row per layer.")] = False,
    as_md: Annotated[bool, typer.Option("--md", help="Print Markdown.")] = False,
    top: Annotated[
        int, typer.Option(min=0, help="Layers in the table, the furthest; 0: all that changed.")
    ] = 30,
    more: Annotated[
        bool, typer.Option("--more", help="Also CKA and the overlap of subspaces.")
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
    """What became of every layer of A in B, and how far it is; no judgement."""
    from auditor.comparing import compare as compared

    only_one(json=as_json, csv=as_csv, md=as_md)
    with progress(f"comparing {printable(after[-1])}") as show:
        found = compared(
            before,
            *after,
            to=to,
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
        print_csv(found.plain_rows())
    elif as_md:
        out(found.to_markdown().rstrip())
    else:
        _print(found, top, more=more)
    raise typer.Exit(0 if found.complete else INCOMPLETE)


def _print(found: "Distances | Lineup", top: int, *, more: bool) -> None:
    """Several side by side, then each: its story, then the layers that changed, furthest first."""
    is_several = len(found.pairs) > 1
    if is_several:
        _print_versions(found.versions)
    for row, pair in zip(found.versions[1:], found.pairs, strict=True):
        if is_several:
            out("")
            out(printable(f"{row.against} → {row.label}: {row.name}", LINE))
        _print_pair(pair, top, MORE if more else ())


def _print_versions(versions: "Sequence[Standing]") -> None:
    rows = [
        (
            row.label,
            row.name,
            str(row.layers),
            str(row.changed) if row.against else shown(None),
            str(row.frozen) if row.against else shown(None),
            shown(row.relative),
            _median(row, "alpha"),
            _median(row, "log_spectral_norm"),
        )
        for row in versions
    ]
    print_table(VERSIONS, rows)


def _median(row: "Standing", metric: str) -> str:
    found = row.medians[metric]
    return f"{shown(found.value)} [{shown(found.low)}, {shown(found.high)}]"


def _print_pair(pair: "Distances", top: int, further: Sequence[str]) -> None:
    for sentence in pair.story.sentences:
        out(printable(sentence, LINE))
    for line in _unread(pair):
        out(printable(line, LINE))
    moves = pair.story.furthest
    listed = moves[: top or None]
    if listed:
        out("")
        print_table((*HEADS, *further, "share"), [_cells(move, further) for move in listed])
    if len(listed) < len(moves):
        out(f"and {len(moves) - len(listed):,} more that changed less; --top 0 lists them")


def _cells(move: "Move", further: Sequence[str]) -> Sequence[str]:
    far = move.distances
    shift = f"{shown(far['d_alpha'])} ± {shown(far['d_alpha_error'])}"
    mark = " *" if move.is_alpha_moved else ""
    return (
        move.name,
        move.part,
        "×".join(map(str, move.after.shape)),
        shown(far["relative"]),
        shown(far["cosine"]),
        shown(far.get("delta_directions")),
        shown(far["d_alpha"]) if isnan(far["d_alpha"]) else f"{shift}{mark}",
        shown(far["d_log_spectral_norm"]),
        shown(far["d_stable_rank"]),
        *(shown(far.get(name)) for name in further),
        f"{100.0 * move.share:.1f} %",
    )


def _unread(pair: "Distances") -> Iterator[str]:
    """What could not be compared."""
    names = pair.uncompared
    if names:
        named = ", ".join(printable(name, 80) for name in names[:LISTED])
        rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        yield f"not compared, for one of them is not finite or not readable: {named}{rest}"
    for failure in pair.analysis.reading.failures:
        yield f"the second cannot be read whole: {failure.name}: {failure.reason}"
