"""How names are put in order, and chosen by patterns."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

LONGEST = 200  # letters of a name in a sentence; names come from strangers
Natural = tuple[tuple[str | tuple[int, str], ...], ...]


def natural(name: str) -> Natural:
    """Sort key that takes runs of digits as numbers, one dotted part after the other.

    Text and numbers take turns, so that like is compared with like. A number is its digits
    without leading zeros, shorter first: numbers of any length compare without being
    converted.

    Examples
    --------
    >>> sorted(["h.10", "h.9", "h.9a", "v10", "v9"], key=natural)
    ['h.9', 'h.9a', 'h.10', 'v9', 'v10']
    """
    return tuple(_pieces(part) for part in name.split("."))


def is_chosen(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits one of the patterns and none of those that begin with ``!``.

    With no pattern but those every other name fits. Upper and lower case are two letters.

    Examples
    --------
    >>> [n for n in ("digits", "digits-old", "faces") if is_chosen(n, ("digits*", "!*-old"))]
    ['digits']
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return _matches(name, wanted) and not _matches(name, unwanted)


def listed(names: Sequence[str], shown: int = 5) -> str:
    """The first of some names, and how many more there are; no name at any length.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], shown=2)
    ('a, b, c', 'a, b and 1 more')
    """
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(name[:LONGEST] for name in names[:shown]) + more


def module(name: str) -> str:
    """What a layer is, wherever it stands.

    Examples
    --------
    >>> module("h.11.mlp.c_fc.weight")
    'h.#.mlp.c_fc.weight'
    """
    return re.sub(r"[0-9]+", "#", name)


def fits_model(series: str, pattern: str) -> bool:
    """Whether a pattern names a model, given as ``source:name``, with its source or without.

    Examples
    --------
    >>> fits_model("mlflow:digits", "dig*"), fits_model("mlflow:digits", "hub:*")
    (True, False)
    """
    return fnmatchcase(series, pattern) or fnmatchcase(series.partition(":")[2], pattern)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _pieces(part: str) -> tuple[str | tuple[int, str], ...]:
    pieces: list[str | tuple[int, str]] = []
    for i, piece in enumerate(re.split(r"([0-9]+)", part)):
        digits = piece.lstrip("0")
        pieces.append((len(digits), digits) if i % 2 else piece)
    return tuple(pieces)
