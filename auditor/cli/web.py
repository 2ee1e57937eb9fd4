"""``gate``, ``token`` and ``webhook``: the running service, and who may speak to it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.common import (
    ConfigFile,
    Ref,
    optional,
    out,
    out_json,
    printable,
    progress,
    required,
)
from auditor.exits import FailOn, exit_code

if TYPE_CHECKING:
    from auditor.config import Config
    from auditor.gate import Service, Standing
    from auditor.sources.mlflow import Mlflow

TOKEN = "AUDITOR_TOKEN"  # noqa: S105 - the name of a variable
GATE = """
Exit code: as auditor audit; 2 where the service is not reachable, does not know the version,
or gives no verdict in time.

\b
Examples:
  auditor gate models:/digits/3 --wait 15m
  auditor gate models:/digits@candidate --server https://auditor.example --fail-on review
  AUDITOR_TOKEN=aud_… auditor gate hf://org/name --json | jq .verdict
"""
ADD = """
\b
Examples:
  auditor token add ci --role enqueue
  auditor token add grafana --role read --file /etc/auditor/tokens.json
"""
REMOVE = """
\b
Example:
  auditor token remove ci
"""
LIST = """
\b
Example:
  auditor token list
"""
REGISTER = """
\b
Examples:
  auditor webhook register --url https://auditor.example/webhooks/mlflow
  auditor webhook register --source staging --url https://auditor.example/webhooks/mlflow
"""
HOOKS = """
\b
Example:
  auditor webhook list
"""
UNREGISTER = """
\b
Example:
  auditor webhook remove 0f6a2c9e
"""
TokensFile = Annotated[
    Path | None,
    typer.Option("--file", help="File of tokens. Default: server.tokens as configured."),
]
SourceName = Annotated[
    str | None, typer.Option("--source", help="Name of the MLflow source, where there are several.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("gate", epilog=GATE)(gate)
    token = typer.Typer(no_args_is_help=True, help="Who may ask the service.")
    token.command("add", epilog=ADD)(add_token)
    token.command("list", epilog=LIST)(list_tokens)
    token.command("remove", epilog=REMOVE)(remove_token)
    app.add_typer(token, name="token")
    webhook = typer.Typer(no_args_is_help=True, help="MLflow's webhooks, which call the service.")
    webhook.command("register", epilog=REGISTER)(register_webhook)
    webhook.command("list", epilog=HOOKS)(list_webhooks)
    webhook.command("remove", epilog=UNREGISTER)(remove_webhook)
    app.add_typer(webhook, name="webhook")


def gate(
    ref: Ref,
    *,
    wait: Annotated[
        str, typer.Option(metavar="TIME", help="How long to wait for the verdict, such as 90s.")
    ] = "15m",
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="The service. Default: as configured.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; else the variable AUDITOR_TOKEN.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Worst verdict that is let through is below this one.")
    ] = FailOn.BLOCK,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what the service said, as JSON, and only that.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Ask the running service for the verdict on a version, and wait for it."""
    from auditor.config.units import asked, duration
    from auditor.gate import Waiting
    from auditor.gate import gate as waited

    seconds = asked(wait, "--wait", duration) or 0.0
    service = _service(server, token_file, config)
    with progress(f"waiting for {printable(ref)}") as show:

        def tell(found: "Standing", passed: float) -> None:
            show(int(passed), int(seconds), f"{ref} is {found.state}")

        found = waited(service, ref, Waiting(seconds, tell))
    verdict = found.verdict or ""
    if as_json:
        out_json(found.given)
    else:
        name = f"{found.model} {found.version}"
        out(printable(f"{verdict} {name}: {found.reason}", 1000))
        if found.decision:
            out(printable(f"  {found.decision.sentence}", 1000))
        out(f"  {printable(service.place + (found.report or ''), 1000)}")
    raise typer.Exit(exit_code(verdict, fail_on))


def add_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is for.", show_default=False)],
    *,
    role: Annotated[
        str,
        typer.Option(
            help="read, enqueue (also asks for audits), decide (also accepts) or admin (all)."
        ),
    ],
    file: TokensFile = None,
    config: ConfigFile = None,
) -> None:
    """Make a token and print it, once: only its digest is kept."""
    from auditor.app import now
    from auditor.web import tokens

    out(tokens.add(_tokens(file, config), name, tokens.role(role), now()))


