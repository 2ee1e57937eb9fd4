"""Findings as a reader meets them: worst first, each with its numbers, meaning and next step."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from auditor import checks
from auditor.document import Document
from auditor.records import Severity
from auditor.render.chart import Chart, spectrum
from auditor.render.text import change, exact, fixed, interval, number, plain, visible
from auditor.render.wording import ORIGINS, SEVERITIES, Badge

ACTIVE = ("new", "open")  # origins that the gate counts
DRAWN = 24  # spectra that are in the page itself; the script draws those of further findings
TOLD = 60  # findings of a group that are told at length; the rest is listed in one line each
WAIVER_DAYS = 90
TRAPS = 3  # that a finding lists
FIT = {"D", "pl_pvalue", "num_pl_spikes"}  # evidence that is told otherwise
LEVELS = ("error", "warn", "off")
GROUPS = (
    "Findings",
    "For information",
    "Seen only by a newer analyzer",
    "Accepted or waived",
    "Fixed since the baseline",
)


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding, all text."""

    id: str
    badge: Badge
    origin: str
    message: str
    layer: str  # "" for a finding about the whole version
    row: int | None  # of the layer in the table of all layers
    meaning: str
    facts: tuple[tuple[str, str], ...]
    advice: str
    waiver: str  # YAML, ready to paste; "" where nothing needs one
    chart: Chart | None
    drawn_later: bool  # the script draws the spectrum when the finding is opened


@dataclass(frozen=True, slots=True)
class Group:
    """Findings under one heading."""

    title: str
    told: tuple[FindingView, ...]
    listed: tuple[FindingView, ...]


def gates(finding: Mapping[str, Any]) -> bool:
    """Whether the verdict follows from a finding: the rule of `auditor.policy.gates`."""
    check = checks.BY_NAME.get(finding["check"])
    least = check.severity if check else Severity.INFO
    grave = Severity[finding["severity"].upper()] >= least
    return grave and finding["level"] != "off" and finding["origin"] in ACTIVE


