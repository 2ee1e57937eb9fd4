"""Command line: parse, call one function, print. No logic lives here.

To add a command: write a function in the file of its family and register it in that file's
``register``. What it needs is imported inside the function, so that ``--help`` stays fast.
"""

import logging
import sys
from typing import Annotated

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from auditor import __version__, logs
from auditor.cli import (
    auditing,
    comparing,
    database,
    deciding,
    explaining,
    history,
    hooking,
    inspecting,
    policy,
    profiling,
    relating,
    replaying,
    seeing,
    serving,
    setting_up,
    telling,
    watching,
    web,
)
from auditor.cli.common import out, prepare_streams, printable
from auditor.errors import AuditorError, ConfigError, WorkerError
from auditor.logs import Form

USAGE = 2
INCOMPLETE = 3
INTERRUPTED = 130

app = typer.Typer(
    name="auditor",
    help="Audit the weight spectra of every new model version.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
FAMILIES = (
    auditing,
    hooking,
    inspecting,
    comparing,
    relating,
    history,
    watching,
    serving,
    seeing,
    deciding,
    setting_up,
    explaining,
    policy,
    replaying,
    profiling,
    database,
    web,
    telling,
)
for family in FAMILIES:
    family.register(app)


def _tell_version(asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    if asked:
        out(f"auditor {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[  # noqa: ARG001 - its callback acts
        bool,
        typer.Option("--version", is_eager=True, callback=_tell_version, help="Say which it is."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens, to stderr.")
    ] = False,
    log: Annotated[
        Form,
        typer.Option(
            "--log",
            envvar="AUDITOR_LOG",
            help="How lines are logged: text, json, or auto: text on a terminal.",
        ),
    ] = "auto",
) -> None:
    logs.set_up(logging.INFO if verbose else logging.ERROR, log)


def main() -> None:
    """Run a command; whatever goes wrong on purpose is one line on stderr and exit code 2.

    Or 3, where a version was there and the process that read it ended early.
    """
    prepare_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Exit code of a command line."""
    try:
        code: object = app(arguments, standalone_mode=False, prog_name="auditor")
    except (AuditorError, ClickException) as error:
        sys.stderr.write(_line(error) + "\n")
        return INCOMPLETE if isinstance(error, WorkerError) else USAGE
    except typer.Exit as end:
        code = end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer makes an exit code of most interrupts itself
        sys.stderr.write("auditor: interrupted; what was finished is kept\n")
    return code if isinstance(code, int) else 0


def _line(error: AuditorError | ClickException) -> str:
    """What was found and what to do; of a configuration, a line for each problem."""
    if isinstance(error, ConfigError):
        return "\n".join(f"auditor: {printable(line, 2000)}" for line in str(error).splitlines())
    if isinstance(error, AuditorError):
        return f"auditor: {printable(str(error), 2000)}"
    return _usage(error)


def _usage(error: ClickException) -> str:
    """What is wrong with the words of the command; its help where there were none."""
    if isinstance(error, NoArgsIsHelpError):
        return error.format_message()
    said = error.format_message().replace(": Value error, ", ": ")  # pydantic's words, not ours
    message = printable(said.rstrip("."))
    if isinstance(error, UsageError) and error.ctx:
        where = error.ctx.command_path
        return f"{where}: {message}. See {where} --help."
    return f"auditor: {message}."
