"""One weight file of a version, read as far as the names and places of its tensors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from auditor.records import FileRecord, Skip
from auditor.weights.formats import Contents

PARALLEL = "module."  # what torch.nn.DataParallel puts before every name
TIED = "tied to "


@dataclass(frozen=True, slots=True)
class Part:
    """One weight file, read as far as its tensors' names and places."""

    record: FileRecord
    rank: int  # position of its format in the table of readers: the smaller is preferred
    contents: Contents

    @property
    def name(self) -> str:
        """The file's name."""
        return self.record.name

    @property
    def folder(self) -> PurePosixPath:
        """The folder it is in."""
        return PurePosixPath(self.name).parent

    @property
    def signature(self) -> frozenset[tuple[str, tuple[int, ...]]]:
        """Name and shape of every tensor."""
        return frozenset((tensor.name, tensor.shape) for tensor in self.contents.tensors)

    def renamed(self, rename: Callable[[str], str]) -> "Part":
        """The same part with other names, also where a skip speaks of one."""

        def renamed_skip(skip: Skip) -> Skip:
            tied, _, first = skip.reason.partition(TIED)
            reason = skip.reason if tied else f"{TIED}{rename(first)}"
            return replace(skip, name=rename(skip.name), reason=reason)

        contents = replace(
            self.contents,
            tensors=tuple(replace(t, name=rename(t.name)) for t in self.contents.tensors),
            skipped=tuple(renamed_skip(skip) for skip in self.contents.skipped),
        )
        return replace(self, contents=contents)

    def without_prefix(self) -> "Part":
        """The same without what a wrapper for several processors put before every name."""
        names = [tensor.name for tensor in self.contents.tensors]
        if names and all(name.startswith(PARALLEL) and name != PARALLEL for name in names):
            return self.renamed(lambda name: name.removeprefix(PARALLEL))
        return self

    def in_component(self, pipelines: frozenset[PurePosixPath]) -> "Part":
        """The same with the component it is, ``unet.``, before every name.

        Parameters
        ----------
        pipelines
            Folders whose sub-folders are parts of one model.
        """
        root = next((folder for folder in self.folder.parents if folder in pipelines), None)
        if root is None:
            return self
        component = ".".join(self.folder.relative_to(root).parts)
        return self.renamed(f"{component}.{{}}".format)
