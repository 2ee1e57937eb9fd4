"""The tensors of all files of a version together: shards, copies, components, clashing names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from auditor.naming import natural
from auditor.records import FileFailure, FileRecord, Module, Reading, Skip, SourceFile
from auditor.weights.choosing import LeftOut
from auditor.weights.copies import copies
from auditor.weights.parts import Part
from auditor.weights.shards import disagreements, missing_shards
from auditor.weights.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every tensor of a version, and the account of what was left out."""

    tensors: tuple[Tensor, ...]
    skipped: tuple[Skip, ...]
    reading: Reading
    configs: Mapping[str, bytes] = field(default_factory=dict)  # JSON files, by their name
    modules: Mapping[str, Module] = field(default_factory=dict)  # of a model that is an object


def merge(
    parts: Sequence[Part],
    indices: Sequence[SourceFile] = (),
    beside: Sequence[FileRecord] = (),
    left_out: Sequence[LeftOut] = (),
    pipelines: frozenset[PurePosixPath] = frozenset(),
) -> Inventory:
    """Put the files of a version together, in the order of their names.

    A file that holds a model again is left out as a copy. In a folder of components their
    names get the component's name in front; where two files use one name, the later file's
    names get the file's name in front.

    Parameters
    ----------
    parts
        Every file that was opened.
    indices
        What says which tensor lies in which file.
    beside
        Files that hold values of the parts' tensors and none of their own.
    left_out
        What the names of files tell to be copies, opened or not.
    pipelines
        Folders whose sub-folders are components of one model.
    """
    by_name = sorted(parts, key=lambda part: natural(part.name))
    plain = [part.without_prefix().in_component(pipelines) for part in by_name]
    skips = _copies(plain, left_out, pipelines)
    contents = {part.name: part.contents for part in parts}
    kept = _with_distinct_names([part for part in plain if part.name not in skips])
    unopened = {left.file.name for left in left_out} - contents.keys()
    failures = [
        *(_failure(part) for part in plain if part.contents.failure),
        *missing_shards([part.name for part in parts]),
        *(found for index in indices for found in disagreements(index, contents, unopened)),
    ]
    records = sorted((*(part.record for part in plain), *beside), key=lambda r: natural(r.name))
    tensors = tuple(tensor for part in kept for tensor in part.contents.tensors)
    return Inventory(
        tensors=tensors,
        skipped=(
            *(skip for part in kept for skip in part.contents.skipped),
            *skips.values(),
        ),
        reading=Reading(
            files=tuple(records),
            bytes_read=_bytes_read(records, tensors),
            failures=tuple(failures),
            globals=tuple(name for part in plain for name in part.contents.globals),
        ),
    )


def _copies(
    parts: Sequence[Part], left_out: Sequence[LeftOut], pipelines: frozenset[PurePosixPath]
) -> dict[str, Skip]:
    """The account of the files that hold again what others hold, by name.

    One that was opened although its name tells that it is a copy has to be one: what it
    alone holds is part of the model.
    """
    opened = {part.name: part for part in parts}
    by_name = {left.file.name: left for left in left_out}
    others = [part for part in parts if part.name not in by_name]
    known = frozenset[tuple[str, tuple[int, ...]]]().union(*(part.signature for part in others))
    skips = {
        name: left.skip
        for name, left in by_name.items()
        if name not in opened or opened[name].signature <= known
    }
    rest = [part for part in parts if part.name not in skips]
    return skips | {name: Skip(name, (), why) for name, why in copies(rest, pipelines).items()}


def _bytes_read(records: Iterable[FileRecord], tensors: Iterable[Tensor]) -> int:
    """Of files that are held against their digests all, of the others what their tensors take."""
    whole = {record.name: record.size for record in records if record.verified}
    parts = (
        tensor.nbytes if tensor.stored is None else tensor.stored
        for tensor in tensors
        if tensor.file not in whole
    )
    return sum(whole.values()) + sum(parts)


def _failure(part: Part) -> FileFailure:
    dangerous = any(named.dangerous for named in part.contents.globals)
    return FileFailure(part.name, part.contents.failure, dangerous=dangerous)


def _with_distinct_names(parts: Iterable[Part]) -> list[Part]:
    taken: set[str] = set()
    result = []
    for part in parts:
        names = [tensor.name for tensor in part.contents.tensors]
        fresh = part
        if taken.intersection(names):
            fresh = part.renamed(partial("{}:{}".format, part.name))
        taken.update(tensor.name for tensor in fresh.contents.tensors)
        result.append(fresh)
    return result
