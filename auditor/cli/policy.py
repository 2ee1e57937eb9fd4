"""``policy``: what versions are judged by, and why."""

from pathlib import Path
from typing import Annotated

import typer

from auditor.cli.common import ConfigFile, optional, out, out_json, printable, regular

POLICY = """
\b
Examples:
  auditor policy explain digits
  auditor policy explain mlflow:digits --policy strict
  auditor policy explain models:/digits/3 --json
"""
CHECK = """
Exit code: 0, 2 the file does not fit.

\b
Examples:
  auditor policy check policy.yaml
  auditor policy check policy.yaml && git push
"""
WAIVERS = """
\b
Examples:
  auditor policy waivers
  auditor policy waivers --policy policy.yaml --json
"""
SCHEMA = """
\b
Example:
  auditor policy schema > policy.schema.json
"""
LONGEST = 1000  # characters of a line
policy_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Chosen = Annotated[
    str | None,
    typer.Option("--policy", help="A preset or a policy file. Default: as configured."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    policy_app.command("explain", epilog=POLICY)(explain)
    policy_app.command("check", epilog=CHECK)(check)
    policy_app.command("waivers", epilog=WAIVERS)(waivers)
    policy_app.command("schema", epilog=SCHEMA)(schema)
    app.add_typer(policy_app, name="policy", help="What versions are judged by, and why.")


def explain(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="source:name, a model's name, or a REF.", show_default=False
        ),
    ],
    *,
    policy: Chosen = None,
    as_data: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Say which rules decide for a model, where each is written, and what it overrode."""
    from auditor.app import now
    from auditor.policies import data, layers, text
    from auditor.policies.explaining import explain as explained
    from auditor.policies.measured import unmeasured
    from auditor.refs import series

    settings, today = optional(config), now().date()
    found = explained(layers(settings, policy, today), series(model, settings), today)
    rules = [one.rule for part in found.parts for one in part.rules]
    remarks = list(unmeasured(rules, settings.analysis))
    if as_data:
        out_json({**data.as_json(found), "remarks": remarks})
        return
    for line in (*text.lines(found), *(f"note: {remark}" for remark in remarks)):
        out(printable(line, LONGEST))


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")],
) -> None:
    """Check a policy file with all that it extends: what does not fit, and what would."""
    from auditor.policies import load_policy

    found = load_policy(str(regular(file)))
    rules, waived = len(found.rules), len(found.waivers)
    out(printable(f"ok: policy {found.name}; rules {rules}; waivers {waived}", LONGEST))


def waivers(
    *,
    policy: Chosen = None,
    as_data: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List all waivers: in force, ending within 30 days, expired, and covering nothing."""
    from auditor.app import now
    from auditor.policies import data, layers, text
    from auditor.policies.standing import standing, waived
    from auditor.single import existing_ledger

    settings, today = optional(config), now().date()
    told = layers(settings, policy, today)
    with existing_ledger(settings) as ledger:
        found = ledger.symptoms(waived(told)) if ledger else None
    stood = standing(told, today, found)
    if as_data:
        out_json([data.waiver_as_json(one) for one in stood])
        return
    for line in text.of_waivers(stood) if stood else ("there are no waivers",):
        out(printable(line, LONGEST))


def schema() -> None:
    """Print the JSON Schema of a policy file."""
    from auditor.policies.schema import schema as described

    out_json(described())
