"""What people say about versions in MLflow: the tag ``auditor.decision``, read and understood.

::

    accept | reject  [until DATE]  [: REASON]  [(by NAME)]

Upper and lower case, spaces, and ``accepted`` or ``rejected`` make no difference.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date
from hashlib import sha256

from auditor.mlflow_client.marks import Mark
from auditor.mlflow_client.registry import Place, Tagged
from auditor.records import Known, ModelVersion, Said, Statement, one_line

LONGEST = 1000  # characters of a tag
SHOWN = 5  # tags that are not understood and are told of
SOMEBODY = "somebody in MLflow"
NO_REASON = "no reason given"
FORM = re.compile(
    r"(?P<word>accept|reject)(?:ed)?"
    r"(?: until (?P<day>[^ :]+))?"
    r"(?: ?: ?(?P<why>.*?))?"
    r"(?: ?\( ?by (?P<who>[^()]+)\))?",
    re.IGNORECASE,
)
EXPECTED = "expected accept or reject, then until DATE, : REASON, (by NAME), of which any may lack"


def statement(text: str) -> Statement:
    """What a tag says.

    Raises
    ------
    ValueError
        If it says nothing that is understood; its text says what would be.

    Examples
    --------
    >>> said = statement("Accept until 2026-12-31: for the pilot (by a.ruiz)")
    >>> said.accept, said.by, said.reason, str(said.until)
    (True, 'a.ruiz', 'for the pilot', '2026-12-31')
    >>> statement(" rejected ")
    Statement(accept=False, by='somebody in MLflow', reason='no reason given', until=None)
    """
    if len(text) > LONGEST:  # what it says after that may be a condition
        raise ValueError(f"found {len(text):,} characters: expected {LONGEST:,} at most")
    line = one_line(text)
    found = FORM.fullmatch(line)
    if found is None:
        raise ValueError(f"found {line[:40]!r}: {EXPECTED}")
    return Statement(
        accept=found["word"].lower() == "accept",
        by=(found["who"] or "").strip() or SOMEBODY,
        reason=found["why"] or NO_REASON,
        until=_day(found["day"]),
    )


def heard(
    place: Place, mark: Mark, known: Known, now: int, *, listens: bool
) -> tuple[Mark, list[Said]]:
    """What is said in a place, if that is something else than was heard last; and the mark then.

    Where nobody listens, nothing is said: what tags said before is taken back.
    """
    if listens and mark.is_silent(now):
        return mark, []
    found = place.tagged() if listens else ()
    if found is None:
        return mark, []
    mark = replace(mark, asked=now, tags=len(found))
    texts = sorted((version.identity, text) for version, text in found)
    print_ = sha256(repr(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if print_ == mark.said:
        return mark, []
    before = [version for version in known.tagged() if place.has(version.id.model)]
    doubts = tuple(_doubts(found))[:SHOWN]
    return replace(mark, said=print_, doubts=doubts), list(_said(found, before))


def heard_of(place: Place, model: str, known: Known) -> Iterator[Said]:
    """What is said of the versions of one model."""
    found = place.tagged(model)
    if found is not None:
        yield from _said(found, [one for one in known.tagged() if one.id.model == model])


def _said(found: Tagged, before: Collection[ModelVersion]) -> Iterator[Said]:
    """What is understood; and of whom nothing is said any more."""
    for version, text in found:
        try:
            yield Said(version, statement(text))
        except ValueError:
            continue
    there = {version.identity for version, _ in found}
    yield from (Said(version, None) for version in before if version.identity not in there)


def _doubts(found: Tagged) -> Iterator[str]:
    """What is not understood: then what was said before stays said."""
    for version, text in found:
        try:
            statement(text)
        except ValueError as error:
            yield f"{version.uri[:100]}: {error}"


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"found until {text[:40]!r}: expected a day such as 2026-12-31") from error
