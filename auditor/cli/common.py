"""Options that commands share, how they show progress, and how they print."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from auditor.config import Config
    from auditor.wall.jobs import Progress

DEFAULT = Path("config.yaml")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; config.yaml where it exists."),
]
Ref = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="A path, models:/name/3, models:/name@alias, runs:/run/path or hf://org/name.",
        show_default=False,
    ),
]


def required(path: Path | None) -> "Config":
    """The configuration a service runs by; it has to be there."""
    from auditor.config import load

    return load(regular(path or DEFAULT))


def optional(path: Path | None) -> "Config":
    """The configuration, or the defaults where none was named and there is no config.yaml."""
    from auditor.config import Config, Plugin, load

    if path or DEFAULT.is_file():
        return load(regular(path or DEFAULT))
    return Config(sources=(Plugin("folder", {"root": "models"}),), sinks=(Plugin("files"),))


def regular(path: Path) -> Path:
    """The path itself, unless it is a pipe or a device: reading those may never end.

    Raises
    ------
    UsageError
        If it is one, or nothing can be there.
    """
    from auditor.sources.folder import must_be_plain

    must_be_plain(path, "a file")
    return path


def chosen_formats(text: str) -> tuple[str, ...]:
    """The report formats in a list with commas, each once.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    from auditor.errors import UsageError
    from auditor.render import FORMATS

    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for fmt in found:
        if fmt not in FORMATS:
            raise UsageError(f"--format {fmt}: no such format; there are: {', '.join(FORMATS)}")
    return found


@contextmanager
def progress(what: str) -> Iterator["Progress"]:
    """Show progress on a terminal's stderr; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        from auditor.wall.jobs import quiet

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
    """Write a line to stdout.

    A reader that went away, as ``head`` does, has seen enough: the rest is dropped, and the
    exit code stays what it is.

    Raises
    ------
    SinkError
        If stdout takes nothing more.
    """
    from auditor.errors import SinkError

    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        raise SinkError(f"stdout takes nothing more: {error.strerror}; free some space") from error


def out_json(value: object) -> None:
    """Write one JSON document to stdout; escaped where the terminal's encoding has no UTF-8."""
    from auditor.render.text import json_text

    if sys.stdout.encoding.lower().replace("-", "") == "utf8":
        out(json_text(value, indent=1))
    else:
        out(json.dumps(value, allow_nan=False, indent=1))


def prepare_streams() -> None:
    """Make stdout and stderr take any text, also where they are closed or know ASCII only."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: >&-
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        else:
            stream.reconfigure(errors="backslashreplace")


def _drop_stdout() -> None:
    """Let what is still buffered go nowhere, so that nothing fails again when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
