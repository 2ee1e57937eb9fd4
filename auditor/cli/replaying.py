"""``policy test``: what a policy would say of the audits that are stored."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.cli.common import ConfigFile, optional, out, out_json, printable, progress
from auditor.cli.policy import AsJson, policy_app

if TYPE_CHECKING:
    from auditor.replaying import Difference

TEST = """
Exit code: 0; 1 with --fail-on-change where a verdict would be another one; 2 the policy does
not fit, or there is nothing to judge.

\b
Examples:
  auditor policy test strict
  auditor policy test policy.yaml --history
  auditor policy test policy.yaml --history --model "mlflow:prod-*" --verdicts-only
  auditor policy test policy.yaml --json --fail-on-change
"""
LONGEST = 400  # characters of a line
EXIT_CHANGED = 1


def register(app: typer.Typer) -> None:  # noqa: ARG001 - its sub-app is there already
    """Add the command of this file to those of ``policy``."""
    policy_app.command("test", epilog=TEST)(replay)


def replay(
    policy: Annotated[
        str, typer.Argument(metavar="POLICY", help="A preset or a policy file.", show_default=False)
    ],
    *,
    history: Annotated[
        bool, typer.Option("--history", help="Every version, not only the newest of a model.")
    ] = False,
    model: Annotated[
        str, typer.Option(metavar="GLOB", help="Only these models: source:name, or a name.")
    ] = "*",
    verdicts_only: Annotated[
        bool, typer.Option("--verdicts-only", help="Only versions whose verdict would change.")
    ] = False,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit with 1 where a verdict would change.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Judge stored audits by a policy, without reading weights: what would change.

    Nothing is written. The configured floors stay under the policy.
    """
    from auditor import replaying
    from auditor.app import now

    with progress("judging") as show:
        asked = replaying.Asked(policy, model, history)
        found = replaying.replay(optional(config), asked, now(), show)
    rows = [one for one in found.differences if one.is_verdict or not verdicts_only]
    if as_json:
        out_json(
            {
                "policy": found.policy,
                "judged": found.judged,
                "totals": dict(found.totals),
                "differences": [_as_data(one) for one in rows],
            }
        )
    else:
        for one in rows:
            out(printable(_line(one), LONGEST))
        moves = ", ".join(f"{count} {move}" for move, count in found.totals.items())
        changed = sum(found.totals.values())
        out(f"{changed} of {found.judged} verdicts would change{': ' if moves else ''}{moves}")
    if fail_on_change and found.totals:
        raise typer.Exit(EXIT_CHANGED)


def _line(one: "Difference") -> str:
    verdicts = f"{one.now} -> {one.then}" if one.is_verdict else f"{one.now}, other findings"
    why = [f"fails {name}" for name in one.fails] + [f"passes {name}" for name in one.passes]
    return f"{one.version}: {verdicts}{': ' if why else ''}{', '.join(why)}"


def _as_data(one: "Difference") -> dict[str, Any]:
    return {
        "source": one.version.source,
        "model": one.version.model,
        "version": one.version.version,
        "now": one.now,
        "then": one.then,
        "fails": list(one.fails),
        "passes": list(one.passes),
        "reason": one.reason,
    }
