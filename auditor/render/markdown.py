"""A comment for a pull request, a ticket or a job's summary, as Markdown.

Names come from models. None becomes markup, a link, a mention of a person, a reference to an
issue or a command to the platform; whatever is in them, a comment stays postable.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.document import Document
from auditor.render.findings import gates, worst_first
from auditor.render.text import count, visible
from auditor.render.view import Page, page
from auditor.render.wording import NOT_LOOKED_FOR, ORIGINS, PASSED

MOST = 65_536  # characters that GitHub takes of a comment
SPARE = 200  # of them for saying what was cut
LISTED = 10  # findings the verdict follows from, and failed conditions
FOLDED = 100  # findings in a folded list
LONGEST = 400  # characters of one text
BREAK = "&#8203;"  # of no width
MARKUP = re.compile(r"([\\`*_\[\]|~#@$!])")
REFERENCE = re.compile(r"(?<=[@#!$%~^&])(?=[\w\"<])|(?<=www)(?=\.)|(?<=:)(?=//)|(?<=GH)(?=-\d)")


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that stand or fall one by one between a head and an end that belong together."""

    lines: Sequence[str]
    head: Sequence[str] = ()
    end: Sequence[str] = ("",)


def as_markdown(document: Document) -> str:
    """The verdict, why, and the worst findings; everything else folded; not too long."""
    of = page(document)
    parts = [*_parts(document, of), Part([f"{of.green}"], end=())]
    lines: list[str] = []
    room, cut = MOST - SPARE, 0
    for part in parts:
        room -= _size(part.head) + _size(part.end)
        fitting = _fitting(part.lines, room) if room > 0 else []
        cut += len(part.lines) - len(fitting)
        room -= _size(fitting)
        lines += [*part.head, *fitting, *part.end] if fitting else []
    if cut:
        lines += ["", f"*{count(cut, 'line')} cut; the report has everything.*"]
    return "\n".join(lines) + "\n"


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """The first of the lines that fit, in order."""
    found: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        found.append(line)
    return found


def _parts(document: Document, of: Page) -> Iterator[Part]:
    model = f"{escaped(of.model)} {escaped(of.version)}"
    yield Part([f"## {of.verdict.glyph} {of.verdict.words}: {model}"])
    if document["decision"]:
        yield Part([_decision(document["decision"])])
    todo = [f"**What to do:** {escaped(of.todo)}  "] if of.todo != of.green else []
    yield Part(
        [
            f"**Why:** {escaped(of.reason)}  ",
            *todo,
            f"Policy {escaped(document['policy']['name'])}, {escaped(of.against)}.",
        ]
    )
    yield from _failed(of)
    found = worst_first(document["findings"])
    gating = [finding for finding in found if gates(finding)]
    more = [f"- and {len(gating) - LISTED:,} more"] if len(gating) > LISTED else []
    yield Part([*map(_line, gating[:LISTED]), *more], head=["**Findings**", ""])
    yield from _folds(gating[LISTED:], [one for one in found if not gates(one)])
    yield from _coverage(of)


def _decision(decision: Mapping[str, Any]) -> str:
    said = "Accepted" if decision["accept"] else "Rejected"
    until = f", until {decision['until']}" if decision["until"] else ""
    return f"**{said}** by {escaped(decision['by'])}{until}: {escaped(decision['reason'])}"


def _failed(of: Page) -> Iterator[Part]:
    """The conditions that failed, as a table."""
    rows = [row for row in of.gate if row.badge not in {PASSED, NOT_LOOKED_FOR}]
    head = ["| | Condition | Limit | Found | Baseline |", "|---|---|---|---|---|"]
    yield Part(
        [
            f"| {row.badge.glyph} {row.badge.words} | {escaped(row.condition)} | {row.limit} "
            f"| {row.value} | {row.baseline} |"
            for row in rows
        ],
        head=head,
    )


def _folds(
    gating: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> Iterator[Part]:
    """What need not be read at once, one fold for each origin."""
    groups: dict[str, list[Mapping[str, Any]]] = {"more findings": list(gating)}
    for finding in others:
        name = ORIGINS[finding["origin"]]
        groups.setdefault(f"{name}, for information" if name == "new" else name, []).append(finding)
    for title, found in groups.items():
        more = [f"- and {len(found) - FOLDED:,} more"] if len(found) > FOLDED else []
        yield Part(
            [*map(_line, found[:FOLDED]), *more],
            head=[f"<details><summary>{title}: {len(found):,}</summary>", ""],
            end=["", "</details>", ""],
        )


def _coverage(of: Page) -> Iterator[Part]:
    tile = of.tiles[-1]
    phases = [f"Phases of the layers: {escaped(of.phases)}.  "] if of.phases else []
    yield Part([*phases, f"{tile.value} {tile.words}: {escaped(tile.note)}."])


def _line(finding: Mapping[str, Any]) -> str:
    waiver = f" ({escaped(finding['waiver'])})" if finding["waiver"] else ""
    origin = ORIGINS[finding["origin"]]
    return f"- **{finding['severity']}**, {origin}: {escaped(finding['message'])}{waiver}"


def escaped(text: str) -> str:
    r"""Text that Markdown, the HTML in it and the platform take literally, on one line.

    A break of no width stands where a sign would begin a mention, a reference or a link:
    platforms look for those in the finished text, where a backslash is gone.

    Examples
    --------
    >>> escaped("@me <b> a_b #1")
    '\\@&#8203;me &lt;b&gt; a\\_b \\#&#8203;1'
    """
    line = " ".join(visible(text).split())
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    parts = [_literal(part) for part in REFERENCE.split(line)]
    return BREAK.join(parts)


def _literal(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return MARKUP.sub(r"\\\1", text)
