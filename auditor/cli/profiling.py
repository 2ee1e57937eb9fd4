"""``profile``: what is usual in a family of models, from our own audits."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.cli.common import ConfigFile, optional, out, out_json, printable

if TYPE_CHECKING:
    from auditor.profiles import Family

BUILD = """
\b
Examples:
  auditor profile build digits --model "mlflow:digits-*"
  auditor profile build resnet20 --source hub --min-audits 20 --out resnet20.json
"""
SHOW = """
\b
Examples:
  auditor profile show digits
  auditor profile show digits --json | jq '.bands.dense.alpha'
"""
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Of the profile: a-z, 0-9, - _ .", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    profile = typer.Typer(no_args_is_help=True, help="What is usual in a family of models.")
    profile.command("build", epilog=BUILD)(build)
    profile.command("show", epilog=SHOW)(show)
    app.add_typer(profile, name="profile")


def build(
    name: Name,
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(help='Pattern of models, such as "mlflow:digits-*"; again for more.'),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only audits of this source.")] = None,
    min_audits: Annotated[int, typer.Option(min=1, help="Refuse to build from fewer.")] = 5,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="File to write. Default: where profile:NAME looks."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Build a profile from the newest audits that passed or were accepted."""
    from auditor.app import now
    from auditor.checks.peers import MIN_AUDITS
    from auditor.errors import UsageError
    from auditor.profiles import Wanted, place, write
    from auditor.profiles import build as built_from
    from auditor.single import existing_ledger

    settled, at = optional(config), now()
    path = place(name, settled.data) if to is None else to
    wanted = Wanted(
        name=name,
        as_of=at.date(),
        convention=settled.analysis.convention,
        models=tuple(model or ()),
        source=source,
        min_audits=min_audits,
    )
    with existing_ledger(settled) as ledger:
        if ledger is None:
            raise UsageError(f"there is no ledger yet at {settled.ledger}; run auditor once first")
        built = built_from(ledger, wanted)
    family = write(built.family, at, path)
    profile = family.profile
    out(printable(f"profile {name} from {profile.audits} audits, {profile.digest[:12]}: {path}"))
    if profile.audits < MIN_AUDITS:
        out(
            f"  note: the checks hold versions against profiles of {MIN_AUDITS} audits or more only"
        )
    for count, what in (
        (built.copies, "copies of weights that are in it already"),
        (built.others, "audits of another metric set or convention"),
    ):
        if count:
            out(f"  left out: {count} {what}")


def show(
    name: Name,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    config: ConfigFile = None,
) -> None:
    """Print a profile: percentiles by kind of layer, and who is in it."""
    from auditor.profiles import place, read

    found = read(place(name, optional(config).data))
    if as_json:
        out_json(_as_data(found))
        return
    profile = found.profile
    out(printable(f"profile {profile.name}, {profile.digest[:12]}, from {profile.audits} audits"))
    out(f"  metric set {found.metric_set}, convention {printable(found.convention)}")
    out(f"  {'kind':<14}{'metric':<20}{'layers':>8}{'p5':>10}{'median':>10}{'p95':>10}")
    for kind, columns in profile.bands.items():
        for column, band in columns.items():
            numbers = "".join(f"{one:>10.4g}" for one in (band.p5, band.median, band.p95))
            out(f"  {printable(kind, 13):<14}{printable(column, 19):<20}{band.n:>8}{numbers}")
    models = dict.fromkeys(f"{one.source}:{one.model}" for one in found.members)
    out("models")
    for one in models:
        out(printable(f"  {one}"))
    out("modules")
    for one in found.modules:
        out(printable(f"  {one}"))


def _as_data(found: "Family") -> dict[str, Any]:
    from dataclasses import asdict

    profile = found.profile
    return {
        "name": profile.name,
        "digest": profile.digest,
        "metric_set": found.metric_set,
        "convention": found.convention,
        "modules": list(found.modules),
        "audits": [asdict(one) for one in found.members],
        "bands": asdict(profile)["bands"],
    }
