"""The page as text: what every section says, decided before any template is opened."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.document import Document
from auditor.records import PARTS
from auditor.render import listings
from auditor.render.deciding import decision
from auditor.render.findings import FindingView, Group, groups
from auditor.render.gating import GateRow, gate
from auditor.render.layers import Table, phases, table
from auditor.render.listings import Listing
from auditor.render.provenance import provenance
from auditor.render.text import count, listed, percent, visible
from auditor.render.wording import GREEN, NEXT, VERDICTS, Badge

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with its words."""

    value: str
    words: str
    note: str


@dataclass(frozen=True, slots=True)
class Page:
    """One report, all text."""

    title: str
    verdict: Badge
    model: str
    version: str
    baseline: str  # "" without one
    against: str  # what it was held against, in words
    reason: str
    decision: str  # of a person; "" where nobody decided
    worst: FindingView | None
    repeated: bool  # the reason already says what the worst finding says
    more: str  # how many findings there are beside the worst
    todo: str
    refused: tuple[Listing, ...]  # files that could not be read, names in pickles
    gate: tuple[GateRow, ...]
    changed: str  # heading of the tiles
    tiles: tuple[Tile, ...]
    groups: tuple[Group, ...]
    phases: str  # how many layers are in which; "" where none is known
    table: Table
    listings: tuple[Listing, ...]  # what is not in the table of layers
    made: Pairs
    files: Listing
    green: str


def page(document: Document) -> Page:
    """Everything a report of one audit says."""
    found = groups(document)
    worst = _worst(found)
    verdict = VERDICTS[document["verdict"]]
    version = version_text(document["model"])
    comparison = document["comparison"]
    baseline = version_text(comparison["baseline"]) if comparison else ""
    return Page(
        title=_title(verdict, document["model"]["name"], version),
        verdict=verdict,
        model=document["model"]["name"],
        version=version,
        baseline=baseline,
        against=_against(baseline, document["profile"]),
        reason=sentence(document["reason"]),
        decision=decision(document),
        worst=worst,
        repeated=worst is not None and worst.message in document["reason"],
        more=_more(document, worst),
        todo=_todo(document, worst),
        refused=tuple(listings.refused(document)),
        gate=tuple(gate(document)),
        changed=f"What changed since {baseline}" if baseline else "What was found",
        tiles=tuple(_tiles(document)),
        groups=found,
        phases=phases(document),
        table=table(document),
        listings=tuple(listings.beside(document)),
        made=tuple(provenance(document)),
        files=listings.files(document),
        green=f"{GREEN}.",
    )


def _title(verdict: Badge, name: str, version: str) -> str:
    """Of the window; the page has the whole names."""
    parts = (f"{verdict.glyph} {verdict.words}", visible(name), visible(version))
    return " · ".join(part if len(part) <= 80 else part[:79] + "…" for part in parts)


def _against(baseline: str, profile: Mapping[str, Any] | None) -> str:
    if baseline:
        return f"compared with {baseline}"
    return f"held against profile {profile['name']}" if profile else "no baseline to compare with"


def version_text(model: Mapping[str, Any]) -> str:
    """``v3`` for a number, the version itself for anything else."""
    version: str = model["version"]
    return f"v{version}" if version.isdecimal() else version


def sentence(text: str) -> str:
    """A text with a capital, unless it starts with a name, and a full stop."""
    if text.startswith(("no ", "only ", "there ", "judged again, ", "same weights as ")):
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _worst(found: tuple[Group, ...]) -> FindingView | None:
    """The first finding the verdict follows from."""
    return found[0].told[0] if found and found[0].title == "Findings" else None


def _more(document: Document, worst: FindingView | None) -> str:
    findings = document["findings"]
    rest = sum(f["origin"] in {"new", "open"} for f in findings) - (worst is not None)
    if rest <= 0:
        return ""
    return f"{count(rest, 'more finding')} below" if worst else f"{count(rest, 'finding')} below"


def _todo(document: Document, worst: FindingView | None) -> str:
    verdict = document["verdict"]
    advice = worst.advice if worst else ""
    if verdict == "INCOMPLETE":
        return f"{advice} {NEXT[verdict]}".lstrip()
    return advice or NEXT[verdict]


def _tiles(document: Document) -> Iterator[Tile]:
    by_origin: dict[str, list[Mapping[str, Any]]] = {}
    for finding in document["findings"]:
        by_origin.setdefault(finding["origin"], []).append(finding)

    def tile(words: str, note: str, *origins: str) -> Tile:
        found = [finding for origin in origins for finding in by_origin.get(origin, ())]
        return Tile(f"{len(found):,}", words, note or listed(_places(found)))

    yield tile("new findings", _severities(by_origin.get("new", [])), "new")
    if document["comparison"] is not None:
        yield tile("fixed", "", "fixed")
        yield tile("carried over, not accepted", "", "open")
    if "accepted" in by_origin:
        yield tile("accepted", "", "accepted")
    if "waived" in by_origin:
        waivers = dict.fromkeys(finding["waiver"] for finding in by_origin["waived"])
        yield tile("waived", listed(waivers), "waived")
    if "analyzer" in by_origin:
        yield tile("seen only by a newer analyzer", "these do not gate", "analyzer")
    yield _coverage(document)


def _places(found: list[Mapping[str, Any]]) -> Iterator[str]:
    yield from dict.fromkeys(f"{f['check']} in {f['layer'] or 'the version'}" for f in found)


def _severities(found: list[Mapping[str, Any]]) -> str:
    amounts = Counter(finding["severity"] for finding in found)
    parts = [f"{amounts['critical']} critical"] if amounts["critical"] else []
    parts += [count(amounts["warning"], "warning")] if amounts["warning"] else []
    parts += [f"{amounts['info']} for information"] if amounts["info"] else []
    return ", ".join(parts)


def _coverage(document: Document) -> Tile:
    """Matrices analysed of all there are, and what became of the others."""
    counts = document["counts"]
    skipped = [s for s in document["skipped"] if not s["reason"].startswith(PARTS)]
    matrices = [skip for skip in skipped if len(skip["shape"]) >= 2]
    analysed = counts["analysed"]
    total = counts["parameters_total"]
    read = f"{percent(counts['parameters_read'], total)} of their parameters read"
    reasons = Counter(skip["reason"].partition(":")[0] for skip in skipped)
    rest = ", ".join(f"{amount} × {reason}" for reason, amount in reasons.most_common(4))
    note = (read if total else "there is no matrix") + (f"; not analysed: {rest}" if rest else "")
    return Tile(f"{analysed:,} of {analysed + len(matrices):,}", "matrices analysed", note)
