"""``config`` and ``demo``: getting started."""

from pathlib import Path
from typing import Annotated

import typer

from auditor.cli.common import ConfigFile, out, out_json, required

CONFIG = """
\b
Examples:
  auditor config check
  auditor config check --config /etc/auditor/config.yaml
  auditor config schema > config.schema.json
"""
DEMO = """
\b
Examples:
  auditor demo
  auditor demo --out /tmp/digits --seed 3
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    config = typer.Typer(help="Check config.yaml, or describe it.", no_args_is_help=True)
    config.command("check", epilog=CONFIG)(check)
    config.command("schema", epilog=CONFIG)(schema)
    app.add_typer(config, name="config")
    app.command("demo", epilog=DEMO)(demo)


def check(*, config: ConfigFile = None) -> None:
    """Check a configuration without touching any source."""
    from auditor import profiles
    from auditor.config import parts
    from auditor.policies import configured
    from auditor.policies.measured import unmeasured

    settings = required(config)
    built, policy = parts(settings), configured(settings)
    profiles.configured(settings)
    sources = ", ".join(source.name for source in built.sources)
    sinks = ", ".join(sink.name for sink in built.sinks)
    floors = "".join(f", on the floor {floor.name}" for floor in policy.parts[1:])
    out(f"ok: sources {sources}; sinks {sinks}; policy {policy.name}{floors}")
    rules = [rule for part in policy.parts for rule in part.rules]
    for remark in unmeasured(rules, settings.analysis):
        out(f"note: {remark}")


def schema(
    *,
    of: Annotated[
        str, typer.Argument(help="config, audit (the audit document) or analysis.")
    ] = "config",
) -> None:
    """Print a JSON Schema: of config.yaml, of the audit document, or of analyze --json."""
    from auditor.schema import analysis, audit

    if of == "config":
        from auditor.config import schema as config

        found = config()
    elif of in {"audit", "analysis"}:
        found = audit() if of == "audit" else analysis()
    else:
        raise typer.BadParameter(f"no schema {of!r}; there are config, audit and analysis")
    out_json(found)


def demo(
    *,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder to make; emptied if it is ours.")
    ] = Path("demo-output"),
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 0,
) -> None:
    """Train six versions of a digit classifier, register them, audit them, show the verdicts."""
    from rich.console import Console

    from auditor.demo import run

    run(folder, seed, console=Console())
