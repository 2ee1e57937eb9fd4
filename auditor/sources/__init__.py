"""Where versions come from.

To add a source: create ``sources/<kind>.py`` with a frozen dataclass ``<Kind>`` that has
the methods of `Source`. Its fields are its settings in config.yaml. The contract suite in
``tests/contracts/test_sources.py`` finds it by itself; say there how to fill it.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol

from auditor.records import (
    NOTHING,
    Change,
    Known,
    ModelVersion,
    Priority,
    Rhythm,
    SourceFile,
)


class Finder(Protocol):
    """A place where versions are found by the names people give them."""

    @property
    def name(self) -> str:
        """The name it goes by in version ids, logs and the ledger."""

    def resolve(self, ref: str, of: ModelVersion | None) -> ModelVersion | None:
        """Find the version a reference names; None where there is no such version.

        Parameters
        ----------
        ref
            ``models:/digits/3``, a path, and, given `of`: ``previous`` (the newest
            version of the same model made before `of`), ``alias:champion``.
        of
            The version the reference is relative to.
        """

    def files(self, version: ModelVersion) -> Sequence[SourceFile]:
        """Every file of a version, with name and size known before a byte is read.

        Raises
        ------
        GoneError
            If the version was deleted.
        RefusedError
            If it lies where this installation may not fetch from.
        SourceError
            If the files cannot be listed now.
        """


class Source(Finder, Protocol):
    """A place that also tells which versions are new."""

    usual: ClassVar[Rhythm]  # when it is looked at, unless config.yaml says otherwise
    priority: ClassVar[Priority]  # of what is found in it

    @property
    def history(self) -> int | None:
        """How many of the newest versions of a model new to it are audited; None: all."""

    def changes(self, cursor: str | None, known: Known = NOTHING) -> Iterator[Change]:
        """What may have changed since `cursor`; everything there is for None.

        Cheap: no weights are touched. A version may be reported again, never left out; the
        versions of a model come oldest first. What came before a `Reached` can be noted, and
        the look be continued from there; the last change is a `Reached`.

        Parameters
        ----------
        cursor
            Of the last `Reached` that was noted.
        known
            What was noted before, where a source tells what is gone or renamed.

        Raises
        ------
        SourceError
            If the place cannot be reached; the caller tries again at the next sweep. One
            model that cannot be looked at is a `Trouble` and does not hide the others.
        """

    def look(self, model: str, known: Known = NOTHING) -> Iterator[Change]:
        """What there is to tell of one model now, for hints such as webhooks; no `Reached`.

        A hint is anybody's guess: of a model that is not watched, nothing is told.

        Raises
        ------
        SourceError
            As `changes`.
        """
