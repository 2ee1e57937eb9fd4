"""Options that commands share, and how they show progress."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from auditor.config import Config
    from auditor.measuring import Progress

DEFAULT = Path("config.yaml")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; config.yaml where it exists."),
]
Ref = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="A path, models:/name/3, models:/name@alias or runs:/run/path.",
        show_default=False,
    ),
]


def required(path: Path | None) -> "Config":
    """The configuration a service runs by; it has to be there."""
    from auditor.config import load

    return load(path or DEFAULT)


def optional(path: Path | None) -> "Config":
    """The configuration, or the defaults where none was named and there is no config.yaml."""
    from auditor.config import Config, Plugin, load

    if path or DEFAULT.is_file():
        return load(path or DEFAULT)
    return Config(sources=(Plugin("folder", {"root": "models"}),), sinks=(Plugin("files"),))


@contextmanager
def progress(what: str) -> Iterator["Progress"]:
    """Show progress on a terminal's stderr; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        from auditor.measuring import quiet

        yield quiet
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=escape(printable(name)))

        yield show


def printable(text: str, longest: int = 300) -> str:
    """Hostile text for a terminal: no control characters, no line ends, not too long."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def out(text: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(text + "\n")