def list_tokens(*, file: TokensFile = None, config: ConfigFile = None) -> None:
    """Say who has a token, with which role, since when."""
    from auditor.web import tokens

    for token in tokens.listed(_tokens(file, config)):
        out(f"{token.name}  {token.role.name.lower()}  {token.created:%Y-%m-%d}")


def remove_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who had it.", show_default=False)],
    *,
    file: TokensFile = None,
    config: ConfigFile = None,
) -> None:
    """Forget a token; a running service refuses it at once."""
    from auditor.web import tokens

    tokens.remove(_tokens(file, config), name)
    out(printable(f"removed {name}"))


def register_webhook(
    *,
    url: Annotated[
        str | None,
        typer.Option(help="This service, as MLflow's server reaches it. Default: by server.url."),
    ] = None,
    source: SourceName = None,
    config: ConfigFile = None,
) -> None:
    """Let MLflow tell the service of new versions; update the webhook where there is one."""
    from auditor.errors import SourceError, UsageError
    from auditor.web.registering import PATH, needed
    from auditor.web.registering import register as registered

    settings = required(config)
    own = settings.server.url
    address = url or (own.rstrip("/") + PATH if own else None)
    if address is None:
        raise UsageError(f"give --url https://…{PATH}, or set server.url in config.yaml")
    found = list(registered(_mlflow(settings, source), address))
    for one in found:
        did = "registered" if one.is_new else "updated"
        out(printable(f"{did} webhook {one.webhook.id} to {one.webhook.url}", 1000))
    out("It needs, besides a service that runs:")
    for setting in needed(address):
        out(f"  {setting}")
    for one in found:
        if one.failure is not None:
            raise SourceError(f"the delivery on trial did not arrive: {one.failure}")
    out("The delivery on trial arrived.")


def list_webhooks(*, source: SourceName = None, config: ConfigFile = None) -> None:
    """Say which webhooks the registry has."""
    from auditor.web.registering import webhooks

    for hook in webhooks(_mlflow(required(config), source)):
        state = "active" if hook.is_active else "disabled"
        line = f"{hook.id}  {hook.name}  {state}  {' '.join(hook.events)}  {hook.url}"
        line = f"{line}  in {hook.workspace}" if hook.workspace else line
        out(printable(line, 1000))


def remove_webhook(
    webhook_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="As auditor webhook list shows it.", show_default=False),
    ],
    *,
    source: SourceName = None,
    config: ConfigFile = None,
) -> None:
    """Remove a webhook from the registry."""
    from auditor.web.registering import remove

    remove(_mlflow(required(config), source), webhook_id)
    out(printable(f"removed webhook {webhook_id}"))


def _tokens(file: Path | None, config: Path | None) -> Path:
    """The file of tokens: named, or configured."""
    from auditor.errors import UsageError

    found = file or optional(config).server.tokens
    if found is None:
        raise UsageError("which file? give --file, or set server.tokens in config.yaml")
    return found


def _service(server: str | None, token_file: Path | None, config: Path | None) -> "Service":
    from auditor.errors import UsageError
    from auditor.gate import Service

    text = os.environ.get(TOKEN, "")
    if token_file is not None:
        try:
            text = token_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{token_file}: the token cannot be read: {error}") from error
    if not (text.strip().isascii() and text.strip().isprintable()):
        raise UsageError("the token has letters that no token has; see auditor token add")
    return Service(server or optional(config).server.address, text.strip() or None)


def _mlflow(config: "Config", name: str | None) -> "Mlflow":
    """The MLflow source of a name, or the only one."""
    from auditor.config import parts
    from auditor.errors import UsageError
    from auditor.sources.mlflow import Mlflow

    found = {one.name: one for one in parts(config).sources if isinstance(one, Mlflow)}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name is None or name not in found:
        names = ", ".join(found) or "none"
        raise UsageError(f"name the MLflow source with --source; there are: {names}")
    return found[name]
