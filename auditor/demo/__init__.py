"""The demo: six versions of a digit classifier, audited as any other registry would be.

The versions are trained here, registered in an MLflow registry of their own, and audited by
the line that ships under the policy `recommended`. Nothing here knows what verdict a story
gets.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from auditor.app import assemble
from auditor.config import load
from auditor.demo import registry
from auditor.demo.folder import prepare
from auditor.demo.shown import Outcome, Version, show
from auditor.demo.stories import STORIES, Story, Workshop, epochs
from auditor.demo.training import accuracy
from auditor.document import Document
from auditor.errors import SourceError
from auditor.pipeline import App, once
from auditor.sinks.files import Files

LAYERS = 3  # that an audit of a version measures


def run(
    out: Path, seed: int, stories: Sequence[Story] = STORIES, console: Console | None = None
) -> list[Outcome]:
    """Train the stories' versions, register them, audit them, and show what came out.

    Parameters
    ----------
    out
        A folder that is new, empty, or of an earlier demo, whose content is removed.
    seed
        Decides the initial weights and the shuffling of every version.
    stories
        One for each version, in the order they are registered; the first one is given the
        alias `champion`, so that the others are compared with it.
    console
        Where to show the verdicts, and on a terminal the progress; None: show nothing.

    Returns
    -------
    One outcome for each story, in their order.

    Raises
    ------
    UsageError
        If `out` holds anything else, or scikit-learn is not installed.
    SourceError
        If a version was not audited, with the reason.
    """
    console = console or Console(quiet=True)
    config = prepare(out)
    with _progress(console, stories) as step:
        versions = _registered(config.parent, Workshop(seed, lambda: step("training")), stories)
        with assemble(load(config), lambda *at: step(f"auditing {at[-1]}")) as app:
            outcomes = _audited(versions, app)
    show(outcomes, config, console)
    return outcomes


def _registered(folder: Path, workshop: Workshop, stories: Sequence[Story]) -> list[Version]:
    digits = registry.create(folder)
    versions: list[Version] = []
    for story in stories:
        network = workshop.make(story)
        right = accuracy(network)
        number = digits.register(network, title=story.title, accuracy=right)
        if not versions:
            digits.promote(number)
        versions.append(Version(story.title, number, right))
    return versions


def _audited(versions: Sequence[Version], app: App) -> list[Outcome]:
    done = once(app)
    problems = [*done.unreachable.values(), *(why for _, why in done.attempts + done.refused)]
    if problems or len(done.audited) != len(versions):
        raise SourceError(f"the demo could not audit its versions: {'; '.join(problems)}")
    audits = {audit["model"]["version"]: audit for audit in done.audited}
    files = next(sink for sink in app.sinks.values() if isinstance(sink, Files))
    return [
        Outcome(version, audits[version.number], _html(files, audits[version.number]))
        for version in versions
    ]


def _html(files: Files, audit: Document) -> Path:
    return next(path for path in files.paths(audit) if path.suffix == ".html")


@contextmanager
def _progress(console: Console, stories: Sequence[Story]) -> Iterator[Callable[[str], None]]:
    """Show a bar on a terminal; what it gives is called with the name of each step done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    shown = console.is_terminal and not console.quiet
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        total = epochs(stories) + LAYERS * len(stories)
        task = bar.add_task("preparing the registry", total=total)
        yield lambda name: bar.update(task, description=name, advance=1)
