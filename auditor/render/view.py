"""The page as text: what every section says, decided before any template is opened."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.document import Document
from auditor.policy import BASELINE, COVERAGE
from auditor.render.findings import FindingView, Group, groups
from auditor.render.layers import Table, shape, table
from auditor.render.text import (
    NO_VALUE,
    count,
    duration,
    exact,
    listed,
    moment,
    number,
    percent,
    size,
    visible,
)
from auditor.render.wording import FAILED, GREEN, NEXT, PASSED, VERDICTS, Badge

Pairs = tuple[tuple[str, str], ...]
TITLE_LENGTH = 120  # of a name in the window's title; the page has the whole name


@dataclass(frozen=True, slots=True)
class GateRow:
    """One condition of the gate."""

    badge: Badge
    condition: str
    limit: str
    value: str
    baseline: str


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
    reason: str
    worst: FindingView | None
    more: str  # how many findings there are beside the worst
    todo: str
    gate: tuple[GateRow, ...]
    changed: str  # heading of the tiles
    tiles: tuple[Tile, ...]
    groups: tuple[Group, ...]
    table: Table
    skipped: tuple[tuple[str, str, str], ...]  # name, shape, reason
    failures: tuple[tuple[str, str, str], ...]  # file, reason, remark
    globals: tuple[tuple[str, str, str], ...]  # file, name, remark
    unmatched: Pairs  # layers without a counterpart
    summary: tuple[tuple[str, ...], ...]  # metric, mean, median, p5, p95, layers
    made: Pairs
    files: tuple[tuple[str, str, str, str], ...]  # name, size, sha256, verified
    green: str


def page(document: Document) -> Page:
    """Everything a report of one audit says."""
    found = groups(document)
    worst = _worst(found)
    verdict = VERDICTS[document["verdict"]]
    version = version_text(document["model"])
    name = visible(document["model"]["name"])
    short = name if len(name) <= TITLE_LENGTH else name[:TITLE_LENGTH] + "…"
    comparison = document["comparison"]
    baseline = version_text(comparison["baseline"]) if comparison else ""
    weights = document["weights"]
    return Page(
        title=f"{verdict.glyph} {verdict.words} · {short} {version}"[: 2 * TITLE_LENGTH],
        verdict=verdict,
        model=document["model"]["name"],
        version=version,
        baseline=baseline,
        reason=sentence(document["reason"]),
        worst=worst,
        more=_more(document, worst),
        todo=_todo(document, worst),
        gate=tuple(_gate(document)),
        changed=f"What changed since {baseline}" if baseline else "What was found",
        tiles=tuple(_tiles(document)),
        groups=found,
        table=table(document),
        skipped=tuple((s["name"], shape(s["shape"]), s["reason"]) for s in document["skipped"]),
        failures=tuple(_failures(weights)),
        globals=tuple(
            (g["file"], g["name"], "can run code" if g["dangerous"] else "not known to be harmful")
            for g in weights["globals"]
        ),
        unmatched=tuple(_unmatched(comparison)),
        summary=tuple(_summary(document["summary"])),
        made=tuple(_made(document)),
        files=tuple(
            (file["name"], size(file["size"]), file["sha256"], _verified(file))
            for file in weights["files"]
        ),
        green=f"{GREEN}.",
    )


def version_text(model: Mapping[str, Any]) -> str:
    """``v3`` for a number, the version itself for anything else."""
    version: str = model["version"]
    return f"v{version}" if version.isdecimal() else version


def sentence(text: str) -> str:
    """A text with a capital, unless it starts with a name, and a full stop."""
    if text.startswith(("no ", "only ", "failed", "there ")):
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
    if verdict in {"PASS", "INCOMPLETE"} or worst is None or not worst.advice:
        return NEXT[verdict]
    return worst.advice


def _gate(document: Document) -> Iterator[GateRow]:
    """Failed conditions first, those that block before those that ask for a look."""
    order = {"error": 0, "warn": 1, "off": 2}
    rows = document["gate"]
    for row in sorted(rows, key=lambda row: (row["passed"], order[row["level"]])):
        yield GateRow(
            badge=PASSED if row["passed"] else FAILED[row["level"]],
            condition=row["condition"],
            limit=_limit(row),
            value=_amount(row, row["value"]),
            baseline=_amount(row, row["baseline"]),
        )


def _limit(row: Mapping[str, Any]) -> str:
    least = row["condition"] in {COVERAGE, BASELINE}
    return f"{'at least' if least else 'at most'} {_amount(row, row['limit'])}"


def _amount(row: Mapping[str, Any], value: float | None) -> str:
    if value is None:
        return NO_VALUE
    return percent(value, 1.0) if row["condition"] == COVERAGE else exact(value)


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
        accepted = by_origin.get("accepted", []) + by_origin.get("waived", [])
        notes = dict.fromkeys(f["waiver"] for f in accepted if f["waiver"])
        yield tile("accepted", "; ".join(notes), "accepted", "waived")
        yield tile("seen only by a newer analyzer", "these do not gate", "analyzer")
    yield _coverage(document)


def _places(found: list[Mapping[str, Any]]) -> Iterator[str]:
    yield from dict.fromkeys(f"{f['check']} in {f['layer'] or 'the version'}" for f in found)


def _severities(found: list[Mapping[str, Any]]) -> str:
    counted = Counter(finding["severity"] for finding in found)
    words = {"critical": "critical", "warning": "warning", "info": "for information"}
    return ", ".join(f"{counted[key]} {text}" for key, text in words.items() if counted[key])


def _coverage(document: Document) -> Tile:
    """Matrices analysed of all there are, and what became of the others."""
    counts = document["counts"]
    matrices = [skip for skip in document["skipped"] if len(skip["shape"]) >= 2]
    analysed = counts["analysed"]
    read = percent(counts["parameters_read"], counts["parameters_total"])
    reasons = Counter(skip["reason"].partition(":")[0] for skip in document["skipped"])
    rest = ", ".join(f"{amount} {reason}" for reason, amount in reasons.most_common(4))
    note = f"{read} of their parameters read" + (f"; not analysed: {rest}" if rest else "")
    return Tile(f"{analysed:,} of {analysed + len(matrices):,}", "matrices analysed", note)


def _failures(weights: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for failure in weights["failures"]:
        remark = "names code that no weight file needs" if failure["dangerous"] else ""
        yield failure["name"], failure["reason"], remark


def _unmatched(comparison: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if comparison is None:
        return
    yield from ((name, "only in this version") for name in comparison["added"])
    yield from ((name, "only in the baseline") for name in comparison["removed"])
    yield from ((f"{old} → {new}", "renamed, same values") for old, new in comparison["renamed"])


def _summary(summary: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, of in summary.items():
        values = (number(of[key], 4) for key in ("mean", "median", "p5", "p95"))
        yield (name, *values, f"{of['n']:,}")


def _verified(file: Mapping[str, Any]) -> str:
    return "checked" if file["verified"] else "not checked"


def _made(document: Document) -> Iterator[tuple[str, str]]:
    """How the report came about: enough to do it again."""
    model, analyzer, timing = document["model"], document["analyzer"], document["timing"]
    yield "Audit", document["id"]
    yield "Model", f"{model['source']}:{model['name']}@{model['version']}"
    yield "Found at", model["uri"]
    yield "Created", moment(model["created_at"])
    yield from ((name, value) for name, value in sorted(document["source"].items()))
    yield "Weights digest", document["weights"]["digest"]
    yield from _baseline(document["comparison"])
    policy = document["policy"]
    yield "Policy", f"{policy['name']}, hash {policy['hash']}"
    yield "Analyzer", f"{analyzer['version']}, metric set {analyzer['metric_set']}"
    yield "Convention", analyzer["convention"]
    settings = ", ".join(f"{name} {_setting(v)}" for name, v in analyzer["settings"].items())
    yield "Settings", settings
    yield "Seed", str(analyzer["seed"])
    yield "Started", moment(timing["started_at"])
    yield "Took", duration(timing["seconds"])
    yield "Bytes read", size(document["weights"]["bytes_read"])


def _setting(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _baseline(comparison: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if comparison is None:
        yield "Baseline", "none: every finding counts as new"
        return
    of = comparison["baseline"]
    yield "Baseline", f"{of['source']}:{of['name']}@{of['version']}, {of['uri']}"
    yield "Baseline created", moment(of["created_at"])
    if comparison["note"]:
        yield "Distances", comparison["note"]
