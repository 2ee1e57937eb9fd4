"""``serve``, and what a person tells the service: ``pause``, ``resume``, ``run``, ``retry``."""

import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import Annotated

import typer

from auditor.cli.common import ConfigFile, out, printable, required

GRACE = 29.0  # seconds; whoever sent the signal kills the process after thirty
SERVE = """
It looks at every source in its rhythm, audits what is new, delivers, tells people, and answers
on server.host and server.port. Several may share a ledger: all audit, one leads. SIGTERM or
Ctrl-C ends it within half a minute, and nothing is lost; a second one ends it at once.

Exit code: 0 told to end, 2 the configuration is wrong or the address is in use.

\b
Examples:
  auditor serve
  auditor serve --config /etc/auditor/config.yaml --port 9000
  auditor --log json serve --no-web
"""
PAUSE = """
\b
Example:
  auditor pause mlflow
"""
RESUME = """
\b
Example:
  auditor resume mlflow
"""
RUN = """
\b
Examples:
  auditor run mlflow
  auditor run --all
"""
RETRY = """
\b
Examples:
  auditor retry models:/digits/3
  auditor retry --source mlflow
  auditor retry --all
"""
SourceName = Annotated[str, typer.Argument(help="Name of a source in config.yaml.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("serve", epilog=SERVE)(serve)
    app.command("pause", epilog=PAUSE)(pause)
    app.command("resume", epilog=RESUME)(resume)
    app.command("run", epilog=RUN)(run)
    app.command("retry", epilog=RETRY)(retry)


def serve(
    *,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Listen here instead of server.port; 0: any."),
    ] = None,
    web: Annotated[bool, typer.Option("--web/--no-web", help="Answer requests.")] = True,
    config: ConfigFile = None,
) -> None:
    """Watch the sources, audit, deliver and answer, until told to end."""
    from auditor import logs
    from auditor.service import serve as run_service

    logs.louder(logging.INFO)
    settings = required(config)
    if port is not None:
        server = settings.server.model_copy(update={"port": port})
        settings = settings.model_copy(update={"server": server})
    run_service(settings, _told_to_end(), _ready, web=web)
    _leave(0)


def pause(source: SourceName, *, config: ConfigFile = None) -> None:
    """Leave a source out of the schedule; what waits is audited all the same."""
    from auditor.steering import pause as change

    change(required(config), source, paused=True)
    out(printable(f"{source} is paused; auditor resume {source} ends that"))


def resume(source: SourceName, *, config: ConfigFile = None) -> None:
    """Look at a source as scheduled again."""
    from auditor.steering import pause as change

    change(required(config), source, paused=False)
    out(printable(f"{source} is looked at as scheduled"))


def run(
    source: Annotated[str | None, typer.Argument(help="Name of a source in config.yaml.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every source.")] = False,
    config: ConfigFile = None,
) -> None:
    """Have a source looked at now, by the service, paused or not."""
    from auditor.steering import ask

    if (source is None) is not everything:
        raise typer.BadParameter("name a source, or give --all", param_hint="SOURCE")
    settings = required(config)
    for name in ask(settings, source):
        out(printable(f"{name}: asked for a look{_when(config)}"))


def retry(
    ref: Annotated[
        str | None, typer.Argument(metavar="REF", help="A version, as auditor status names it.")
    ] = None,
    *,
    source: Annotated[str | None, typer.Option(help="All of this source.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    config: ConfigFile = None,
) -> None:
    """Let versions in quarantine be tried again, their attempts forgotten."""
    from auditor.steering import retry as change

    if sum((ref is not None, source is not None, everything)) != 1:
        raise typer.BadParameter("give one of REF, --source and --all", param_hint="REF")
    count = change(required(config), ref, source)
    versions = "1 version waits" if count == 1 else f"{count} versions wait"
    out(f"{versions} for another audit{_when(config)}")


def _when(config: ConfigFile) -> str:
    from auditor.steering import is_served

    if is_served(required(config)):
        return "; the service begins within seconds"
    return "; no service seems to be running: auditor once does it, or auditor serve"


def _ready(address: str) -> None:
    where = f"listening on {address}" if address else "running without a web door"
    typer.echo(f"auditor: {where}", err=True)


def _told_to_end() -> threading.Event:
    """Set at the first signal that asks the program to end; a second one ends it at once."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        late = threading.Timer(GRACE, os._exit, (0,))
        late.daemon = True
        late.start()
        threading.Thread(target=stop.set).start()  # the main thread may be holding its lock

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return stop


def _leave(code: int) -> None:
    """End without waiting for what hangs: a transfer, a sink; it is made again next time."""
    if any(not thread.daemon for thread in threading.enumerate()[1:]):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
