"""Numbers, names and times as text a person reads; every one of them is made here."""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

NO_VALUE = "\N{EN DASH}"
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, bidi marks, half surrogates
KEPT = "\n\t"
# half surrogates fit no encoding; marks of direction reorder the text around them
ODD = re.compile("[\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\x7f-\x9f]")
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def visible(text: str) -> str:
    r"""Write what cannot be seen as an escape, so that no name can hide or reorder text.

    Examples
    --------
    >>> visible("fc1\u202egpj")
    'fc1\\u202egpj'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in KEPT or unicodedata.category(character) not in INVISIBLE:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def number(value: float | None, digits: int = 3) -> str:
    """A number to `digits` significant digits; a dash where it is undefined.

    Examples
    --------
    >>> number(1.6189), number(0.0), number(12345.6), number(2.5e-9), number(None)
    ('1.62', '0', '12,300', '2.5·10⁻⁹', '–')
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    rounded = round(float(value), digits - 1 - exponent)
    if not 1e-4 <= abs(rounded) < 1e7:
        return _scientific(rounded, digits)
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}".replace("-", "−")


def _scientific(value: float, digits: int) -> str:
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}·{ten_to(int(power))}".replace("-", "−")


def ten_to(power: int) -> str:
    """A power of ten.

    Examples
    --------
    >>> ten_to(-3)
    '10⁻³'
    """
    return "10" + str(power).translate(SUPERSCRIPT)


def exact(value: float | None) -> str:
    """A limit or a count as it was set: no digit is rounded away that a policy states.

    Examples
    --------
    >>> exact(0.95), exact(3.0), exact(1234567.0), exact(None)
    ('0.95', '3', '1,234,567', '–')
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def fixed(value: float | None, digits: int = 2) -> str:
    """A number with `digits` decimals: exponents α are compared down a column."""
    if value is None or not math.isfinite(value):
        return NO_VALUE
    return f"{value:.{digits}f}".replace("-", "−") if abs(value) < 1e4 else number(value)


def change(value: float | None, digits: int = 2) -> str:
    """A difference, always with its sign.

    Examples
    --------
    >>> change(0.4), change(-1.234), change(0.001), change(None)
    ('+0.40', '−1.23', '0.00', '–')
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    text = f"{value:+.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def interval(ends: Sequence[float | None] | None) -> str:
    """``[1.48, 1.79]``; nothing where there is no interval."""
    if not ends or any(end is None for end in ends):
        return ""
    return f"[{fixed(ends[0])}, {fixed(ends[1])}]"


def percent(part: float, whole: float) -> str:
    """A share, never rounded up to 100 % while something is missing.

    Examples
    --------
    >>> percent(1, 3), percent(9_999, 10_000), percent(5, 5), percent(0, 0)
    ('33.3 %', '99.9 %', '100 %', '–')
    """
    if whole <= 0:
        return NO_VALUE
    if part == whole:
        return "100 %"
    return f"{math.floor(1000 * part / whole) / 10:g} %"


def count(amount: int, noun: str, plural: str = "") -> str:
    """An amount with its noun.

    Examples
    --------
    >>> count(1, "matrix", "matrices"), count(2, "layer"), count(0, "layer")
    ('1 matrix', '2 layers', '0 layers')
    """
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def size(amount: int) -> str:
    """Bytes in the largest unit that leaves a number of at least one.

    Examples
    --------
    >>> size(512), size(1_500_000)
    ('512 bytes', '1.5 MB')
    """
    if amount < 1000:
        return count(amount, "byte")
    step = min(4, int(math.log10(amount) // 3))
    return f"{amount / 1000**step:.3g} {('kB', 'MB', 'GB', 'TB')[step - 1]}"


def duration(seconds: float) -> str:
    """How long something took.

    Examples
    --------
    >>> duration(0.84), duration(75), duration(7260)
    ('0.84 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{number(seconds, 2)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(stamp: str) -> str:
    """A time as a document states it, to the second.

    Examples
    --------
    >>> moment("2026-03-02T10:00:05.123456+00:00")
    '2026-03-02 10:00:05 UTC'
    """
    when = datetime.fromisoformat(stamp)
    return f"{when:%Y-%m-%d %H:%M:%S} {when.tzname() or ''}".rstrip()


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first few names, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    every = list(names)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")


def plain(value: object) -> str:
    """Any value of an evidence as text."""
    match value:
        case bool() | None:
            text = {True: "yes", False: "no", None: NO_VALUE}[value]
        case int():
            text = f"{value:,}"
        case float():
            text = exact(value) if value.is_integer() else number(value, 4)
        case dict():
            text = ", ".join(f"{name} {plain(item)}" for name, item in value.items())
        case list() | tuple():
            text = ", ".join(plain(item) for item in value)
        case _:
            text = str(value)
    return text


def json_text(value: object, *, indent: int | None = None) -> str:
    r"""JSON with every character as itself, save those that fit no encoding or reorder text.

    Examples
    --------
    >>> print(json_text({"α": ["\udc80", 1.5]}))
    {"α":["\udc80",1.5]}
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
    )
    return ODD.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
