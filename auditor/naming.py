"""How names are put in order."""

import re

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


def _pieces(part: str) -> tuple[str | tuple[int, str], ...]:
    pieces: list[str | tuple[int, str]] = []
    for i, piece in enumerate(re.split(r"([0-9]+)", part)):
        digits = piece.lstrip("0")
        pieces.append((len(digits), digits) if i % 2 else piece)
    return tuple(pieces)
