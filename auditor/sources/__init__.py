"""Where versions come from.

To add a source: create ``sources/<kind>.py`` with a frozen dataclass ``<Kind>`` that has
the methods of `Source`. Its fields are its settings in config.yaml. The contract suite in
``tests/contracts/test_sources.py`` finds it by itself; say there how to fill it.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from auditor.records import ModelVersion, Seen, SourceFile


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

    @property
    def history(self) -> int | None:
        """How many of the newest versions of a model new to it are audited; None: all."""

    def changes(self, cursor: str | None) -> Iterator[Seen]:
        """Versions that may be new since `cursor`, oldest first; all of them for None.

        Cheap: no weights are touched. A version may be reported again, never left out.

        Raises
        ------
        SourceError
            If the place cannot be reached; the caller tries again at the next sweep.
        """
