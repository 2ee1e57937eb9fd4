"""Command line: parse, call one function, print. No logic lives here.

To add a command: write a function in the file of its family and register it in that file's
``register``. What it needs is imported inside the function, so that ``--help`` stays fast.
"""

import logging
import sys
from typing import Annotated

import typer
from typer._click.exceptions import ClickException, UsageError

from auditor.cli import auditing, inspecting, setting_up, watching
from auditor.cli.common import printable
from auditor.errors import AuditorError

USAGE = 2
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
for family in (auditing, inspecting, watching, setting_up):
    family.register(app)


@app.callback()
def _options(
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens, to stderr.")
    ] = False,
) -> None:
    level = logging.INFO if verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def main() -> None:
    """Run a command; whatever goes wrong on purpose is one line on stderr and exit code 2."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Exit code of a command line."""
    try:
        code: object = app(arguments, standalone_mode=False, prog_name="auditor")
    except (AuditorError, ClickException) as error:
        sys.stderr.write(_line(error) + "\n")
        return USAGE
    except typer.Exit as end:
        return end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        sys.stderr.write("auditor: interrupted; what was finished is kept\n")
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _line(error: AuditorError | ClickException) -> str:
    """What was found and what to do, on as many lines as there are problems."""
    if isinstance(error, AuditorError):
        return "\n".join(f"auditor: {printable(line, 2000)}" for line in str(error).splitlines())
    if isinstance(error, UsageError) and error.ctx:
        where = error.ctx.command_path
        return f"{where}: {printable(error.format_message())} See {where} --help."
    return f"auditor: {printable(error.format_message())}"
