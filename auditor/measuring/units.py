"""What is measured together: a tensor, one with its scale, or the two factors of an adapter."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.architecture import Architecture
from auditor.measuring.adapters import adapted, factors_of
from auditor.measuring.quantised import quantised
from auditor.measuring.unit import Unit, plain, skipped
from auditor.naming import is_chosen
from auditor.records import Skip
from auditor.weights import Tensor

UNSELECTED = "not selected"
PART = re.compile(r"\[(?:[0-9]+|[qkv])\]$")  # behind the name of a tensor shown in parts
COMPARED = 2000  # names that a pattern without a match is held against


def units_of(
    tensors: Sequence[Tensor], architecture: Architecture, baseline: Iterable[Unit] = ()
) -> list[Unit]:
    """What to measure of a model's tensors: every tensor in one unit.

    Parameters
    ----------
    tensors
        All of them, each name once.
    architecture
        What is known of the model.
    baseline
        The weights that adapters may have been made for, where `tensors` does not hold them.
    """
    return list(_grouped({tensor.name: tensor for tensor in tensors}, architecture, baseline))


def chosen(units: Iterable[Unit], patterns: Sequence[str]) -> tuple[list[Unit], list[Skip]]:
    """The units that are asked for, and the account of the others.

    Parameters
    ----------
    units
        From `units_of`.
    patterns
        Of the names of tensors or layers that are wanted; none: all.
    """
    if not patterns:
        return list(units), []
    wanted, skips = [], []
    for unit in units:
        names = (unit.name, *(tensor.name for tensor in unit.tensors))
        if any(is_chosen(name, patterns) for name in names):
            wanted.append(unit)
        else:
            skips += [skipped(tensor, UNSELECTED) for tensor in unit.tensors]
    return wanted, skips


def is_wanted(name: str, patterns: Sequence[str]) -> bool:
    """Whether a layer, or the tensor it is a part of, is asked for."""
    return is_chosen(name, patterns) or is_chosen(PART.sub("", name), patterns)


def selected(skip: Skip, patterns: Sequence[str]) -> Skip:
    """The account of a tensor, which is short if nobody asked for it."""
    if not patterns or not skip.is_matrix or is_chosen(skip.name, patterns):
        return skip
    return Skip(skip.name, skip.shape, UNSELECTED, skip.dtype)


def no_match(names: Sequence[str], patterns: Sequence[str]) -> str:
    """The sentence for patterns that no name fits, with the names nearest to the first."""
    known = [name[:80] for name in names[:COMPARED]]
    near = difflib.get_close_matches(patterns[0].lstrip("!"), known, n=3, cutoff=0.0)
    asked, shown = ", ".join(patterns), ", ".join(near)
    return f"no layer is called as {asked} asks; among the {len(names)} names there are {shown}"


def _grouped(
    tensors: Mapping[str, Tensor], architecture: Architecture, baseline: Iterable[Unit]
) -> Iterator[Unit]:
    pairs = factors_of(tensors, architecture)
    factors = {tensor.name for pair in pairs for tensor in pair.tensors}
    others = {name: tensor for name, tensor in tensors.items() if name not in factors}
    weights = {unit.name: unit for unit in _weights(others, architecture)}
    used: set[str] = set()
    for unit in adapted(pairs, weights, baseline) if pairs else ():
        used |= {tensor.name for tensor in unit.tensors}
        yield unit
    for unit in weights.values():
        if not used.intersection(tensor.name for tensor in unit.tensors):
            yield unit


def _weights(tensors: Mapping[str, Tensor], architecture: Architecture) -> Iterator[Unit]:
    """Quantised ones with all that lies beside them, and every tensor that is none of those."""
    used: set[str] = set()
    for unit in quantised(tensors, architecture):
        names = {tensor.name for tensor in unit.tensors}
        if not used & names and (unit.name in names or unit.name not in used | tensors.keys()):
            used |= {unit.name, *names}
            yield unit
    for name, tensor in tensors.items():
        if name not in used:
            yield plain(tensor, architecture.modules.get(name))
