"""The tensors of all files of a version together: shards, copies, clashing names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

from auditor.naming import natural
from auditor.records import FileFailure, FileRecord, Module, Reading, Skip, SourceFile
from auditor.weights.formats import Contents
from auditor.weights.shards import disagreements, missing_shards
from auditor.weights.tensors import Tensor

PARALLEL = "module."  # what torch.nn.DataParallel puts before every name


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every tensor of a version, and the account of what was left out."""

    tensors: tuple[Tensor, ...]
    skipped: tuple[Skip, ...]
    reading: Reading
    configs: Mapping[str, bytes] = field(default_factory=dict)  # JSON files, by their name
    modules: Mapping[str, Module] = field(default_factory=dict)  # of a model that is an object


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


def merge(
    parts: Sequence[Part], indices: Sequence[SourceFile], beside: Sequence[FileRecord] = ()
) -> Inventory:
    """Put the files of a version together, in the order of their names.

    The files `beside` hold values of the parts' tensors and none of their own.

    A file whose tensors all lie in a better format beside it is left out as a copy. Where
    two files use one name, the later file's names get the file's name in front.
    """
    plain = [_without_prefix(part) for part in sorted(parts, key=lambda p: natural(p.name))]
    copies = {part.name: other for part in plain if (other := _original(part, plain))}
    contents = {part.name: part.contents for part in parts}
    kept = _with_distinct_names([part for part in plain if part.name not in copies])
    failures = [
        *(_failure(part) for part in plain if part.contents.failure),
        *missing_shards([part.name for part in parts]),
        *(failure for index in indices for failure in disagreements(index, contents)),
    ]
    records = sorted((*(part.record for part in plain), *beside), key=lambda r: natural(r.name))
    return Inventory(
        tensors=tuple(tensor for part in kept for tensor in part.contents.tensors),
        skipped=(
            *(skip for part in kept for skip in part.contents.skipped),
            *(_copy(name, original) for name, original in copies.items()),
        ),
        reading=Reading(
            files=tuple(records),
            bytes_read=sum(record.size for record in records),
            failures=tuple(failures),
            globals=tuple(name for part in plain for name in part.contents.globals),
        ),
    )


def _failure(part: Part) -> FileFailure:
    dangerous = any(named.dangerous for named in part.contents.globals)
    return FileFailure(part.name, part.contents.failure, dangerous=dangerous)


def _without_prefix(part: Part) -> Part:
    names = [tensor.name for tensor in part.contents.tensors]
    if names and all(name.startswith(PARALLEL) and name != PARALLEL for name in names):
        return _renamed(part, lambda name: name.removeprefix(PARALLEL))
    return part


def _renamed(part: Part, rename: Callable[[str], str]) -> Part:
    """The same part with other names, also where a skip speaks of one."""

    def renamed_skip(skip: Skip) -> Skip:
        tied, _, first = skip.reason.partition("tied to ")
        reason = skip.reason if tied else f"tied to {rename(first)}"
        return replace(skip, name=rename(skip.name), reason=reason)

    contents = replace(
        part.contents,
        tensors=tuple(replace(t, name=rename(t.name)) for t in part.contents.tensors),
        skipped=tuple(renamed_skip(skip) for skip in part.contents.skipped),
    )
    return replace(part, contents=contents)


def _original(part: Part, parts: Iterable[Part]) -> str:
    """The file in a better format, in the same folder, that has all of a file's tensors."""
    better = [p for p in parts if p.folder == part.folder and p.rank < part.rank]
    known = frozenset[tuple[str, tuple[int, ...]]]().union(*(p.signature for p in better))
    if not part.signature or not part.signature <= known:
        return ""
    return next(p.name for p in better if p.signature & part.signature)


def _copy(name: str, original: str) -> Skip:
    return Skip(name, (), f"a copy, by names and shapes, of what {original} holds", read=False)


def _with_distinct_names(parts: Iterable[Part]) -> list[Part]:
    taken: set[str] = set()
    result = []
    for part in parts:
        names = [tensor.name for tensor in part.contents.tensors]
        fresh = part
        if taken.intersection(names):
            fresh = _renamed(part, partial("{}:{}".format, part.name))
        taken.update(tensor.name for tensor in fresh.contents.tensors)
        result.append(fresh)
    return result