def worst_first(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Findings in the order a reader should meet them.

    What the verdict follows from comes first; within a group the level the policy gives,
    then the severity, then the origin, then the order of the checks.
    """

    def rank(finding: Mapping[str, Any]) -> tuple[int, ...]:
        return (
            _group(finding),
            LEVELS.index(finding["level"]),
            -Severity[finding["severity"].upper()],
            list(ORIGINS).index(finding["origin"]),
        )

    return sorted(findings, key=rank)


def _group(finding: Mapping[str, Any]) -> int:
    if finding["origin"] in ACTIVE:
        return 0 if gates(finding) else 1
    return {"analyzer": 2, "accepted": 3, "waived": 3, "fixed": 4}[finding["origin"]]


def groups(document: Document) -> tuple[Group, ...]:
    """All findings under their headings, worst first; empty groups are left out."""
    rows = {layer["name"]: row for row, layer in enumerate(document["layers"])}
    views: dict[int, list[FindingView]] = {}
    for place, finding in enumerate(worst_first(document["findings"])):
        row = rows.get(finding["layer"])
        view = _view(document, finding, row, drawn=place < DRAWN)
        views.setdefault(_group(finding), []).append(view)
    return tuple(
        Group(GROUPS[key], tuple(found[:TOLD]), tuple(found[TOLD:]))
        for key, found in sorted(views.items())
    )


def _view(
    document: Document, finding: Mapping[str, Any], row: int | None, *, drawn: bool
) -> FindingView:
    layer = document["layers"][row] if row is not None else None
    before = changes(document).get(finding["layer"])
    fixed_since = finding["origin"] == "fixed"
    has_chart = layer is not None and layer["spectrum"] is not None and not fixed_since
    return FindingView(
        id=finding["id"],
        badge=SEVERITIES[finding["severity"]],
        origin=ORIGINS[finding["origin"]],
        message=finding["message"],
        layer=finding["layer"] or "",
        row=row,
        meaning=finding["meaning"],
        facts=tuple(_facts(finding, layer, before)),
        advice=finding["advice"],
        waiver=waiver(document, finding) if gates(finding) else "",
        chart=spectrum(layer, before) if layer and has_chart and drawn else None,
        drawn_later=has_chart and not drawn,
    )


def changes(document: Document) -> Mapping[str, Mapping[str, Any]]:
    """Every layer's comparison with the baseline, by the layer's name."""
    comparison = document["comparison"]
    return {item["name"]: item for item in comparison["layers"]} if comparison else {}


def _facts(
    finding: Mapping[str, Any],
    layer: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
) -> Iterator[tuple[str, str]]:
    """What was found, in pairs of a term and its text."""
    first = (
        ("Where", finding["layer"]),
        ("Check", finding["check"]),
        ("Rule", finding["rule"]),
        ("Limit", None if finding["limit"] is None else exact(finding["limit"])),
        ("Value", _measured(finding)),
    )
    yield from ((term, text) for term, text in first if text)
    if finding["origin"] != "fixed":
        yield from _layer_facts(layer, before)
        yield from _traps(finding, layer)
    told = FIT | ({"entries", "num_traps"} if layer and layer["traps"] else set())
    for name, value in finding["evidence"].items():
        if name not in told and value is not None and not _is_sample(value):
            yield name.replace("_", " "), plain(value)
    if finding["waiver"]:
        yield "Waived", finding["waiver"]


def _is_sample(value: object) -> bool:
    """Whether it is a list of numbers: for programs, and no fact to read."""
    return isinstance(value, list) and all(isinstance(item, float) for item in value)


def _measured(finding: Mapping[str, Any]) -> str:
    value = finding["value"]
    if value is None:
        return ""
    text = exact(value) if float(value).is_integer() else number(value)
    return f"{text} {interval(finding['interval'])}".rstrip()


def _layer_facts(
    layer: Mapping[str, Any] | None, before: Mapping[str, Any] | None
) -> Iterator[tuple[str, str]]:
    if layer is not None and layer.get("alpha") is not None:
        yield "Fit", fit_quality(layer)
    if before is not None:
        yield "Baseline", distance(before)


def _traps(
    finding: Mapping[str, Any], layer: Mapping[str, Any] | None
) -> Iterator[tuple[str, str]]:
    """The strongest traps, where traps are what was found; the rest is in the layer's numbers."""
    if finding["check"] != "correlation_traps" or layer is None:
        return
    for trap in layer["traps"][:TRAPS]:
        yield "Trap", trap_text(trap)
    if (more := len(layer["traps"]) - TRAPS) > 0:
        yield "Traps", f"and {more} weaker ones"


def fit_quality(layer: Mapping[str, Any]) -> str:
    """How far the power law can be trusted."""
    parts = [f"distance D {fixed(layer.get('D'), 3)}"]
    tail = layer.get("num_pl_spikes")
    if tail is not None:
        parts.append(f"tail of {exact(tail)} of {layer['num_evals']:,} eigenvalues")
    if layer.get("pl_pvalue") is not None:
        parts.append(f"goodness of fit p = {fixed(layer['pl_pvalue'])}")
    return ", ".join(parts)


def distance(before: Mapping[str, Any]) -> str:
    """How far a layer is from the baseline's, as far as it is known."""
    parts = []
    if before["baseline"].get("alpha") is not None:
        moved = before.get("d_alpha")
        by = f" ({change(moved)})" if moved is not None else ""
        parts.append(f"α was {fixed(before['baseline']['alpha'])}{by}")
    words = (("relative", "weights moved by"), ("esd_js", "spectra differ by"))
    for name, text in words:
        if before.get(name) is not None:
            unit = "of their norm" if name == "relative" else "(Jensen–Shannon)"
            parts.append(f"{text} {number(before[name])} {unit}")
    return ", ".join(parts) or "no distance could be computed"


def trap_text(trap: Mapping[str, Any]) -> str:
    """A correlation trap with the entries that make it."""
    strength = trap["lambda"] / trap["edge"] if trap["edge"] else None
    entries = (f"row {row}, column {column}: {number(v)}" for row, column, v in trap["entries"])
    made = "; ".join(entries)
    text = f"eigenvalue {number(trap['lambda'])}, {number(strength)} times the edge"
    return f"{text}, made by {made}" if made else text


def waiver(document: Document, finding: Mapping[str, Any]) -> str:
    """A waiver for one finding as YAML, to be completed and pasted into a policy file."""
    started = datetime.fromisoformat(document["timing"]["started_at"])
    model = document["model"]
    lines = [
        "waivers:",
        f"  - check: {_check(finding['check'])}",
        f"    model: {quoted(literal(model['source'] + ':' + model['name']))}",
        *([f"    layer: {quoted(literal(finding['layer']))}"] if finding["layer"] else []),
        '    reason: ""  # required: why this is acceptable',
        '    owner: ""   # required: who answers for it',
        f"    expires: {started + timedelta(days=WAIVER_DAYS):%Y-%m-%d}",
    ]
    return "\n".join(lines) + "\n"


def _check(name: str) -> str:
    """A check's name, or that of a limit, which may end in a policy's own patterns."""
    return quoted(name.replace("${", "$${")) if ":" in name else name


def literal(name: str) -> str:
    """A pattern that a policy file takes for this name and no other.

    Examples
    --------
    >>> print(literal("blocks[0].w*"), literal("${HOME}"))
    blocks[[]0].w[*] $${HOME}
    """
    return re.sub(r"[*?[]", r"[\g<0>]", name).replace("${", "$${")


def quoted(text: str) -> str:
    r"""Any text as a YAML double-quoted scalar, with nothing invisible in it.

    Examples
    --------
    >>> print(quoted('a"b\u202e\n'))
    "a\"b\u202e\n"
    """
    inner = json.dumps(text, ensure_ascii=False)[1:-1]  # YAML reads JSON's escapes
    return f'"{visible(inner)}"'


def by_layer(findings: Sequence[Mapping[str, Any]]) -> Mapping[str, list[Mapping[str, Any]]]:
    """What is still found, by layer, worst first."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for finding in worst_first(findings):
        if finding["layer"] and finding["origin"] != "fixed":
            found.setdefault(finding["layer"], []).append(finding)
    return found
