"""Files that hold a model once more: under other names, or beside what is preferred to them.

Names alone do not tell. Llama and Mistral are published twice, as their authors name their
tensors and as transformers does; a pipeline lies beside the single file it was made from. That
two models have the same shapes is no proof either: so do two epochs of one training.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from auditor.errors import WeightsError
from auditor.naming import Natural, natural
from auditor.weights.parts import Part
from auditor.weights.tensors import Tensor

NUMBERED = re.compile(r"-[0-9]{5}-of-[0-9]{5}$|(?<=^consolidated)\.[0-9]{2}$")  # shards
AUTHORS = "consolidated"  # stem of the files of Llama's and Mistral's authors
MOST = 0.9  # part of a single file that is found in the components of the pipeline beside it
TRIED = 16  # tensors whose values are looked for
AMONG = 1000  # tensors of one shape; the deepest model has some hundred blocks
LEAST = 16  # bytes of a tensor whose values can tell one model from another
ALIKE = 8  # different bytes of a tensor all whose values are one, as those of fresh norms are

_Kinds = Counter[tuple[tuple[int, ...], str]]


@dataclass(frozen=True)
class _Model:
    """Files of one folder whose names differ by a number only."""

    folder: PurePosixPath
    stem: str
    parts: tuple[Part, ...]

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        return tuple(tensor for part in self.parts for tensor in part.contents.tensors)

    @cached_property
    def matrices(self) -> _Kinds:
        """How many of each shape and type; sides of 1 come and go between libraries."""
        matrices = (tensor for tensor in self.tensors if len(tensor.shape) >= 2)
        return Counter((tuple(s for s in t.shape if s != 1), t.dtype) for t in matrices)

    @property
    def is_authors(self) -> bool:
        return self.stem == AUTHORS

    @property
    def order(self) -> tuple[int, bool, int, Natural]:
        """The lower, the rather it is used."""
        rank = min(part.rank for part in self.parts)
        return len(self.folder.parts), self.is_authors, rank, natural(self.parts[0].name)


def copies(parts: Sequence[Part], pipelines: frozenset[PurePosixPath]) -> dict[str, str]:
    """Name of each file that holds a model again -> why it is left out.

    Parameters
    ----------
    parts
        All files that were not left out by their names.
    pipelines
        Folders whose sub-folders are parts of one model, and never copies of one another.
    """
    found: dict[str, str] = {}
    for part in parts:
        if original := _original(part, parts):
            found[part.name] = f"a copy, by names and shapes, of what {original} holds"
    models = _models([part for part in parts if part.name not in found and part.signature])
    for one, other in (*_renamed(models, pipelines), *_whole(models, pipelines)):
        reason = f"the model of {other.parts[0].name} again, under other names"
        found |= {part.name: reason for part in one.parts}
    return found


def _original(part: Part, parts: Sequence[Part]) -> str:
    """The file in a better format, in the same folder, that has all of a file's tensors."""
    better = [p for p in parts if p.folder == part.folder and p.rank < part.rank]
    known = frozenset[tuple[str, tuple[int, ...]]]().union(*(p.signature for p in better))
    if not part.signature or not part.signature <= known:
        return ""
    return next(p.name for p in better if p.signature & part.signature)


def _models(parts: Sequence[Part]) -> list[_Model]:
    groups = defaultdict(list)
    for part in parts:
        groups[part.folder, NUMBERED.sub("", PurePosixPath(part.name).stem)].append(part)
    return [_Model(*key, tuple(members)) for key, members in groups.items()]


def _renamed(
    models: Sequence[_Model], pipelines: frozenset[PurePosixPath]
) -> Iterator[tuple[_Model, _Model]]:
    """Pairs of a model that is left out, and the one of other names that is used for it."""
    used: list[_Model] = []
    for model in sorted(models, key=lambda one: one.order):
        near = (one for one in used if _is_near(model, one, pipelines))
        other = next((one for one in near if _is_same(model, one)), None)
        if other:
            yield model, other
        else:
            used.append(model)


def _is_near(one: _Model, other: _Model, pipelines: frozenset[PurePosixPath]) -> bool:
    """Whether one lies in the other's folder, or in one below that is no component."""
    if one.folder == other.folder:
        return True
    return one.folder.parent == other.folder and other.folder not in pipelines


def _is_same(one: _Model, other: _Model) -> bool:
    if one.is_authors and not other.is_authors:
        return _have_same_size(one.matrices, other.matrices)
    if one.matrices != other.matrices or not one.matrices:
        return False
    names = [{tensor.name for tensor in model.tensors} for model in (one, other)]
    return len(names[0] & names[1]) * 2 < len(names[0]) and _share_values(one, other)


def _have_same_size(one: _Kinds, other: _Kinds) -> bool:
    """As many values of the same types; a head that is tied may be left out of one."""
    if not one or {dtype for _, dtype in one} != {dtype for _, dtype in other}:
        return False
    more = _count(one) - _count(other)
    return more in {0, max(map(_values, other))}


def _count(kinds: Mapping[tuple[tuple[int, ...], str], int]) -> int:
    return sum(_values(kind) * times for kind, times in kinds.items())


def _values(kind: tuple[tuple[int, ...], str]) -> int:
    total = 1
    for side in kind[0]:
        total *= side
    return total


def _whole(
    models: Sequence[_Model], pipelines: frozenset[PurePosixPath]
) -> Iterator[tuple[_Model, _Model]]:
    """A single file beside a pipeline that holds nearly all of its components again."""
    for root in pipelines:
        below = [model for model in models if root in model.folder.parents]
        parts = tuple(part for model in below for part in model.parts)
        whole = _Model(root, "", parts)
        for model in models if parts else ():
            if model.folder != root or not model.matrices:
                continue
            share = _count(model.matrices & whole.matrices) / max(_count(model.matrices), 1)
            if share >= MOST and _share_values(model, whole):
                yield model, whole


def _share_values(one: _Model, other: _Model) -> bool:
    """Whether the smallest tensors of the one are all in the other too, value by value."""
    places = defaultdict(list)
    for tensor in other.tensors:
        places[tensor.shape, tensor.dtype].append(tensor)
    known = (t for t in one.tensors if (t.shape, t.dtype) in places and t.nbytes >= LEAST)
    tried = sorted(known, key=lambda tensor: tensor.nbytes)[:TRIED]
    kinds = {(tensor.shape, tensor.dtype) for tensor in tried}
    try:
        there = {_digest(tensor) for kind in kinds for tensor in places[kind][:AMONG]}
        here = {_digest(tensor) for tensor in tried} - {""}
    except WeightsError:
        return False
    return bool(here) and here <= there


def _digest(tensor: Tensor) -> str:
    """Of its values; empty where all are alike, which tells no model from another."""
    data = tensor.read()
    return tensor.digest(data) if len(set(bytes(data))) > ALIKE else ""
